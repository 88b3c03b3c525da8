"""The guard that writes the request log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from llamanb.servers.request_log import LogEntry, RequestLog

__all__ = ["Recorder"]

# Asked every few seconds by programs that watch; they would push everything else out.
UNLISTED = frozenset({"/health", "/v1/health", "/metrics", "/slots", "/favicon.ico"})


class Recorder:
    """Note every request from its arrival to the last byte of its answer."""

    def __init__(self, app: ASGIApp, log: RequestLog) -> None:
        self.app, self.log = app, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open an entry, let the request through, and close the entry."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        entry = self._entry(scope)
        scope["state"] = {**scope.get("state", {}), "entry": entry}

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry.status = message["status"]
                entry.is_stream = _is_stream(message)
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            self.log.close(entry)

    def _entry(self, scope: Scope) -> LogEntry:
        agent = Headers(scope=scope).get("user-agent", "")[:200]
        client = scope.get("client") or ("", 0)
        return self.log.open(
            scope["method"],
            scope["path"][:500],
            str(client[0]),
            agent,
            is_listed=scope["path"] not in UNLISTED,
        )


def _is_stream(message: Message) -> bool:
    return any(
        name == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in message["headers"]
    )
