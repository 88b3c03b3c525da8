"""An ASGI app on a thread of its own, stopped within a second.

Facts about uvicorn that decide the shape: its own failure to bind ends the thread
without a word, so the socket is bound by the caller; it reconfigures logging unless
told not to; its signal handlers do nothing off the main thread.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import weakref
from typing import TYPE_CHECKING, Any

import uvicorn

from llamanb.errors import ServerError
from llamanb.servers.connections import TimedProtocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

__all__ = ["BackgroundServer", "bind"]

BACKLOG = 512
START_S = 30.0
KEEP_ALIVE_S = 75  # clients pool connections; the 5 s of uvicorn end them between two turns
_logger = logging.getLogger("llamanb.servers")
_sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()


def bind(host: str, port: int) -> socket.socket:
    """Give a listening socket, so that a port in use is an error here and now.

    Raises
    ------
    ServerError
        If the address is taken, not allowed or not of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ServerError(f"cannot listen on {host}: {error.strerror or error}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ServerError(_why_not(host, port, error)) from None
    _sockets.add(listener)
    return listener


def _why_not(host: str, port: int, error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    advice = "choose another port=, or port=0 for a free one" if port else "choose another host="
    return f"cannot listen on {host}:{port}: {reason}; {advice}"


def _close_in_child() -> None:
    """Close the sockets in a forked child, which would keep the ports taken."""
    for listener in list(_sockets):
        listener.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)


class _Uvicorn(uvicorn.Server):
    """Tells when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen."""
        asyncio.get_running_loop().set_exception_handler(_note_quietly)
        await super().startup(sockets)
        self.is_up.set()


def _note_quietly(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    _logger.debug("event loop: %s", context.get("message"))


class BackgroundServer:
    """Stages: made → started → stopping → stopped.

    Parameters
    ----------
    on_stop : called before connections are closed, to end what is being answered.
    """

    def __init__(
        self, app: FastAPI, listener: socket.socket, *, on_stop: Callable[[], None]
    ) -> None:
        self._listener, self._on_stop = listener, on_stop
        self.host, self.port = listener.getsockname()[:2]
        config = uvicorn.Config(
            app,
            http=TimedProtocol,
            loop="asyncio",
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=1,
        )
        logger = logging.getLogger("uvicorn.error")
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())  # else warnings go to the notebook
        self._server = _Uvicorn(config)
        self._lock = threading.Lock()
        self._thread = threading.Thread(
            target=self._run, name=f"llamanb-server-{self.port}", daemon=True
        )

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    @property
    def is_stopping(self) -> bool:
        """Whether it has been told to stop."""
        return bool(self._server.should_exit)

    def start(self) -> None:
        """Start, and come back once requests are answered.

        Raises
        ------
        ServerError
            If it does not come up.
        """
        self._thread.start()
        left = START_S
        while not self._server.is_up.wait(0.05):
            left -= 0.05
            if left <= 0 or not self._thread.is_alive():
                self.stop(1.0)
                raise ServerError(f"the server on port {self.port} did not start")

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it has stopped, in slices that an interrupt can end; whether it has."""
        left = float("inf") if timeout_s is None else timeout_s
        while self._thread.is_alive() and left > 0:
            self._thread.join(min(0.05, left))
            left -= 0.05
        return not self._thread.is_alive()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Cancel what is answered, close every connection and give the port back.

        Raises
        ------
        ServerError
            If its thread has not ended after ``timeout_s`` seconds.
        """
        with self._lock:
            self._server.should_exit = True
            self._on_stop()
        if not self._thread.ident:
            self._listener.close()
        if threading.current_thread() is self._thread or not self._thread.ident:
            return
        if not self.wait(timeout_s):
            self._server.force_exit = True
            if not self.wait(1.0):
                raise ServerError(f"the server on port {self.port} is still closing connections")

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._listener])
        except (Exception, SystemExit):
            _logger.exception("the server on port %s ended", self.port)
        finally:
            self._listener.close()
