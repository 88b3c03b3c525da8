"""Runs a function beside the waiting thread or event loop, until it is done or stopped."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from llamanb.conversation.tools.outcome import PlainFailureError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = [
    "SLICE_S",
    "STOPPED",
    "THREAD_NAME",
    "await_unless",
    "in_thread",
    "wait_a_slice",
    "wait_unless",
]

T = TypeVar("T")

THREAD_NAME = "llamanb-tools"
SLICE_S = 0.05  # who waits looks for an interrupt, or for a stop, this often
STOPPED = "cancelled by the user"


def in_thread(work: Callable[[], T]) -> Future[T]:
    """Start ``work`` in a daemon thread that prints where this one prints."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # from here on nobody can cancel it

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  # whoever waits gets it
            future.set_exception(error)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(run,), name=THREAD_NAME, daemon=True).start()
    return future


def wait_unless(stop: threading.Event, future: Future[T]) -> T:
    """Wait for ``future`` in this thread.

    Raises
    ------
    PlainFailureError
        When ``stop`` is set first; the work goes on unheard.
    """
    while not future.done():
        _check(stop)
        wait_a_slice(future)
    return future.result()


async def await_unless(stop: threading.Event, work: Awaitable[T]) -> T:
    """Wait for ``work`` without blocking the event loop; as ``wait_unless``, but cancelled."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            _check(stop)
            await asyncio.wait({task}, timeout=SLICE_S)
    finally:
        task.cancel()
    if task.cancelled():  # by itself: this task goes on
        raise PlainFailureError("CancelledError: it cancelled itself")
    return task.result()


def wait_a_slice(future: Future[T], most_s: float = SLICE_S) -> None:
    """Wait a moment; whether it is done, and how it ended, is for later."""
    try:
        future.exception(min(most_s, SLICE_S))
    except TimeoutError:
        return


def _check(stop: threading.Event) -> None:
    if stop.is_set():
        raise PlainFailureError(STOPPED)
