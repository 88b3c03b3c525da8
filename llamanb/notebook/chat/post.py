"""Numbered messages between the kernel and every view of one widget."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Post"]

VERSION = 1
MOST_VIEWS = 32
LONGEST_NAME = 80


class Post:
    """Sends to all views, or answers one; usable from any thread.

    Messages to all are numbered: a view that misses one says hello again and gets
    everything. Whoever builds an answer from what was sent holds ``lock`` meanwhile.

    Attributes
    ----------
    lock : held while a message is made and sent.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self.lock = threading.RLock()
        self._send = send
        self._number = 0
        self._views: dict[str, None] = {}

    @property
    def has_views(self) -> bool:
        """Whether anybody looks."""
        return bool(self._views)

    def enter(self, view: str) -> None:
        """Note that a view was drawn; a page that was torn down says no bye."""
        with self.lock:
            self._views[view[:LONGEST_NAME]] = None
            while len(self._views) > MOST_VIEWS:
                del self._views[next(iter(self._views))]

    def leave(self, view: str) -> None:
        """Note that a view is gone."""
        with self.lock:
            self._views.pop(view[:LONGEST_NAME], None)

    def clear(self) -> None:
        """Note that no view is left."""
        with self.lock:
            self._views.clear()

    def tell(self, kind: str, content: dict[str, Any]) -> None:
        """Send to all views."""
        with self.lock:
            self._number += 1
            if self._views:
                self._send({"v": VERSION, "k": kind, "seq": self._number, "d": content})

    def answer(self, view: str, kind: str, content: dict[str, Any]) -> None:
        """Send to one view."""
        with self.lock:
            message = {"v": VERSION, "k": kind, "seq": self._number, "view": view, "d": content}
            self._send(message)
