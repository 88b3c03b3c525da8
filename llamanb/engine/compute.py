"""The one compute thread of the process, shared by every engine.

OpenMP gives each calling thread its own team of spinning threads, so two
contexts run from two threads slow each other down; one thread takes them in
turn. If native code aborts on it, the engine at fault is dead and the others
move to a fresh thread.
"""

from __future__ import annotations

import atexit
import logging
import threading
from typing import Protocol

from llamanb.engine.worker import NativeWorker

__all__ = ["ComputeThread", "Steppable", "compute_thread"]

_logger = logging.getLogger("llamanb.engine")


class Steppable(Protocol):
    """What the compute thread needs of an engine."""

    def has_work(self) -> bool:
        """Tell whether a step would do something."""

    def step(self) -> None:
        """Do one bounded piece of work."""

    def fail(self, error: BaseException) -> None:
        """End every request in progress with ``error``; the engine stays usable."""

    def died(self, message: str) -> None:
        """Native code aborted during :meth:`step`: end everything, call it no more."""

    def moved(self, thread: ComputeThread) -> None:
        """Use ``thread`` from now on."""

    def interrupt(self) -> None:
        """Make a step in progress return soon."""


class ComputeThread(NativeWorker):
    """The worker that steps engines between commands."""

    def __init__(self) -> None:
        self._engines: list[Steppable] = []
        self._stepping: Steppable | None = None
        super().__init__("llamanb-compute")

    def add(self, engine: Steppable) -> None:
        """Start stepping ``engine`` whenever it has work."""
        self._engines = [*self._engines, engine]
        engine.moved(self)
        self.wake()

    def remove(self, engine: Steppable) -> None:
        """Stop stepping ``engine``."""
        self._engines = [other for other in self._engines if other is not engine]

    def _has_work(self) -> bool:
        return any(engine.has_work() for engine in self._engines)

    def _work(self) -> None:
        for engine in self._engines:
            if engine.has_work() and not self._closing:
                self._step(engine)

    def _step(self, engine: Steppable) -> None:
        self._stepping, self.in_native = engine, True
        try:
            engine.step()
        except Exception as error:
            _logger.exception("a step failed")
            engine.fail(error)
        finally:
            self._stepping, self.in_native = None, False

    def died(self, message: str) -> None:
        """Bury the engine at fault and give the others a fresh thread."""
        super().died(message)
        survivors = [engine for engine in self._engines if engine is not self._stepping]
        if self._stepping is not None:
            self._stepping.died(message)
        self._engines = []
        for engine in survivors:
            compute_thread().add(engine)

    def shut_down(self) -> None:
        """Interrupt what runs and stop; for the end of the process."""
        for engine in self._engines:
            engine.interrupt()
        self.close(timeout_s=1.0)


_lock = threading.RLock()
_thread: ComputeThread | None = None


def compute_thread() -> ComputeThread:
    """Give the live compute thread, starting one if there is none."""
    global _thread  # noqa: PLW0603  # one per process by design
    with _lock:
        if _thread is None or not _thread.usable:
            if _thread is None:
                atexit.register(_shut_down)
            _thread = ComputeThread()
        return _thread


def _shut_down() -> None:
    if _thread is not None and _thread.dead is None:
        _thread.shut_down()
