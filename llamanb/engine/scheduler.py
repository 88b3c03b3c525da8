"""Continuous batching: every step moves every running request forward.

:meth:`Scheduler.step` tells the story. Everything here runs on the compute
thread, except :meth:`Scheduler.enqueue` and the properties that only look.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from llamanb.engine.answer import has_ended, score, take_token
from llamanb.engine.context import DECODE_ABORTED, DECODE_NO_ROOM, DECODE_OK, NativeContext
from llamanb.engine.delivery import Deliveries
from llamanb.engine.logprobs import token_logprob
from llamanb.engine.pace import Pace
from llamanb.engine.sampling import Sampler
from llamanb.engine.sequences import Run, SequenceSlot, is_worth_waiting, place
from llamanb.engine.values import Piece, TokenLogprob
from llamanb.errors import EngineError, NumericalError, QueueFullError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from llamanb.engine.weights import LoadedModel

__all__ = ["MAX_WAITING", "Scheduler"]

_logger = logging.getLogger("llamanb.engine")
MAX_WAITING = 4096


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Some tokens of one sequence in the batch; ``row`` has logits if they are its last.

    That of a given token which is to be scored has logits, too.
    """

    slot: SequenceSlot
    run: Run
    n_tokens: int
    row: int | None


class Scheduler:
    """The sequences of one context and the requests on them."""

    def __init__(
        self, loaded: LoadedModel, context: NativeContext, n_seq_max: int, *, unified: bool
    ) -> None:
        self._loaded, self._context, self._unified = loaded, context, unified
        self._vocabulary = loaded.vocabulary
        self._slots = [SequenceSlot(id=i) for i in range(n_seq_max)]
        self._waiting: deque[Run] = deque()
        self._lock = threading.Lock()
        self._turn = 0
        self.pace = Pace(interruptible=context.can_be_interrupted)
        self.deliveries = Deliveries()
        self.decoding: tuple[Run, ...] = ()
        self.n_decodes = self.n_parts = self.most_used = 0

    # ---- looked at from any thread ---------------------------------------------------

    @property
    def n_running(self) -> int:
        """Requests that hold a sequence."""
        return sum(slot.run is not None for slot in self._slots)

    @property
    def n_waiting(self) -> int:
        """Requests that wait for one."""
        return len(self._waiting)

    @property
    def used(self) -> tuple[int, ...]:
        """Tokens resident in each sequence."""
        return tuple(len(slot.tokens) for slot in self._slots)

    @property
    def answering(self) -> tuple[bool, ...]:
        """Which sequences a request holds."""
        return tuple(slot.run is not None for slot in self._slots)

    def enqueue(self, run: Run) -> None:
        """Let a request wait for its turn, first come first served.

        Raises
        ------
        QueueFullError
            If too many wait.
        """
        with self._lock:
            if len(self._waiting) >= MAX_WAITING:
                raise QueueFullError(f"{MAX_WAITING} requests wait already; try again later")
            self._waiting.append(run)

    def withdraw(self, run: Run) -> bool:
        """Take a waiting request back; False if it is not waiting any more."""
        with self._lock:
            if not any(other is run for other in self._waiting):
                return False
            self._waiting.remove(run)
            return True

    # ---- one step -----------------------------------------------------------------------

    def step(self) -> None:
        """Move every request forward by one decode."""
        self._drop_cancelled()
        self._admit()
        chunks = self._fill_batch()
        if chunks:
            self._decode(chunks)
        self.deliveries.flush()

    def end_all(self, reason: str, error: BaseException | None = None) -> None:
        """End every request; sequences keep what they hold."""
        for slot in self._slots:
            self._finish(slot, reason, error)
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
        for run in waiting:
            self.deliveries.end(run, reason, error)
        self.deliveries.flush()

    def abandon(self, error: BaseException) -> None:
        """End every request without touching native memory (it is in an unknown state)."""
        for run in (slot.run for slot in self._slots):
            if run is not None:
                run.sampler = None
        self.end_all("error", error)

    def _drop_cancelled(self) -> None:
        for slot in self._slots:
            if slot.run is not None and slot.run.generation.cancelled:
                self._finish(slot, "cancelled")
        with self._lock:
            dropped = [run for run in self._waiting if run.generation.cancelled]
            for run in dropped:
                self._waiting.remove(run)
        for run in dropped:
            self.deliveries.end(run, "cancelled")

    # ---- admission ------------------------------------------------------------------------

    def _admit(self) -> None:
        may_copy = not self._loaded.info.is_recurrent
        n_ctx = 0 if self._unified else self._context.n_ctx
        while (run := self._first_waiting()) is not None:
            if run.was_given_whole:
                self.withdraw(run)
                self.deliveries.end(run, "stop")
                continue
            if may_copy and is_worth_waiting(run, self._slots, n_ctx=n_ctx):
                return
            placement = place(run, self._slots, may_copy=may_copy, n_ctx=n_ctx)
            if placement is None or not self._fits(run):
                return
            if placement.source is not None:
                self._context.copy(placement.source.id, placement.slot.id)
                placement.slot.tokens = list(placement.source.tokens)
            # It is counted twice for a moment rather than not at all.
            self._start(run, placement.slot, placement.n_reused)
            self.withdraw(run)

    def _first_waiting(self) -> Run | None:
        with self._lock:
            return self._waiting[0] if self._waiting else None

    def _fits(self, run: Run) -> bool:
        """Whether shared memory has room for this request; partitions always have."""
        if not self._unified or not self.n_running:
            return True
        promised = sum(len(slot.run.tokens) for slot in self._slots if slot.run is not None)
        return promised + len(run.tokens) < self._context.n_ctx

    def _start(self, run: Run, slot: SequenceSlot, n_reused: int) -> None:
        if not self._truncate(slot, n_reused):
            n_reused = 0
        if run.admitted is None:
            run.n_cached, run.admitted = n_reused, time.monotonic()
        slot.run, slot.affinity = run, run.affinity

    def _truncate(self, slot: SequenceSlot, length: int) -> bool:
        """Cut a sequence; memory that cannot be cut (recurrent) is cleared instead."""
        if length == len(slot.tokens):
            return True
        if length > 0 and self._context.truncate(slot.id, length):
            del slot.tokens[length:]
            return True
        self._clear(slot)
        return length == 0

    def _clear(self, slot: SequenceSlot) -> None:
        self._context.forget(slot.id)
        slot.tokens.clear()

    # ---- the batch ------------------------------------------------------------------------

    def _fill_batch(self) -> list[_Chunk]:
        """Put running streams first, then prompts within the budget, in turns."""
        self._context.batch.clear()
        active = [(slot, slot.run) for slot in self._slots if slot.run is not None]
        streams = [(slot, run) for slot, run in active if slot.n_left == 1]
        prompts = [(slot, run) for slot, run in active if slot.n_left > 1]
        chunks = [self._add_rows(slot, run, 1) for slot, run in streams]
        budget = self.pace.budget(len(streams), self._context.batch.room)
        self._turn += 1
        for position in range(len(prompts)):
            slot, run = prompts[(position + self._turn) % len(prompts)]
            taken = min(slot.n_left, max(1, budget // (len(prompts) - position)), budget)
            taken = run.share(len(slot.tokens), taken)
            if taken:
                chunks.append(self._add_rows(slot, run, taken))
                budget -= taken
        return chunks

    def _add_rows(self, slot: SequenceSlot, run: Run, count: int) -> _Chunk:
        start = len(slot.tokens)
        tokens = run.tokens[start : start + count]
        is_scored = run.n_unscored > 0 and start == run.n_reusable
        logits = "last" if count == slot.n_left or is_scored else "none"
        row = self._context.batch.add(tokens, start, slot.id, logits)
        return _Chunk(slot, run, count, row)

    def _decode(self, chunks: list[_Chunk]) -> None:
        self.decoding = tuple(chunk.run for chunk in chunks)
        if all(run.generation.cancelled for run in self.decoding):
            self.decoding = ()
            return
        started = time.perf_counter()
        code = self._context.decode()
        self.decoding = ()
        match code:
            case _ if code == DECODE_OK:
                self._commit(chunks)
                self._learn(chunks, time.perf_counter() - started)
            case _ if code == DECODE_NO_ROOM:
                self._make_room()
            case _ if code == DECODE_ABORTED:
                self._resync(chunks)
            case _:
                self._fail_chunks(chunks, code)

    def _commit(self, chunks: list[_Chunk]) -> None:
        for chunk in chunks:
            tokens = chunk.slot.tokens
            tokens.extend(chunk.run.tokens[len(tokens) : len(tokens) + chunk.n_tokens])
        for chunk in chunks:
            if chunk.row is not None:
                self._sample(chunk.slot, chunk.run, chunk.row)

    def _learn(self, chunks: list[_Chunk], seconds: float) -> None:
        n_streams = sum(chunk.n_tokens == 1 for chunk in chunks)
        n_prompt = sum(chunk.n_tokens for chunk in chunks) - n_streams
        self.pace.learn(n_prompt, n_streams, seconds)
        self.n_decodes += 1
        self.n_parts += len(chunks)
        self.most_used = max(self.most_used, *(len(chunk.slot.tokens) for chunk in chunks))

    # ---- sampling ---------------------------------------------------------------------------

    def _sample(self, slot: SequenceSlot, run: Run, row: int) -> None:
        now = time.monotonic()
        run.first_token = run.first_token or now
        if run.generation.cancelled:
            return
        if run.n_generated >= run.n_limit and not run.n_unscored:
            self._finish(slot, "length")
            return
        try:
            if run.n_unscored:
                self.deliveries.add(run, score(run, self._logits(row), self._vocabulary))
                return
            token, logprobs = self._choose(run, row)
            self._take(slot, run, token, logprobs)
        except EngineError as error:
            self._finish(slot, "error", error)
        except Exception as error:
            _logger.exception("choosing a token failed")  # costs this request only
            self._finish(slot, "error", error)

    def _choose(self, run: Run, row: int) -> tuple[int, tuple[TokenLogprob, ...]]:
        logits = self._logits(row)
        if run.n_generated == 0 and not np.isfinite(logits).all():
            raise NumericalError(
                "the model computed logits that are not finite numbers; its file is damaged"
            )
        wanted = run.generation.request.sampling.logprobs
        if wanted is None:
            return self._choose_from(run, row, logits), ()
        constraint = run.constraint if run.watch is None else None
        before, allowed = logits.copy(), constraint.allowed() if constraint else None
        token = self._choose_from(run, row, logits)
        return token, (token_logprob(before, token, self._vocabulary, wanted, allowed),)

    def _logits(self, row: int) -> NDArray[np.float32]:
        logits = self._context.logits(row)
        if logits is None:
            raise EngineError(f"llama.cpp computed no logits for row {row}")
        return logits

    def _choose_from(self, run: Run, row: int, logits: NDArray[np.float32]) -> int:
        sampler = self._sampler_of(run)
        sampler.apply_bias(logits)
        if run.generation.request.sampling.ignore_eos:
            logits[list(self._vocabulary.eog)] = -np.inf
        if run.constraint is None or run.watch is not None:
            return sampler.sample(self._context, row, logits)
        return run.constraint.choose(
            logits,
            lambda: sampler.sample(self._context, row, logits),
            may_retry=not run.generation.request.sampling.penalises,
        )

    def _sampler_of(self, run: Run) -> Sampler:
        if run.sampler is None:
            sampling, n_vocab = run.generation.request.sampling, self._vocabulary.n_tokens
            n_ctx = self._context.n_ctx
            run.sampler = Sampler(
                self._loaded.native, sampling, run.seed, n_vocab, run.tokens, n_ctx=n_ctx
            )
        return run.sampler

    def _take(
        self, slot: SequenceSlot, run: Run, token: int, logprobs: tuple[TokenLogprob, ...]
    ) -> None:
        if token in self._vocabulary.eog:
            run.n_ended += 1
            self._finish(slot, "stop")
            return
        run.tokens.append(token)
        text = take_token(run, token, self._vocabulary)
        self.deliveries.add(run, Piece(text=text, tokens=(token,), logprobs=logprobs))
        if run.stitcher.stop_string is not None:
            self._finish(slot, "stop")
        elif run.n_generated >= run.n_limit:
            self._finish(slot, "length")
        elif has_ended(run):
            self._finish(slot, "stop")

    def _finish(self, slot: SequenceSlot, reason: str, error: BaseException | None = None) -> None:
        run, slot.run = slot.run, None
        if run is not None:
            slot.last_used = time.monotonic()
            self.deliveries.end(run, reason, error)

    # ---- when a decode did not go well --------------------------------------------------------

    def _make_room(self) -> None:
        """Forget idle prefixes first; else let the youngest request wait again."""
        idle = [slot for slot in self._slots if slot.is_free and slot.tokens]
        if idle:
            self._clear(min(idle, key=lambda slot: slot.last_used))
            return
        running = [(slot, slot.run) for slot in self._slots if slot.run is not None]
        slot, run = max(running, key=lambda pair: pair[1].submitted)
        self._clear(slot)
        if len(running) == 1:
            full = EngineError("the context is full: no room for one more token")
            self._finish(slot, "error", full)
            return
        with self._lock:
            self._waiting.appendleft(run)
        slot.run = None

    def _resync(self, chunks: list[_Chunk]) -> None:
        """After an interrupted decode, believe what memory says it holds."""
        for chunk in chunks:
            slot = chunk.slot
            if self._loaded.info.is_recurrent:
                self._clear(slot)
            else:
                slot.tokens = chunk.run.tokens[: self._context.resident(slot.id)]
                if chunk.run.n_unscored:
                    self._truncate(slot, min(len(slot.tokens), chunk.run.n_reusable))

    def resync(self) -> None:
        """After a step that failed half-way, forget what memory and lists disagree on."""
        for slot in self._slots:
            if self._context.resident(slot.id) != len(slot.tokens):
                self._clear(slot)

    def _fail_chunks(self, chunks: list[_Chunk], code: int) -> None:
        for chunk in chunks:
            self._finish(chunk.slot, "error", EngineError(f"llama_decode failed with code {code}"))
            self._clear(chunk.slot)
