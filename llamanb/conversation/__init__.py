"""One reply and one talk: build, generate, parse as a single event stream."""

from llamanb.conversation.reply import ReplyModel, ReplyStream, reply
from llamanb.conversation.session import Session

__all__ = ["ReplyModel", "ReplyStream", "Session", "reply"]
