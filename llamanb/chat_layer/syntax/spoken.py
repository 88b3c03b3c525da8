"""Text that is said to the user, without the white space around markers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Spoken"]

MAX_HELD_SPACES = 1024


class Spoken:
    """Passes text on; white space before a marker or directly after one is dropped.

    ``skips_spaces`` says that a marker has just been read.
    """

    def __init__(self, pass_on: Callable[[str], None], *, skips_spaces: bool = False) -> None:
        self._pass_on = pass_on
        self._held = ""
        self._skips_spaces = skips_spaces

    def say(self, text: str) -> None:
        """Pass ``text`` on, but hold white space at its end back."""
        if self._skips_spaces:
            text = text.lstrip()
            if not text:
                return
        self._skips_spaces = False
        text = self._held + text
        end = max(len(text.rstrip()), len(text) - MAX_HELD_SPACES)
        self._held = text[end:]
        if end:
            self._pass_on(text[:end])

    def at_marker(self) -> None:
        """Drop the white space before and after this place."""
        self._held = ""
        self._skips_spaces = True

    def finish(self) -> None:
        """Pass on what is held: no marker follows."""
        held, self._held = self._held, ""
        if held:
            self._pass_on(held)
