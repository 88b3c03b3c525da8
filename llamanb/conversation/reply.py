"""One reply, as the conversation room's users know it; it is made in ``models``."""

from llamanb.models.reply import DEFAULT_SAMPLING, ReplyModel, ReplyStream, reply

__all__ = ["DEFAULT_SAMPLING", "ReplyModel", "ReplyStream", "reply"]
