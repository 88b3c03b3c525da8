"""Runs a tool: in a thread of its own or on the event loop, with a time limit."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from llamanb.conversation.tools.failures import failure_text
from llamanb.conversation.tools.outcome import PlainFailureError, ToolOutcome
from llamanb.conversation.tools.stdout import CaughtText, caught_stdout
from llamanb.conversation.tools.threads import SLICE_S, STOPPED, in_thread, wait_a_slice

if TYPE_CHECKING:
    import threading
    from collections.abc import Awaitable, Callable

__all__ = ["await_in_thread", "run_here", "run_in_thread", "settled", "settled_here"]


def run_in_thread(
    work: Callable[[], str], timeout_s: float | None, stop: threading.Event | None = None
) -> ToolOutcome:
    """Carry out ``work`` in a thread and wait for it, in short slices.

    A thread cannot be stopped: after a timeout, an interrupt or ``stop`` it goes on
    unheard, as a daemon.
    """
    started, caught = time.perf_counter(), CaughtText()
    future = in_thread(partial(_carried_out, work, caught))
    while not future.done():
        left_s = SLICE_S if timeout_s is None else started + timeout_s - time.perf_counter()
        if left_s <= 0:
            return _late(timeout_s, caught)
        if stop is not None and stop.is_set():
            return _outcome(STOPPED, caught, started, is_error=True)
        wait_a_slice(future, left_s)
    return future.result()


async def await_in_thread(work: Callable[[], str], timeout_s: float | None) -> ToolOutcome:
    """Carry out ``work`` in a thread without blocking the event loop; as ``run_in_thread``."""
    caught = CaughtText()
    future = asyncio.wrap_future(in_thread(partial(_carried_out, work, caught)))
    done, _ = await asyncio.wait([future], timeout=timeout_s)
    return future.result() if done else _late(timeout_s, caught)


async def run_here(work: Callable[[], Awaitable[str]], timeout_s: float | None) -> ToolOutcome:
    """Carry out ``work`` on the running event loop; cancelled when time is up."""
    started, caught = time.perf_counter(), CaughtText()
    is_error = True
    with caught_stdout(caught):
        try:
            async with asyncio.timeout(timeout_s) as limit:
                text = await work()
            is_error = False
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a tool may raise anything
            text = _late_text(timeout_s) if limit.expired() else failure_text(error)
    return _outcome(text, caught, started, is_error=is_error)


def settled(value: Any, timeout_s: float | None) -> Any:
    """Give the value of whatever a tool returned: awaitables awaited, generators read."""
    if inspect.isgenerator(value):
        return list(value)
    if inspect.isawaitable(value) or inspect.isasyncgen(value):
        return asyncio.run(_settled_in_time(value, timeout_s))
    return value


async def settled_here(value: Any) -> Any:
    """Do the same on the running event loop."""
    if inspect.isasyncgen(value):
        return [one async for one in value]
    if inspect.isawaitable(value):
        return await value
    return list(value) if inspect.isgenerator(value) else value


async def _settled_in_time(value: Any, timeout_s: float | None) -> Any:
    try:
        async with asyncio.timeout(timeout_s) as limit:
            return await settled_here(value)
    except TimeoutError as error:
        if limit.expired():
            raise PlainFailureError(_late_text(timeout_s)) from error
        raise


def _carried_out(work: Callable[[], str], caught: CaughtText) -> ToolOutcome:
    started = time.perf_counter()
    is_error = True
    with caught_stdout(caught):
        try:
            text = work()
            is_error = False
        except BaseException as error:  # noqa: BLE001  # a tool may raise anything, SystemExit too
            text = failure_text(error)
    return _outcome(text, caught, started, is_error=is_error)


def _late(timeout_s: float | None, caught: CaughtText) -> ToolOutcome:
    text = _late_text(timeout_s)
    return ToolOutcome(content=text, is_error=True, stdout=caught.text, seconds=timeout_s or 0.0)


def _late_text(timeout_s: float | None) -> str:
    return f"TimeoutError: the tool took longer than {timeout_s:g} s"


def _outcome(text: str, caught: CaughtText, started: float, *, is_error: bool) -> ToolOutcome:
    seconds = time.perf_counter() - started
    return ToolOutcome(content=text, is_error=is_error, stdout=caught.text, seconds=seconds)
