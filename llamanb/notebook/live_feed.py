"""Look at something again and again while a widget shows it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LiveFeed"]


class LiveFeed:
    """A thread that looks: started → looks → ``close``, or what it looks at has ended.

    Parameters
    ----------
    look : tells whether there will be more to see.
    interval_s : the shortest time between two looks.
    rest_s : how much longer it waits where nobody wakes it.
    """

    def __init__(
        self, name: str, look: Callable[[], bool], *, interval_s: float, rest_s: float
    ) -> None:
        self._look, self._interval_s, self._rest_s = look, interval_s, rest_s
        self._woken = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    @property
    def is_open(self) -> bool:
        """Whether it still looks."""
        return not self._closed.is_set()

    def wake(self) -> None:
        """Look as soon as the interval allows."""
        self._woken.set()

    def close(self) -> None:
        """Look no more; harmless when repeated."""
        self._closed.set()
        self._woken.set()

    def _run(self) -> None:
        while not self._closed.wait(self._interval_s):
            self._woken.wait(self._rest_s)
            self._woken.clear()
            if self.is_open and not self._look():
                self.close()
