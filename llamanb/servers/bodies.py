"""The bodies of requests: bounded, timed and checked before a route sees them.

A body is read whole, at most ``max_bytes`` of it and for at most ``timeout_s``. It must
be one JSON object in UTF-8, nested at most 100 deep, with whole numbers of at most 19
digits and finite ones, and without halves of surrogate pairs. What the routes get then
is safe for every JSON reader, and always called ``application/json``: ``curl -d`` says
something else. (That would let a web page send without asking first, if ``Origin`` were
not checked.)
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import anyio
import pydantic_core
from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.routing import Match

from llamanb.servers.problems import Refusal, problem_response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["BodyGuard", "check_json"]

MAX_DEPTH = 100
MAX_DIGITS = 19
MAX_VALUES = 300_000  # as many tokens as OpenAI embeds at once
MAX_ITEMS = {"messages": 10_000, "tools": 1_024, "functions": 1_024}
SMALL_BODY = 1 << 16  # checked in well under a millisecond, so without a thread
DRAIN_S = 2.0
METHODS = frozenset({"POST", "PUT", "PATCH"})
TYPES = frozenset({"", "text/plain", "text/json", "application/x-www-form-urlencoded"})
BOM = b"\xef\xbb\xbf"
CLOSE = {"connection": "close"}  # what is left of the body is not read
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_TOO_GREAT = 10**MAX_DIGITS


class BodyGuard:
    """Read and check the body of every request that a route will take.

    Requests for unknown addresses pass as they are: 404 and 405 need no body.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, timeout_s: float) -> None:
        self.app = app
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._limiter = anyio.CapacityLimiter(2)  # large bodies at once: memory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on a request with its body checked, or refuse it."""
        if scope["type"] != "http" or scope["method"] not in METHODS or not _is_taken(scope):
            await self.app(scope, receive, send)
            return
        try:
            body = await self._read(Headers(scope=scope), receive)
        except _Gone:
            return
        except Refusal as refusal:
            request = HTTPConnection(scope)
            await problem_response(request, refusal.problem)(scope, receive, send)
            return
        await self.app(_as_json(scope, len(body)), _replay(body, receive), send)

    async def _read(self, headers: Headers, receive: Receive) -> bytes:
        """Give the checked body, without the mark of its byte order."""
        _check_headers(headers)
        if _length(headers) > self._max_bytes:
            if "expect" not in headers:  # else nothing was sent yet
                await self._drain(receive)
            raise self._too_large()
        body = (await self._collect(receive)).removeprefix(BOM)
        if len(body) <= SMALL_BODY:
            check_json(body)
        else:
            await run_sync(check_json, body, limiter=self._limiter)
        return body

    async def _collect(self, receive: Receive) -> bytes:
        body = bytearray()
        with anyio.move_on_after(self._timeout_s):
            while True:
                chunk, more = await _next_chunk(receive)
                body += chunk
                if len(body) > self._max_bytes:
                    await self._drain(receive)
                    raise self._too_large()
                if not more:
                    return bytes(body)
        message = f"the body did not arrive within {self._timeout_s:g} s"
        raise Refusal(message, status=408, code="request_timeout", headers=CLOSE)

    async def _drain(self, receive: Receive) -> None:
        """Throw away what is still coming, so that the client gets to read why."""
        left = self._max_bytes
        with anyio.move_on_after(min(DRAIN_S, self._timeout_s)):
            while left > 0:
                chunk, more = await _next_chunk(receive)
                left -= len(chunk)
                if not more:
                    return

    def _too_large(self) -> Refusal:
        message = f"the body is larger than {self._max_bytes:,} bytes"
        return Refusal(message, status=413, code="request_too_large", headers=CLOSE)


class _Gone(Exception):
    """The client went away before its body was complete."""


async def _next_chunk(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise _Gone
    return message.get("body", b""), message.get("more_body", False)


def _is_taken(scope: Scope) -> bool:
    """Whether some route takes the request; without an application, one might."""
    app = scope.get("app")
    if app is None:
        return True
    return any(route.matches(dict(scope))[0] is Match.FULL for route in app.router.routes)


def _check_headers(headers: Headers) -> None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    known = kind in TYPES or kind == "application/json" or kind.endswith("+json")
    if not known:
        raise Refusal(f"a body of {kind[:80]!r} cannot be read; send application/json", status=415)
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise Refusal("a compressed body cannot be read; send it as it is", status=415)


def _length(headers: Headers) -> int:
    length = headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) <= MAX_DIGITS else 0


def _as_json(scope: Scope, length: int) -> Scope:
    ours = [(b"content-type", b"application/json"), (b"content-length", str(length).encode())]
    replaced = {name for name, _ in ours} | {b"transfer-encoding", b"expect"}
    kept = [pair for pair in scope["headers"] if pair[0].lower() not in replaced]
    return {**scope, "headers": kept + ours}


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give the body once, and afterwards what the client does (it may go away)."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return pending.pop() if pending else await receive()

    return next_message


def check_json(body: bytes) -> None:
    """Refuse a body that is not one plain JSON object of a sane size.

    An empty body passes: whether one is needed is for the route to say.

    Raises
    ------
    Refusal

    Examples
    --------
    >>> check_json(b'{"messages": []}')
    """
    if not body:
        return
    if _has_too_many_values(body):
        raise Refusal(f"the body has more than {MAX_VALUES:,} values")
    try:
        found = pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Refusal(f"the body is not valid JSON: {error}", code="invalid_json") from None
    if not isinstance(found, dict):
        raise Refusal("the body must be a JSON object", code="invalid_json")
    _check_values(found)
    for name, most in MAX_ITEMS.items():
        items = found.get(name)
        if isinstance(items, list) and len(items) > most:
            raise Refusal(f"{name} has {len(items):,} items; at most {most:,} work", param=name)


def _has_too_many_values(body: bytes) -> bool:
    """Count commas: between values, so not those in texts."""
    if body.count(b",") < MAX_VALUES:
        return False
    return _STRING.sub(b"", body).count(b",") >= MAX_VALUES


def _check_values(found: dict[str, Any]) -> None:
    level: list[Any] = [found]
    for _ in range(MAX_DEPTH):
        level = list(_inner(level))
        if not level:
            return
    raise Refusal(f"the body is nested more than {MAX_DEPTH} deep", code="invalid_json")


def _inner(level: list[Any]) -> Iterator[Any]:
    """Give the containers one level deeper, and check the plain values on the way."""
    for container in level:
        values = container.values() if isinstance(container, dict) else container
        for value in values:
            if isinstance(value, dict | list):
                yield value
            elif isinstance(value, int | float):
                _check_number(value)


def _check_number(value: Any) -> None:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Refusal("the body has a number that is not finite", code="invalid_json")
    elif not -_TOO_GREAT < value < _TOO_GREAT:
        message = f"the body has a whole number of more than {MAX_DIGITS} digits"
        raise Refusal(message, code="invalid_json")
