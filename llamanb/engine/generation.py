"""What a client holds of one request: iterate, await, subscribe, cancel.

The compute thread delivers; clients on any thread or event loop receive. The two
sides meet in one lock-protected list, and the compute thread never waits.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import cast

from llamanb import errors
from llamanb.engine.native import check_process, is_forked_child
from llamanb.engine.values import EngineRequest, FinalRecord, Piece, TokenLogprob
from llamanb.engine.worker import WAIT_SLICE_S, NativeWorker

__all__ = ["Generation"]

Consumer = Callable[[Piece | FinalRecord], None]


class _Subscription:
    """One callback and how far it has been told; told in order, by one thread at a time."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._position = 0
        self._telling = threading.Lock()

    def pump(self, generation: Generation) -> None:
        """Tell it what is new; if another thread is telling, that one goes on."""
        while self._telling.acquire(blocking=False):
            try:
                values = generation.values_from(self._position)
                self._position += len(values)
                self._tell(values, generation)
            finally:
                self._telling.release()
            if not generation.values_from(self._position):
                return

    def _tell(self, values: list[Piece | FinalRecord], generation: Generation) -> None:
        for value in values:
            try:
                self._consumer(value)
            except BaseException as error:
                generation.cancel()  # a bad consumer ends its own request only
                if not isinstance(error, Exception) and NativeWorker.current() is None:
                    raise  # an interrupt in the thread that subscribes


class Generation:
    """One request in progress. Stages: waiting → running → done (``record`` is set).

    Iterating gives :class:`Piece` values, in a thread with ``for`` or in an event
    loop with ``async for``; leaving the loop early cancels the request. Several
    readers each see everything from the start.
    """

    def __init__(self, request: EngineRequest, on_cancel: Callable[[], None]) -> None:
        self.request = request
        self._on_cancel = on_cancel
        self._changed = threading.Condition()
        self._finished = threading.Event()
        self._pieces: list[Piece] = []
        self._n_tokens = 0
        self._record: FinalRecord | None = None
        self._loops: deque[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = deque()
        self._subscriptions: list[_Subscription] = []
        self._taken = 0
        self._read = False
        self.cancelled = False

    # ---- what there is so far -----------------------------------------------------

    @property
    def record(self) -> FinalRecord | None:
        """How it ended; None while it goes on."""
        return self._record

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._record is not None

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(piece.text for piece in list(self._pieces))

    @property
    def n_tokens(self) -> int:
        """How many tokens were generated so far; costs nothing, however long the text."""
        return self._n_tokens

    @property
    def tokens(self) -> tuple[int, ...]:
        """The generated token ids so far."""
        return tuple(token for piece in list(self._pieces) for token in piece.tokens)

    @property
    def logprobs(self) -> tuple[TokenLogprob, ...]:
        """Log-probabilities so far, if they were asked for."""
        return tuple(entry for piece in list(self._pieces) for entry in piece.logprobs)

    # ---- receiving ------------------------------------------------------------------

    def __iter__(self) -> Iterator[Piece]:
        """Give the pieces as they come.

        Raises
        ------
        LlamanbError
            The error that ended the generation, after the last piece.
        """
        position = 0
        try:
            while True:
                pieces, over = self._next_pieces(position)
                position += len(pieces)
                yield from pieces
                if over:
                    break
        finally:
            self.cancel()
        self.raise_for_error()

    async def __aiter__(self) -> AsyncIterator[Piece]:
        """Give the pieces as they come, without blocking the event loop.

        Raises
        ------
        LlamanbError
            The error that ended the generation, after the last piece.
        """
        position = 0
        entry = (asyncio.get_running_loop(), asyncio.Event())
        self._loops.append(entry)
        try:
            while True:
                entry[1].clear()
                pieces, over = self._pieces_from(position)
                position += len(pieces)
                for piece in pieces:
                    yield piece
                if over:
                    break
                if not pieces:
                    await entry[1].wait()
        finally:
            self._loops.remove(entry)
            self.cancel()
        self.raise_for_error()

    def subscribe(self, consumer: Consumer, *, reads: bool = True) -> None:
        """Call ``consumer`` with every piece and finally the record.

        It is called on the compute thread (or now, for what there is already) and
        must return at once; if it raises, this request alone is cancelled. One that
        only watches (``reads=False``) does not count as somebody who reads the pieces.
        """
        subscription = _Subscription(consumer)
        with self._changed:
            self._subscriptions.append(subscription)
            self._read |= reads
        subscription.pump(self)

    def wait(self, timeout_s: float | None = None) -> FinalRecord:
        """Wait for the end and give the record.

        Raises
        ------
        TimeoutError
            After ``timeout_s`` seconds; the generation goes on.
        """
        _refuse_to_wait(self._finished.is_set())
        self._read = True
        left = math.inf if timeout_s is None else timeout_s
        # An event of its own: waking this thread for every piece would cost a GIL switch each.
        while not self._finished.wait(max(0.0, min(left, WAIT_SLICE_S))):
            check_process()
            left -= WAIT_SLICE_S
            if left <= 0:
                raise TimeoutError(f"the generation did not end within {timeout_s:g} s")
        return cast("FinalRecord", self._record)

    def cancel(self) -> None:
        """Stop it soon; the text so far is kept. Harmless when repeated or done."""
        if not self.cancelled and self._record is None:
            self.cancelled = True
            if not is_forked_child():
                self._on_cancel()

    def raise_for_error(self) -> None:
        """Raise the error that ended the generation, if one did."""
        record = self._record
        if record is not None and record.finish_reason == "error":
            kind = getattr(errors, record.error_type or "", errors.EngineError)
            raise kind(record.error or "the generation failed")

    # ---- for the engine, on the compute thread --------------------------------------

    def deliver(self, value: Piece | FinalRecord) -> None:
        """Hand over one value; cancels instead of piling up more than allowed."""
        with self._changed:
            if self._record is not None:
                return
            if isinstance(value, Piece):
                self._pieces.append(value)
                self._n_tokens += len(value.tokens)
            else:
                self._record = value
            subscriptions = list(self._subscriptions)
            self._changed.notify_all()
        if self._record is not None:
            self._finished.set()
        for subscription in subscriptions:
            subscription.pump(self)
        if len(self._pieces) - self._taken > self.request.max_pending and not self._read:
            self.cancel()

    def values_from(self, position: int) -> list[Piece | FinalRecord]:
        """Give everything from a position on: the pieces, then the record."""
        with self._changed:
            values: list[Piece | FinalRecord] = [*self._pieces[position:]]
            if self._record is not None and position <= len(self._pieces):
                values.append(self._record)
            return values

    def loops_to_wake(self) -> list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]:
        """Give the event loops that wait for news."""
        return list(self._loops)

    def _next_pieces(self, position: int) -> tuple[list[Piece], bool]:
        _refuse_to_wait(self._record is not None or len(self._pieces) > position)
        with self._changed:
            while self._record is None and len(self._pieces) == position:
                self._changed.wait(WAIT_SLICE_S)
                check_process()
        return self._pieces_from(position)

    def _pieces_from(self, position: int) -> tuple[list[Piece], bool]:
        with self._changed:
            self._taken = max(self._taken, position)
            return self._pieces[position:], self._record is not None


def _refuse_to_wait(there: bool) -> None:  # noqa: FBT001  # private, one meaning
    check_process()
    if not there and NativeWorker.current() is not None:
        raise errors.EngineError(
            "a callback cannot wait for a generation: it runs on the thread that computes it"
        )
