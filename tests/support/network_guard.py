"""Refuse every connection that would leave this machine, and remember it.

An audit hook sees each attempt before it happens, whoever makes it; hooks cannot
be removed, so there is one, switched on and off by ``watched``.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["OutsideConnectionError", "attempts", "install", "watched"]

attempts: list[str] = []
_state = {"installed": False, "watching": False}
_log: list[Path] = []


class OutsideConnectionError(OSError):
    """Something tried to reach a host other than this one."""


def install(log: Path | None = None) -> None:
    """Watch this process from now on, writing refused attempts to ``log`` too."""
    _state["watching"] = True
    _log[:] = [log] if log else []
    if not _state["installed"]:
        _state["installed"] = True
        sys.addaudithook(_refuse_outside)


@contextmanager
def watched() -> Iterator[list[str]]:
    """Watch while the block runs; gives the list of refused attempts."""
    attempts.clear()
    install()
    try:
        yield attempts
    finally:
        _state["watching"] = False


def _refuse_outside(event: str, arguments: tuple[object, ...]) -> None:
    if not _state["watching"] or event not in _HOST_OF:
        return
    host = _HOST_OF[event](arguments)
    if host is not None and not _is_here(host):
        _remember(f"{event} {host}")
        raise OutsideConnectionError(f"tests may only talk to this machine, not to {host!r}")


def _remember(attempt: str) -> None:
    attempts.append(attempt)
    for log in _log:
        with log.open("a", encoding="utf-8") as lines:
            lines.write(attempt + "\n")


def _is_here(host: str) -> bool:
    if host in ("", "localhost", "testserver", socket.gethostname()):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback or host in ("0.0.0.0", "::")  # noqa: S104  # "this machine" when connecting
    except ValueError:
        return False


def _host_in_address(arguments: tuple[object, ...]) -> str | None:
    address = arguments[-1]
    return str(address[0]) if isinstance(address, tuple) else None


def _host_looked_up(arguments: tuple[object, ...]) -> str | None:
    host = arguments[0]
    return host.decode() if isinstance(host, bytes) else None if host is None else str(host)


_HOST_OF = {
    "socket.connect": _host_in_address,
    "socket.sendto": _host_in_address,
    "socket.getaddrinfo": _host_looked_up,
    "socket.gethostbyname": _host_looked_up,
}
