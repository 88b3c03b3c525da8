"""Catches what one tool prints, and leaves the rest of the kernel's output alone."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CaughtText", "caught_stdout"]

MAX_STDOUT_CHARS = 100_000
_swap = threading.Lock()


class CaughtText:
    """What a tool printed so far, up to 100,000 characters."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._room = MAX_STDOUT_CHARS

    def add(self, text: str) -> None:
        """Note some text, as far as there is room."""
        kept = text[: self._room]
        if kept:
            self._room -= len(kept)
            self._parts.append(kept)

    @property
    def text(self) -> str:
        """All that was noted."""
        return "".join(self._parts)


_current: ContextVar[CaughtText | None] = ContextVar("llamanb_tool_stdout", default=None)


@contextmanager
def caught_stdout(caught: CaughtText) -> Iterator[None]:
    """Send what this thread or task prints to ``caught``, and nobody else's text.

    ``contextlib.redirect_stdout`` would catch the whole process, also the cell
    that waits for the tool.
    """
    token = _current.set(caught)
    router = _install()
    try:
        yield
    finally:
        router.in_use = False
        _remove_unused()
        _current.reset(token)


class _Router:
    """A ``sys.stdout`` that asks who prints; passes on all it does not know."""

    def __init__(self, target: TextIO) -> None:
        self.target = target
        self.in_use = True

    def write(self, text: str) -> int:
        caught = _current.get()
        if caught is None or not self.in_use:
            return self.target.write(text)
        caught.add(text)
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target, name)


def _install() -> _Router:
    with _swap:
        router = _Router(_without_unused(sys.stdout))
        sys.stdout = router
    return router


def _remove_unused() -> None:
    with _swap:
        sys.stdout = _without_unused(sys.stdout)


def _without_unused(stream: TextIO) -> TextIO:
    """Peel off routers whose tool is done; tools that overlap end in any order."""
    while isinstance(stream, _Router) and not stream.in_use:
        stream = stream.target
    return stream
