"""Follow a reply to its end: feed the transcript, redraw, and survive an interrupt."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Protocol

from llamanb.chat_layer.events import ToolCallEnd

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from llamanb.chat_layer.events import ChatEvent
    from llamanb.notebook.cell_output import Output
    from llamanb.notebook.transcript import Transcript

__all__ = ["HEARTBEAT_S", "EventSource", "follow", "follow_async", "forget_cancellation"]

# An interrupt of an idle await arrives only at the next loop event.
HEARTBEAT_S = 0.1
SETTLE_S = 2.0
SHORTEST_WAIT_S = 0.02


class EventSource(Protocol):
    """A reply on its way; one reader."""

    def __iter__(self) -> Iterator[ChatEvent]:
        """Give the events, waiting in this thread."""

    def __aiter__(self) -> AsyncIterator[ChatEvent]:
        """Give the events in an event loop."""

    def cancel(self) -> None:
        """Stop it soon."""


def follow(source: EventSource, transcript: Transcript, output: Output) -> None:
    """Follow in this thread; Ctrl-C stops the reply and is noted, not raised."""
    try:
        for event in source:
            transcript.add(event)
            # the tool runs before the next event comes
            output.draw(transcript, at_once=isinstance(event, ToolCallEnd))
    except KeyboardInterrupt:
        transcript.interrupted = True
        source.cancel()
    except BaseException:
        source.cancel()  # nobody would read on, and a traceback keeps the reply alive
        raise


async def follow_async(source: EventSource, transcript: Transcript, output: Output) -> None:
    """Follow without blocking the event loop; an interrupt is noted, not raised.

    One task takes the events in, this one redraws at the output's own pace.
    """
    intake = asyncio.ensure_future(_take_in(source, transcript))
    try:
        while not intake.done():
            pause = min(HEARTBEAT_S, max(SHORTEST_WAIT_S, output.remaining_s))
            await asyncio.wait({intake}, timeout=pause)
            output.draw(transcript)
    except (asyncio.CancelledError, KeyboardInterrupt):
        transcript.interrupted = True
        forget_cancellation()
        source.cancel()
        await _settle(intake)
    except Exception:
        source.cancel()
        await _settle(intake)
        raise
    if intake.done() and not intake.cancelled():
        intake.result()


async def _take_in(source: EventSource, transcript: Transcript) -> None:
    async for event in source:
        transcript.add(event)


async def _settle(intake: asyncio.Future[None]) -> None:
    """Give the cancelled reply a moment to say how it ended; impatient interrupts add nothing."""
    deadline_s = time.monotonic() + SETTLE_S
    while not intake.done() and (left_s := deadline_s - time.monotonic()) > 0:
        with contextlib.suppress(asyncio.CancelledError, KeyboardInterrupt):
            await asyncio.wait({intake}, timeout=left_s)
        forget_cancellation()
    if not intake.done():
        intake.cancel()
        with contextlib.suppress(asyncio.CancelledError, KeyboardInterrupt):
            await asyncio.wait({intake}, timeout=HEARTBEAT_S)
        forget_cancellation()


def forget_cancellation() -> None:
    """Go on as if this task had not been cancelled: the interrupt was answered."""
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()
