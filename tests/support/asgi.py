"""Ask an ASGI application without a network, piece by piece."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Answered", "Echo", "ask", "scope_of"]


@dataclass
class Answered:
    """What came back; status 0 if nothing did."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            self.body += message.get("body", b"")


class Echo:
    """The innermost application: 200, and a note of what reached it."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.scopes: list[Scope] = []
        self.after: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        self.bodies.append((await receive()).get("body", b""))
        self.after.append((await receive())["type"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


def scope_of(method: str, path: str, headers: Iterable[tuple[str, str]]) -> Scope:
    given = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return {
        "type": "http",
        "method": method,
        "path": path,
        "root_path": "",
        "query_string": b"",
        "headers": given,
    }


def ask(
    app: ASGIApp,
    path: str = "/v1/chat/completions",
    *,
    method: str = "POST",
    headers: Iterable[tuple[str, str]] = (("host", "127.0.0.1"),),
    chunks: Iterable[bytes] = (),
    ends: bool = True,
    disconnects: bool = True,
) -> Answered:
    """Send one request, its body in chunks, and give what came back.

    Without ``ends`` the body stays incomplete; then the client goes away, or, without
    ``disconnects``, stays silent.
    """
    answered = Answered()
    pieces = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if ends:
        pieces.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Message:
        if pieces:
            return pieces.pop(0)
        if not disconnects:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def run() -> None:
        await app(scope_of(method, path, headers), receive, answered.take)

    asyncio.run(run())
    return answered
