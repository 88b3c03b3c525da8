"""A thread that owns native calls, and survives being parked by an abort.

Stages of a worker: started → running commands → closed, or dead once native
code aborted on it. A dead worker's thread never returns; everything that waits
for it is told, with the native message.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from llamanb.engine.native import check_process
from llamanb.errors import EngineDead, ModelClosedError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["WAIT_SLICE_S", "Call", "NativeWorker"]

# A waiting main thread looks up this often, so that an interrupt is served.
WAIT_SLICE_S = 0.05
T = TypeVar("T")
_stack_size_lock = threading.Lock()


class Call(Generic[T]):
    """One command on its way to the worker, and its outcome."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._finished = threading.Event()
        self._value: T | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Do it, on the worker's thread."""
        try:
            self._value = self._function()
        except BaseException as error:  # noqa: BLE001  # re-raised in the caller's thread
            self._error = error
        self._finished.set()

    def fail(self, error: BaseException) -> None:
        """Give it up with an error."""
        self._error = error
        self._finished.set()

    def wait(self, timeout_s: float | None) -> bool:
        """Wait at most so long; tells whether it is done."""
        return self._finished.wait(timeout_s)

    def outcome(self) -> T:
        """Give its result, or raise its error."""
        if self._error is not None:
            raise self._error
        return cast("T", self._value)


class NativeWorker:
    """A daemon thread that runs commands in the order they came."""

    _workers: ClassVar[dict[int, NativeWorker]] = {}
    # Whether native code may work on further threads for it (OpenMP's).
    _has_helpers: ClassVar[bool] = False

    def __init__(self, name: str, *, stack_bytes: int = 0) -> None:
        check_process()
        self._wakeup = threading.Condition()
        self._commands: deque[Call[Any]] = deque()
        self._current: Call[Any] | None = None
        self._closing = False
        self.dead: str | None = None
        self.in_native = False
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        _start(self._thread, stack_bytes)

    # ---- for every other thread ------------------------------------------------

    @property
    def is_current(self) -> bool:
        """Whether the caller runs on this worker's thread."""
        return threading.get_ident() == self._thread.ident

    @property
    def usable(self) -> bool:
        """Whether commands are still taken."""
        return self.dead is None and not self._closing

    def submit(self, function: Callable[[], T]) -> Call[T]:
        """Queue a command and return at once.

        Raises
        ------
        EngineDead, ModelClosedError, ForkedProcessError
            The worker takes no commands any more.
        """
        check_process()
        call = Call(function)
        with self._wakeup:
            self._refuse_if_over()
            self._commands.append(call)
            self._wakeup.notify()
        return call

    def call(self, function: Callable[[], T], timeout_s: float | None = None) -> T:
        """Run ``function`` on the worker and give its result; exceptions pass through.

        Raises
        ------
        TimeoutError
            After ``timeout_s`` seconds; the command still runs in its turn.
        EngineDead, ModelClosedError, ForkedProcessError
            See :meth:`submit`.
        """
        if self.is_current:
            return function()
        return self.wait_for(self.submit(function), timeout_s)

    def wait_for(self, call: Call[T], timeout_s: float | None = None) -> T:
        """Wait for a submitted command in slices and give its result; see :meth:`call`."""
        waited = 0.0
        while not call.wait(WAIT_SLICE_S):
            waited += WAIT_SLICE_S
            if timeout_s is not None and waited >= timeout_s:
                raise TimeoutError(f"{self._thread.name} did not answer within {timeout_s:g} s")
        return call.outcome()

    def wake(self) -> None:
        """Make the worker look for work."""
        with self._wakeup:
            self._wakeup.notify()

    def close(self, timeout_s: float = 5.0) -> bool:
        """Stop taking commands, finish those queued, and join; False if it did not end."""
        with self._wakeup:
            self._closing = True
            self._wakeup.notify()
        if self.dead is None and not self.is_current:
            self._thread.join(timeout_s)
        return self.dead is not None or not self._thread.is_alive()

    def _refuse_if_over(self) -> None:
        if self.dead is not None:
            raise EngineDead(f"native code aborted earlier: {self.dead}")
        if self._closing:
            raise ModelClosedError(f"{self._thread.name} was closed")

    # ---- on the worker's thread ------------------------------------------------

    def _main(self) -> None:
        NativeWorker._workers[threading.get_ident()] = self
        try:
            while self._wait_for_work():
                self._run_commands()
                self._work()
        except BaseException as error:
            # Nobody may wait for ever for a thread that is gone.
            self.died(f"{self._thread.name} stopped: {error!r}")
            raise
        finally:
            NativeWorker._workers.pop(threading.get_ident(), None)

    def _wait_for_work(self) -> bool:
        with self._wakeup:
            while not (self._commands or self._closing or self._has_work()):
                self._wakeup.wait()
            return bool(self._commands) or not self._closing

    def _run_commands(self) -> None:
        while self._commands:
            self._current = self._commands.popleft()
            self.in_native = True
            self._current.run()
            self.in_native = False
            self._current = None

    def _has_work(self) -> bool:
        """Tell whether :meth:`_work` has something to do."""
        return False

    def _work(self) -> None:
        """Do one bounded piece of the worker's own work, between commands."""

    @classmethod
    def current(cls) -> NativeWorker | None:
        """Give the worker whose thread this is, or None."""
        return cls._workers.get(threading.get_ident())

    # ---- when native code aborts ------------------------------------------------

    @classmethod
    def of_aborting_thread(cls) -> NativeWorker | None:
        """Find the worker whose native call is aborting on the calling thread.

        An assertion may fail on one of OpenMP's threads; then it is the worker
        that is inside native code now.
        """
        ident = threading.get_ident()
        own = cls.current()
        if own is not None or _is_python_thread(ident):
            return own
        # Several helpers of one computation may fail the same assertion: the
        # second finds its worker dead already, and is parked beside the first.
        inside = [w for w in list(cls._workers.values()) if w.in_native]
        return max(inside, key=lambda w: (w._has_helpers, w.dead is None), default=None)  # noqa: SLF001  # same class

    def died(self, message: str) -> None:
        """Note that native code aborted; tell everybody who waits."""
        with self._wakeup:
            if self.dead is not None:
                return
            self.dead = message
            pending = list(self._commands)
            self._commands.clear()
        error = EngineDead(f"native code aborted: {message}")
        if self._current is not None:
            self._current.fail(error)
        self._bury(message, pending)

    def _bury(self, _message: str, pending: list[Call[Any]]) -> None:
        """Settle what a dead worker leaves behind."""
        for call in pending:
            call.fail(EngineDead(f"native code aborted: {self.dead}"))


def _is_python_thread(ident: int) -> bool:
    """Tell whether Python started this thread (a callback's stand-in does not count)."""
    known = [thread for thread in threading.enumerate() if thread.ident == ident]
    return any(not isinstance(thread, threading._DummyThread) for thread in known)  # noqa: SLF001  # the only way to tell


def _start(thread: threading.Thread, stack_bytes: int) -> None:
    if not stack_bytes:
        thread.start()
        return
    with _stack_size_lock:
        before = threading.stack_size(stack_bytes)
        try:
            thread.start()
        finally:
            threading.stack_size(before)
