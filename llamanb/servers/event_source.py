"""Server-sent events: an answer as it is written, pings in between.

The format is that of https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from starlette.responses import Response

from llamanb.servers.answer import cancelled_on_disconnect
from llamanb.servers.problems import problem_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from starlette.types import Receive, Scope, Send

    from llamanb.servers.answer import Answer
    from llamanb.servers.asked import Told
    from llamanb.servers.problems import Problem

__all__ = ["OR_EVENTS", "EventSource", "StreamWriter", "frame"]

# For the OpenAPI description of routes that answer with one body or with a stream. It says
# nothing of the events, as some tools take a schema there to be that of each event.
OR_EVENTS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}

HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",  # nginx, as in front of JupyterHub, would hold events back
}


class StreamWriter(Protocol):
    """A dialect's way to write an answer as events."""

    @property
    def ping(self) -> bytes:
        """What is sent when nothing else was for a while."""

    def begin(self) -> Iterable[bytes]:
        """Give what comes before the first token."""

    def write(self, told: Told) -> Iterable[bytes]:
        """Give the frames of one event."""

    def end(self) -> Iterable[bytes]:
        """Give what comes after the last event."""

    def fail(self, problem: Problem) -> Iterable[bytes]:
        """Give the error that comes instead of the rest."""


def frame(data: Mapping[str, Any] | str, event: str | None = None) -> bytes:
    """Write one event: JSON, or a text such as ``[DONE]``."""
    text = data if isinstance(data, str) else _written(data)
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {text}\n\n".encode()


def _written(data: Mapping[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


class EventSource(Response):
    """The response that streams one answer and cancels it when the client goes.

    The head goes out at once, so that a client sees that it was understood while its
    prompt is still being read.
    """

    def __init__(
        self,
        answer: Answer,
        writer: StreamWriter,
        *,
        ping_s: float,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(headers={**HEADERS, **(headers or {})})
        del self.headers["content-length"]
        self._answer, self._writer, self._ping_s = answer, writer, ping_s
        self._last_sent = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head, the events, and the end."""
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            async with cancelled_on_disconnect(receive, self._answer.cancel), self._pinging(send):
                async for frames in self._frames():
                    await self._send(send, frames)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._answer.close()

    async def _frames(self) -> AsyncIterator[bytes]:
        yield b"".join(self._writer.begin())
        try:
            async for told in self._answer:
                yield b"".join(self._writer.write(told))
        except Exception as error:  # noqa: BLE001  # the head is out: it can only be told in the stream
            yield b"".join(self._writer.fail(problem_of(error)))
            return
        yield b"".join(self._writer.end())

    async def _send(self, send: Send, frames: bytes) -> None:
        if frames:
            self._last_sent = asyncio.get_running_loop().time()
            await send({"type": "http.response.body", "body": frames, "more_body": True})
            # a turn of the loop, so that a client that went away is noticed in a burst, too:
            # asyncio warns (in the notebook) of the fifth piece sent to nobody
            await asyncio.sleep(0)

    @asynccontextmanager
    async def _pinging(self, send: Send) -> AsyncIterator[None]:
        pinger = asyncio.ensure_future(self._ping(send))
        try:
            yield
        finally:
            pinger.cancel()

    async def _ping(self, send: Send) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            quiet = clock() - self._last_sent
            if quiet >= self._ping_s:
                await self._send(send, self._writer.ping)
                quiet = 0.0
            await asyncio.sleep(self._ping_s - quiet)
