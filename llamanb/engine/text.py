"""Bytes of tokens to text that is final: whole characters, no half stop strings."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["TextStitcher"]


class TextStitcher:
    """Turns the bytes of successive tokens into text that will not change any more.

    Text that may still turn out to be the start of a stop string is held back.
    Joined, everything given by :meth:`feed` and :meth:`finish` is the text up to
    the first stop string.

    Attributes
    ----------
    stop_string : the stop string that was found, or None.
    """

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stop = tuple(stop)
        self._longest = max(map(len, self._stop), default=0)
        self._held = ""
        self.stop_string: str | None = None

    def feed(self, piece: bytes) -> str:
        """Take the bytes of one token, give the text that became final."""
        text = self._decoder.decode(piece)
        return text if not self._stop else self._release(self._held + text)

    def finish(self) -> str:
        """Give what is still held; half a character becomes U+FFFD."""
        text = self._held + self._decoder.decode(b"", final=True)
        self._held = ""
        if self.stop_string is not None:
            return ""
        found = self._find(text)
        return text if found is None else self._cut(text, *found)

    def _release(self, text: str) -> str:
        found = self._find(text)
        if found is not None:
            return self._cut(text, *found)
        keep = self._length_to_hold(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def _find(self, text: str) -> tuple[int, str] | None:
        """Find the stop string that is complete first; of several, the longest.

        Looking at ends, not starts, gives the same answer however text is cut.
        """
        hits = [(text.find(stop), stop) for stop in self._stop]
        hits = [hit for hit in hits if hit[0] >= 0]
        return min(hits, key=lambda hit: (hit[0] + len(hit[1]), hit[0]), default=None)

    def _cut(self, text: str, position: int, stop: str) -> str:
        self.stop_string, self._held = stop, ""
        return text[:position]

    def _length_to_hold(self, text: str) -> int:
        for length in range(min(self._longest - 1, len(text)), 0, -1):
            tail = text[-length:]
            if any(stop.startswith(tail) for stop in self._stop):
                return length
        return 0
