"""HTTP connections that do not wait for ever, in pure Python.

uvicorn waits without limit for the head of a request. Each connection that is held open
that way takes a file descriptor from the kernel, which the notebook needs as well.
The parser is always h11: what uvicorn would take otherwise depends on what else is
installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

__all__ = ["HEAD_TIMEOUT_S", "TimedProtocol"]

HEAD_TIMEOUT_S = 20.0


class TimedProtocol(H11Protocol):
    """Closes a connection whose next head is begun, or awaited first, for too long.

    Between two requests uvicorn's own keep-alive limit counts.
    """

    head_timeout_s = HEAD_TIMEOUT_S
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Start to wait for the first head."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(self.head_timeout_s, transport.close)

    def data_received(self, data: bytes) -> None:
        """Take what arrived, and see whether a head is still incomplete."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Go on with what arrived meanwhile: perhaps a part of the next head."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        super().connection_lost(exc)

    def _watch(self) -> None:
        is_inside_head = self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])
        if not is_inside_head:
            self._stop_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.head_timeout_s, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
