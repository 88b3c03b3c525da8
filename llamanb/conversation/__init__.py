"""One reply and one talk with tools: build, generate, parse, run, as a single event stream."""

from llamanb.conversation.reply import ReplyModel, ReplyStream, reply
from llamanb.conversation.session import Session
from llamanb.conversation.talk_stream import TalkStream

__all__ = ["ReplyModel", "ReplyStream", "Session", "TalkStream", "reply"]
