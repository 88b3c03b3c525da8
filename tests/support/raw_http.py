"""HTTP by hand: bytes out, bytes in, for what no client library would send."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llamanb.servers import Server

__all__ = ["opened", "request", "status_of", "talk"]

PATIENCE_S = 20.0


def opened(server: Server) -> socket.socket:
    """Give a connection to a server."""
    return socket.create_connection((server.host, server.port), timeout=PATIENCE_S)


def talk(server: Server, *pieces: bytes) -> bytes:
    """Send pieces and give all that comes back until the server hangs up.

    Raises
    ------
    TimeoutError
        If it neither answers nor hangs up.
    """
    with opened(server) as connection:
        # a server may hang up before it has read everything
        with suppress(ConnectionError):
            for piece in pieces:
                connection.sendall(piece)
        return _read_all(connection)


def _read_all(connection: socket.socket) -> bytes:
    received = bytearray()
    with suppress(ConnectionError):
        while piece := connection.recv(65536):
            received += piece
    return bytes(received)


def request(
    path: str = "/v1/models",
    body: bytes = b"",
    *headers: str,
    method: str = "",
    host: str = "127.0.0.1",
    ends: bool = True,
) -> bytes:
    """Write a request; ``ends`` asks the server to hang up after its answer."""
    lines = [f"{method or ('POST' if body else 'GET')} {path} HTTP/1.1", f"host: {host}", *headers]
    if ends:
        lines.append("connection: close")
    if body and not any("content-length" in line or "transfer-encoding" in line for line in lines):
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def status_of(answer: bytes) -> int:
    """Give the status of an answer; 0 if the server hung up without one."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0
