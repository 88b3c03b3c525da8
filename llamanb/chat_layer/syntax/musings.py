"""Tells calls that a model makes inside its reasoning from calls that it thinks about."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.reader import marks_of

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.attempts import Attempts
    from llamanb.chat_layer.syntax.reader import Waiting

__all__ = ["Musing", "read_musing"]


class Musing(Enum):
    """What stands at an opener of a call inside reasoning."""

    NOTHING = auto()
    CALL = auto()
    LAST_CALL = auto()
    THOUGHT = auto()


def read_musing(
    attempts: Attempts, block: Waiting[bool], ends: tuple[str, ...]
) -> Waiting[tuple[Musing, str]]:
    """Look what ``block`` is; give that, and the text of a thought, which is passed.

    Reasoning that is closed and followed by more has only thought of the call. If
    the output ends with the reasoning, or never closes it, the call is meant.
    """
    reader = attempts.reader
    attempts.withhold()
    if not (yield from block):
        reader.go_to(attempts.take_back())
        return Musing.NOTHING, ""
    closing = yield from reader.until(marks_of(ends), _ignore)
    end = reader.place
    reader.take(len(closing))
    yield from reader.spaces()
    start = attempts.take_back()
    if reader.is_at_end:
        reader.go_to(start)
        return (Musing.CALL if closing else Musing.LAST_CALL), ""
    reader.go_to(end)
    return Musing.THOUGHT, reader.between(start, end)


def _ignore(text: str) -> None:
    """Pass text that is read again."""
