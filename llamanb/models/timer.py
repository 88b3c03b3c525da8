"""The one thread that evicts models whose time has run out."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ExpiryThread"]

LONGEST_WAIT_S = 60.0
SHORTEST_WAIT_S = 0.02
logger = logging.getLogger(__name__)


class ExpiryThread:
    """Calls ``expire`` when ``next_wait_s`` says so. Stages: idle → started → stopped.

    A daemon thread, started at the first ``wake()``; ``next_wait_s`` gives seconds, or
    None when nothing will expire.
    """

    def __init__(
        self, expire: Callable[[], object], next_wait_s: Callable[[], float | None]
    ) -> None:
        self._expire, self._next_wait_s = expire, next_wait_s
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_stopped = False

    def wake(self) -> None:
        """Look again at what expires when; starts the thread if need be."""
        with self._changed:
            if self._thread is None and not self._is_stopped and self._next_wait_s() is not None:
                self._thread = threading.Thread(
                    target=self._run, name="llamanb-models", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def stop(self) -> None:
        """End the thread; harmless when repeated."""
        with self._changed:
            self._is_stopped = True
            thread, self._thread = self._thread, None
            self._changed.notify()
        if thread is not None:
            thread.join(timeout=2)

    def _run(self) -> None:
        while not self._is_stopped:
            try:
                self._expire()
            except Exception:
                logger.exception("evicting idle models failed")
            with self._changed:
                wait_s = self._next_wait_s()
                wait_s = LONGEST_WAIT_S if wait_s is None else wait_s
                if not self._is_stopped:
                    self._changed.wait(min(LONGEST_WAIT_S, max(SHORTEST_WAIT_S, wait_s)))
