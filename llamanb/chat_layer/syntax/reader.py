"""Text that comes in pieces, a place in it, and steps that may wait for more.

A step is a generator: it yields where it needs more text and goes on from there,
so no text is read twice, whatever way it is cut.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Generator, Iterable
from functools import lru_cache
from typing import TypeVar

__all__ = ["Marks", "Reader", "Sink", "Waiting", "marks_of"]

_T = TypeVar("_T")
Waiting = Generator[None, None, _T]
Sink = Callable[[str], None]
COMPACT_CHARS = 4096
_SPACES = re.compile(r"\s*")
_IN_STRING = {
    '"': re.compile(r'(?:[^"\\]++|\\.)*+', re.DOTALL),
    "'": re.compile(r"(?:[^'\\]++|\\.)*+", re.DOTALL),
}
_OUTSIDE = re.compile(r"[\s\w:,.+\-]*")
_SCALAR = re.compile(r"[\w.+\-]*")
_CLOSERS = {"{": "}", "[": "]"}


class Marks:
    """Some texts to look for, the leftmost first, and of those at one place the longest."""

    def __init__(self, texts: Iterable[str]) -> None:
        words = sorted(set(texts) - {""}, key=lambda text: (-len(text), text))
        self._pattern = re.compile("|".join(map(re.escape, words)) if words else r"(?!)")
        self._beginnings = {text[:size] for text in words for size in range(1, len(text))}
        self._longest = max(map(len, words), default=1) - 1
        firsts = "|".join(re.escape(one) for one in sorted({text[0] for text in words}))
        self._firsts = re.compile(firsts or r"(?!)")

    def find(self, text: str, start: int, *, is_whole: bool) -> tuple[int, str]:
        """Give the place and text of the first mark from ``start`` on.

        The text is "" if there is none; then the place is where one may still
        begin, the end of ``text`` at the latest. ``is_whole`` says no more comes.
        """
        hit = self._pattern.search(text, start)
        open_from = len(text) if is_whole else self._begun(text, start)
        if hit is None or hit.start() >= open_from:
            return open_from, ""
        return hit.start(), hit.group()

    def _begun(self, text: str, start: int) -> int:
        """Give where the longest beginning of a mark at the end of ``text`` starts."""
        place = max(start, len(text) - self._longest)
        while (first := self._firsts.search(text, place)) is not None:
            place = first.start()
            if text[place:] in self._beginnings:
                return place
            place += 1
        return len(text)


@lru_cache(maxsize=256)
def marks_of(texts: tuple[str, ...]) -> Marks:
    """Give the marks ``texts`` (cached: preparing them costs more than one search)."""
    return Marks(texts)


class Reader:
    """The text so far and the place up to which it is understood.

    Places count from the beginning of all text. Stages: ``add`` pieces → ``close``
    when no more comes; steps in between take text.
    """

    def __init__(self) -> None:
        self._text = ""
        self._dropped = 0
        self._place = 0
        self.is_closed = False

    @property
    def place(self) -> int:
        """How much of all text is understood."""
        return self._dropped + self._place

    @property
    def is_at_end(self) -> bool:
        """Whether no more text is there, now or ever."""
        return self.is_closed and self._place >= len(self._text)

    @property
    def n_left(self) -> int:
        """How many characters are there to be read."""
        return len(self._text) - self._place

    def add(self, piece: str, keep_from: int) -> None:
        """Append ``piece``; text before the place ``keep_from`` may be forgotten."""
        text, self._text = self._text, ""  # the only reference: appending does not copy
        drop = keep_from - self._dropped
        if drop > COMPACT_CHARS:
            text = text[drop:]
            self._dropped += drop
            self._place -= drop
        text += piece
        self._text = text

    def go_to(self, place: int) -> None:
        """Go back, or forward, to ``place``."""
        self._place = place - self._dropped

    def between(self, start: int, end: int) -> str:
        """Give the text between two places."""
        return self._text[start - self._dropped : end - self._dropped]

    def peek(self) -> Waiting[str]:
        """Give the next character, "" at the end of all text."""
        while self._place >= len(self._text):
            if self.is_closed:
                return ""
            yield
        return self._text[self._place]

    def take(self, count: int = 1) -> str:
        """Give and pass the next characters, which are there."""
        start = self._place
        self._place += count
        return self._text[start : self._place]

    def spaces(self, most: int = sys.maxsize) -> Waiting[bool]:
        """Pass white space; say whether that was all of it, in at most ``most`` characters."""
        end_at = min(self.place + most, sys.maxsize)
        while True:
            found = _SPACES.match(self._text, self._place, end_at - self._dropped)
            self._place = found.end() if found else self._place
            if self._place < len(self._text) or self.is_closed:
                return self.place < end_at
            yield

    def exact(self, text: str) -> Waiting[int]:
        """Give how many characters of ``text`` come next, without passing them.

        All text may end within it.
        """
        while True:
            if self._text.startswith(text, self._place):
                return len(text)
            rest = self._text[self._place : self._place + len(text)]
            if len(rest) == len(text) or not text.startswith(rest) or self.is_closed:
                return _shared(rest, text)
            yield

    def until(self, marks: Marks, sink: Sink) -> Waiting[str]:
        """Pass text to the first mark and give that, "" at the end of all text."""
        while True:
            place, mark = marks.find(self._text, self._place, is_whole=self.is_closed)
            if place > self._place:
                sink(self.take(place - self._place))
            if mark or self.is_closed:
                return mark
            yield

    def json_value(self, sink: Sink) -> Waiting[bool]:
        """Pass one JSON value, as it comes; say whether it is complete.

        Brackets and strings must balance, nothing else is checked. Python's
        quotes and words are let through. Text that cannot be part of a value ends
        it.
        """
        first = yield from self.peek()
        if first not in "{[\"'" or not first:
            return (yield from self._scalar(sink))
        open_brackets: list[str] = []
        while True:
            mark = yield from self.peek()
            if not mark:
                return False
            if mark in _IN_STRING:
                sink(self.take())
                if not (yield from self._string(mark, sink)):
                    return False
            elif not self._bracket(mark, open_brackets):
                return False
            else:
                sink(self.take())
            if not open_brackets:
                return True
            yield from self._outside(sink)

    def _bracket(self, mark: str, open_brackets: list[str]) -> bool:
        if mark in _CLOSERS:
            open_brackets.append(_CLOSERS[mark])
            return True
        return bool(open_brackets) and open_brackets.pop() == mark

    def _scalar(self, sink: Sink) -> Waiting[bool]:
        start = self.place
        yield from self.run(_SCALAR, sink)
        return self.place > start

    def _outside(self, sink: Sink) -> Waiting[None]:
        yield from self.run(_OUTSIDE, sink)

    def run(self, pattern: re.Pattern[str], sink: Sink) -> Waiting[None]:
        """Pass text as long as ``pattern`` matches it, as it comes."""
        while True:
            found = pattern.match(self._text, self._place)
            end = found.end() if found else self._place
            if end > self._place:
                sink(self.take(end - self._place))
            if end < len(self._text) or self.is_closed:
                return
            yield

    def _string(self, quote: str, sink: Sink) -> Waiting[bool]:
        """Pass the rest of a string with its closing quote."""
        while True:
            found = _IN_STRING[quote].match(self._text, self._place)
            end = found.end() if found else self._place
            is_done = self._text.startswith(quote, end)
            end = len(self._text) if self.is_closed and not is_done else end + is_done
            if end > self._place:
                sink(self.take(end - self._place))
            if is_done or self.is_closed:
                return is_done
            yield


def _shared(first: str, second: str) -> int:
    pairs = zip(first, second, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))
