"""Every guard between the network and the routes, in the order in which they stand.

From the outside: request ids, ``Host`` and ``Origin``, CORS, what turns the unexpected
into a 500 without text, the key, the body. All of them are plain ASGI, so that a stream
passes through untouched and a client that goes away is seen at once.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection

from llamanb.servers.bodies import BodyGuard
from llamanb.servers.error_handlers import LastResort, add_error_handlers
from llamanb.servers.problems import is_anthropic
from llamanb.servers.security import KeyGuard, SiteGuard

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from llamanb.settings import ServerSettings

__all__ = ["RequestIds", "add_border"]

CORS_MAX_AGE_S = 600


class RequestIds:
    """Give each request an id, and put it into the headers of its answer.

    OpenAI's clients read ``x-request-id``, Anthropic's read ``request-id``.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on a request that has an id."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = f"req_{uuid.uuid4().hex}"
        scope.setdefault("state", {})["request_id"] = request_id
        name = "request-id" if is_anthropic(HTTPConnection(scope)) else "x-request-id"

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[name] = request_id
            await send(message)

        await self.app(scope, receive, send_with_id)


def add_border(app: FastAPI, settings: ServerSettings) -> None:
    """Put every guard in front of an application, and have errors told in its dialects."""
    add_error_handlers(app)
    # the last one added is the first one asked
    app.add_middleware(
        BodyGuard, max_bytes=settings.max_body_bytes, timeout_s=settings.body_timeout_s
    )
    app.add_middleware(KeyGuard, api_key=settings.api_key)
    app.add_middleware(LastResort)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["x-request-id", "request-id"],
            max_age=CORS_MAX_AGE_S,
        )
    app.add_middleware(
        SiteGuard,
        host=settings.host,
        allowed_hosts=settings.allowed_hosts,
        origins=settings.cors_origins,
    )
    app.add_middleware(RequestIds)
