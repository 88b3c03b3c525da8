"""Requests that read texts: a few at a time, beside the chats, stopped when nobody waits."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from llamanb.chat_layer import Finished
from llamanb.errors import EngineError, QueueFullError
from llamanb.servers.answer import cancelled_on_disconnect
from llamanb.servers.problems import Refusal
from llamanb.servers.service import entry_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from llamanb.models.reading import Readout
    from llamanb.servers.service import Service

__all__ = ["ReadingDesk"]

CLIENT_GONE = 499  # nginx' word for it; nobody reads the answer
AT_ONCE = 2  # one is computed while the next one is tokenised


class ReadingDesk:
    """Takes requests for vectors and scores. Stages: made → used on one event loop.

    It has threads of its own, so that a long list of texts keeps no chat from beginning.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._limiter: anyio.CapacityLimiter | None = None

    async def read(self, request: Request, work: Callable[[threading.Event], Readout]) -> Readout:
        """Do the work on a thread; ``work`` is given what is set when the client goes away.

        Raises
        ------
        QueueFullError
            If too many such requests wait already.
        """
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(AT_ONCE)
        waiting = self._limiter.statistics().tasks_waiting
        if waiting >= self._service.settings.queue_limit > 0:
            raise QueueFullError(f"{waiting} requests wait already; try again later")
        stop = threading.Event()
        async with cancelled_on_disconnect(request.receive, stop.set):
            try:
                return await anyio.to_thread.run_sync(
                    partial(self._noted, request, work, stop), limiter=self._limiter
                )
            except EngineError:
                if not stop.is_set():
                    raise
                entry_of(request).state = "cancelled"
                raise Refusal("the client went away", status=CLIENT_GONE) from None

    def _noted(
        self,
        request: Request,
        work: Callable[[threading.Event], Readout],
        stop: threading.Event,
    ) -> Readout:
        """Work, and put the tokens into the log."""
        began = time.perf_counter()
        readout = work(stop)
        entry_of(request).prompt_tokens = readout.n_tokens
        usage = {"prompt_tokens": readout.n_tokens, "total_tokens": readout.n_tokens}
        timings = {"prompt_s": time.perf_counter() - began}
        self._service.log.add(Finished(reason="stop", usage=usage, timings=timings))
        return readout
