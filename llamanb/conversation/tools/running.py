"""Runs a tool: in a thread of its own or on the event loop, with a time limit."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from llamanb.conversation.tools.failures import failure_text
from llamanb.conversation.tools.outcome import PlainFailureError, ToolOutcome
from llamanb.conversation.tools.stdout import CaughtText, caught_stdout

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["THREAD_NAME", "await_in_thread", "run_here", "run_in_thread", "settled", "settled_here"]

THREAD_NAME = "llamanb-tools"
_SLICE_S = 0.05  # a waiting main thread looks for an interrupt this often


def run_in_thread(work: Callable[[], str], timeout_s: float | None) -> ToolOutcome:
    """Carry out ``work`` in a thread and wait for it, in short slices.

    A thread cannot be stopped: after a timeout or an interrupt it goes on unheard,
    as a daemon.
    """
    started, caught = time.perf_counter(), CaughtText()
    future = _start(work, caught)
    while not future.done():
        left_s = _SLICE_S if timeout_s is None else started + timeout_s - time.perf_counter()
        if left_s <= 0:
            return _late(timeout_s, caught)
        _wait(future, min(left_s, _SLICE_S))
    return future.result()


async def await_in_thread(work: Callable[[], str], timeout_s: float | None) -> ToolOutcome:
    """Carry out ``work`` in a thread without blocking the event loop; as ``run_in_thread``."""
    caught = CaughtText()
    future = asyncio.wrap_future(_start(work, caught))
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


def _start(work: Callable[[], str], caught: CaughtText) -> Future[ToolOutcome]:
    future: Future[ToolOutcome] = Future()
    future.set_running_or_notify_cancel()  # from here on nobody can cancel it

    def run() -> None:
        future.set_result(_carried_out(work, caught))

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(run,), name=THREAD_NAME, daemon=True).start()
    return future


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


def _wait(future: Future[ToolOutcome], seconds: float) -> None:
    try:
        future.result(seconds)
    except TimeoutError:
        return


def _late(timeout_s: float | None, caught: CaughtText) -> ToolOutcome:
    text = _late_text(timeout_s)
    return ToolOutcome(content=text, is_error=True, stdout=caught.text, seconds=timeout_s or 0.0)


def _late_text(timeout_s: float | None) -> str:
    return f"TimeoutError: the tool took longer than {timeout_s:g} s"


def _outcome(text: str, caught: CaughtText, started: float, *, is_error: bool) -> ToolOutcome:
    seconds = time.perf_counter() - started
    return ToolOutcome(content=text, is_error=is_error, stdout=caught.text, seconds=seconds)
