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
import time
from typing import TYPE_CHECKING, Any, Protocol

from llamanb.engine.native import check_process, is_forked_child
from llamanb.engine.worker import NativeWorker
from llamanb.errors import ModelClosedError

if TYPE_CHECKING:
    from llamanb.engine.worker import Call

__all__ = ["ComputeThread", "Steppable", "adopt", "compute_thread"]

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

    _has_helpers = True

    def __init__(self) -> None:
        self._engines: list[Steppable] = []
        self._stepping: Steppable | None = None
        super().__init__("llamanb-compute")

    def add(self, engine: Steppable) -> None:
        """Start stepping ``engine`` whenever it has work."""
        with self._wakeup:
            self._engines = [*self._engines, engine]
            engine.moved(self)
            self._wakeup.notify()

    def remove(self, engine: Steppable) -> None:
        """Stop stepping ``engine``."""
        with self._wakeup:
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
        except BaseException as error:  # even SystemExit: this thread serves everybody
            _logger.exception("a step failed")
            engine.fail(error)
        finally:
            self._stepping, self.in_native = None, False

    def _bury(self, message: str, pending: list[Call[Any]]) -> None:
        """Give the innocent engines and the waiting commands a fresh thread."""
        with _lock:
            survivors = [engine for engine in self._engines if engine is not self._stepping]
            self._engines = []
            if _shutting_down:
                super()._bury(message, pending)
            else:
                _move(survivors, pending)
        if self._stepping is not None:
            self._stepping.died(message)

    def take_over(self, commands: list[Call[Any]]) -> None:
        """Run commands that another thread did not come to."""
        with self._wakeup:
            self._commands.extend(commands)
            self._wakeup.notify()

    def finish(self, call: Call[None], timeout_s: float | None) -> None:
        """Wait for a clean-up; from a callback on this very thread it only is queued.

        Running it there at once would free what the step in progress goes on using.
        """
        if not self.is_current:
            self.wait_for(call, timeout_s)

    def shut_down(self, timeout_s: float = 1.0) -> None:
        """Interrupt what runs and stop; for the end of the process."""
        deadline = time.monotonic() + timeout_s
        # Again and again, since a step that begins takes an interrupt back.
        while not self.close(timeout_s=0.02) and time.monotonic() < deadline:
            for engine in self._engines:
                engine.interrupt()


_lock = threading.RLock()
_thread: ComputeThread | None = None
_shutting_down = False


def _move(engines: list[Steppable], commands: list[Call[Any]]) -> None:
    fresh = compute_thread()
    fresh.take_over(commands)
    for engine in engines:
        fresh.add(engine)


def adopt(engine: Steppable) -> None:
    """Have ``engine`` stepped by the live compute thread, whichever that is by now."""
    with _lock:
        compute_thread().add(engine)


def compute_thread() -> ComputeThread:
    """Give the live compute thread, starting one if there is none.

    Raises
    ------
    ModelClosedError, ForkedProcessError
        Python is ending, or this is a child made by ``os.fork``.
    """
    global _thread  # noqa: PLW0603  # one per process by design
    check_process()
    with _lock:
        if _shutting_down:
            raise ModelClosedError("Python is ending: no model can be used any more")
        if _thread is None or not _thread.usable:
            _thread = ComputeThread()
        return _thread


@atexit.register
def _shut_down() -> None:
    """Stop computing; registered before the weights' own, so it runs after it."""
    global _shutting_down  # noqa: PLW0603  # one per process by design
    if is_forked_child():
        return
    _shutting_down = True
    if _thread is not None and _thread.dead is None:
        _thread.shut_down()
