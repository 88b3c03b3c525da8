"""Carry a running turn to the page: what is new of it, together, at most 25 times a second.

A Jupyter server drops messages silently above 1,000 a second, and each costs the page a repaint.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.notebook.chat.live import LiveTurn
    from llamanb.notebook.chat.post import Post

__all__ = ["Feed"]

INTERVAL_S = 0.04
COST_SHARE = 4  # at most a quarter of the time goes into rendering …
MOST_PAUSE_S = 0.1  # … but one large block that is over does not hold up what follows
QUIET_S = 0.5


class Feed:
    """A thread between a turn and the page: made → ``wake`` at every event → ``close``.

    Parameters
    ----------
    stat : gives the figures that go along: phase, tokens, speed, context.
    """

    def __init__(
        self, post: Post, turn: str, live: LiveTurn, stat: Callable[[], dict[str, Any]]
    ) -> None:
        self._post, self._turn, self._live, self._stat = post, turn, live, stat
        self._shown: dict[str, Any] = {}
        self._woken, self._closed = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="llamanb-chat-feed", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Say that something has come."""
        self._woken.set()

    def close(self) -> None:
        """Send what is left, and nothing more."""
        self._closed.set()
        self._woken.set()
        self._thread.join()
        self._flush()

    def _run(self) -> None:
        pause_s = INTERVAL_S
        while not self._closed.wait(pause_s):
            self._woken.wait(QUIET_S)
            self._woken.clear()
            begun_s = time.perf_counter()
            if self._post.has_views and not self._closed.is_set():
                self._flush()
            cost_s = time.perf_counter() - begun_s
            pause_s = min(max(INTERVAL_S, COST_SHARE * cost_s), MOST_PAUSE_S)

    def _flush(self) -> None:
        with self._post.lock:
            ops, stat = self._live.take(), self._stat()
            if ops or stat != self._shown:
                self._shown = stat
                self._post.tell("delta", {"turn": self._turn, "ops": ops, "stat": stat})
