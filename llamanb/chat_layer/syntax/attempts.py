"""Attempts: reading that may turn out to be wrong, and is then as if it had not been."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llamanb.chat_layer.events import ChatEvent
    from llamanb.chat_layer.syntax.reader import Waiting

__all__ = ["Attempts"]

MAX_REREAD_CHARS = 512


class Attempts:
    """Keeps events back until it is certain that they hold.

    Stages of one attempt: ``begin`` → ``commit`` once nothing can change what was
    read → ``end``; an end without success goes back to where it began. Attempts may
    be within each other; a commit holds for all.
    """

    def __init__(self) -> None:
        self.reader = Reader()
        self.events: list[ChatEvent] = []
        self._pending: list[ChatEvent] = []
        self._pin: int | None = None
        self._failed_at = 0
        self._held: list[int] = []
        self._withheld: list[ChatEvent] | None = None
        self._withheld_from = 0

    @property
    def is_certain(self) -> bool:
        """Whether what is read now cannot be taken back."""
        return self._pin is None

    def say(self, event: ChatEvent) -> None:
        """Give ``event``, now or when the attempt is certain."""
        (self._certain if self._pin is None else self._pending).append(event)

    @property
    def _certain(self) -> list[ChatEvent]:
        return self.events if self._withheld is None else self._withheld

    def withhold(self) -> None:
        """Give no event from here on, and keep the text, until ``take_back``."""
        self._withheld, self._withheld_from = [], self.reader.place

    def take_back(self) -> int:
        """Forget what was withheld; give the place from where on."""
        self._withheld = None
        return self._withheld_from

    def begin(self) -> tuple[int, int, bool]:
        """Begin; give what ``end`` takes."""
        opens = self._pin is None
        if opens:
            self._pin = self._failed_at = self.reader.place
        return self.reader.place, len(self._pending), opens

    def commit(self) -> None:
        """Say that what was read holds: nobody goes back before this."""
        self._pin = None
        self._held.clear()
        self._certain.extend(self._pending)
        self._pending = []

    def end(self, begun: tuple[int, int, bool], *, success: bool) -> bool:
        """End; give whether it holds."""
        place, n_pending, opens = begun
        if self._pin is None:
            return True
        if success:
            if opens:
                self.commit()
            return True
        self._failed_at = max(self._failed_at, self.reader.place)
        self.reader.go_to(place)
        del self._pending[n_pending:]
        if opens:
            self._pin = None
        return False

    @property
    def is_hopeless(self) -> bool:
        """Whether so much was read in vain that it must not be read again."""
        return self._failed_at - self.reader.place > MAX_REREAD_CHARS

    def take_failed(self) -> str:
        """Pass and give the text of a failed attempt: one character, or all if it is much."""
        return self.reader.take(self._failed_at - self.reader.place if self.is_hopeless else 1)

    def feed(self, text: str) -> None:
        """Append text."""
        pin = self.reader.place if self._pin is None else self._pin
        kept = self.reader.place if self._withheld is None else self._withheld_from
        self.reader.add(text, min(self.reader.place, pin, kept, *self._held))

    @contextmanager
    def held(self) -> Iterator[int]:
        """Keep the text from here on within the block, or up to a commit; give this place."""
        place = self.reader.place
        self._held.append(place)
        try:
            yield place
        finally:
            if place in self._held:
                self._held.remove(place)

    def marker(self, text: str) -> Waiting[bool]:
        """Pass a marker; white space at its edges may vary, all text may end in it."""
        with self.held() as start:
            yield from self.reader.spaces()
            core = text.strip()
            shared = yield from self.reader.exact(core)
            if shared < len(core) and not self._is_cut_after(shared):
                self.reader.go_to(start)
                return False
        self.reader.take(shared)
        after = text[len(text.rstrip()) :] if core else ""
        while after and (yield from self.reader.peek()) == after[0]:
            self.reader.take()
            after = after[1:]
        return True

    def ahead(self, texts: tuple[str, ...]) -> Waiting[bool]:
        """Say whether one of ``texts`` follows, at once or after white space."""
        with self.held() as start:
            is_there = yield from self._one_of(texts)
            if not is_there:
                yield from self.reader.spaces()
                is_there = yield from self._one_of(texts)
            self.reader.go_to(start)
        return is_there

    def _one_of(self, texts: tuple[str, ...]) -> Waiting[bool]:
        for text in texts:
            if (yield from self.reader.exact(text)) == len(text):
                return True
        return False

    def _is_cut_after(self, count: int) -> bool:
        """Say whether a marker that must come now is cut off by the end of the text."""
        return self.is_certain and self.reader.is_closed and self.reader.n_left == count > 0
