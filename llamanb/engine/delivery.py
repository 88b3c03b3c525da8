"""From the compute thread to the clients: pieces now, event loops once a step."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal, cast

from llamanb.engine.values import FinalRecord, FinishReason, Piece, Timings, Usage
from llamanb.errors import EngineError, LlamanbError

if TYPE_CHECKING:
    import asyncio

    from llamanb.engine.generation import Generation
    from llamanb.engine.sequences import Run

__all__ = ["Deliveries"]


class Deliveries:
    """Collects whom to wake during a step; ``flush`` wakes each event loop once."""

    def __init__(self) -> None:
        self._touched: list[Generation] = []

    def add(self, run: Run, piece: Piece) -> None:
        """Hand over a piece."""
        run.generation.deliver(piece)
        self._touched.append(run.generation)

    def end(self, run: Run, reason: str, error: BaseException | None = None) -> None:
        """Hand over what is still held, then the record; free the sampler."""
        if run.sampler is not None:
            run.sampler.free()
        tail = run.stitcher.finish()
        if tail:
            self.add(run, Piece(text=tail))
        run.generation.deliver(_record(run, cast("FinishReason", reason), error))
        self._touched.append(run.generation)

    def flush(self) -> None:
        """Wake every event loop that waits for one of the generations touched."""
        touched, self._touched = self._touched, []
        by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Event]] = {}
        owners: dict[asyncio.AbstractEventLoop, list[Generation]] = {}
        for generation in touched:
            for loop, event in generation.loops_to_wake():
                by_loop.setdefault(loop, []).append(event)
                owners.setdefault(loop, []).append(generation)
        for loop, events in by_loop.items():
            try:
                loop.call_soon_threadsafe(_set_all, events)
            except RuntimeError:  # the loop is closed: nobody will ever read on
                for generation in owners[loop]:
                    generation.cancel()


def _set_all(events: list[asyncio.Event]) -> None:
    for event in events:
        event.set()


def _record(run: Run, reason: FinishReason, error: BaseException | None) -> FinalRecord:
    kind: Literal["EngineError"] | str | None = None
    if error is not None:
        known = isinstance(error, LlamanbError)
        kind = type(error).__name__ if known else EngineError.__name__
    return FinalRecord(
        finish_reason=reason,
        usage=Usage(
            prompt_tokens=run.n_prompt,
            completion_tokens=run.n_generated + run.n_ended,
            cached_tokens=run.n_cached or 0,
        ),
        timings=_timings(run),
        seed=run.seed,
        stop_string=run.stitcher.stop_string,
        error=None if error is None else str(error) or type(error).__name__,
        error_type=kind,
    )


def _timings(run: Run) -> Timings:
    now = time.monotonic()
    admitted = run.admitted or now
    first = run.first_token or now
    return Timings(
        queued_s=admitted - run.submitted,
        prompt_s=first - admitted,
        generation_s=now - first,
        completion_tokens=run.n_generated + run.n_ended,
    )
