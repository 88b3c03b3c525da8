"""The servers of this kernel, kept until they are stopped."""

from __future__ import annotations

import atexit
import html
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any

from llamanb.errors import ServerError

if TYPE_CHECKING:
    from llamanb.servers.server import Server

__all__ = ["ServerRegistry", "registry"]

SURVIVOR = "_llamanb_kernel"
EXIT_S = 1.0


class ServerRegistry(Mapping[int, "Server"]):
    """Every running server of this process by its port."""

    def __init__(self) -> None:
        self._servers: dict[int, Server] = {}
        self._keys: dict[int, object] = {}
        self.lock = threading.RLock()

    def add(self, server: Server, key: object) -> None:
        """Keep a server until it stops; ``key`` says what was asked for."""
        with self.lock:
            self._servers[server.port], self._keys[server.port] = server, key
        server.on_stop(self._forget)

    def find(self, key: object) -> Server | None:
        """Give the running server that was asked for in the same words."""
        with self.lock:
            for port, known in self._keys.items():
                if known == key and self._servers[port].status == "running":
                    return self._servers[port]
        return None

    def stop(self, timeout: float = 5.0) -> None:
        """Stop every server."""
        for server in list(self.values()):
            server.stop(timeout)

    def _forget(self, server: Server) -> None:
        with self.lock:
            if self._servers.get(server.port) is server:
                del self._servers[server.port], self._keys[server.port]

    def __getitem__(self, port: int) -> Server:
        return self._servers[port]

    def __iter__(self) -> Iterator[int]:
        return iter(list(self._servers))

    def __len__(self) -> int:
        return len(self._servers)

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.values())) or "no server is running"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(server.url)}</td><td>{html.escape(', '.join(server.apis))}</td>"
            f"<td>{html.escape(', '.join(server.models))}</td><td>{server.status}</td>"
            f"<td>{server.requests['requests']}</td></tr>"
            for server in self.values()
        )
        heads = "".join(
            f"<th>{head}</th>" for head in ("URL", "dialects", "models", "status", "requests")
        )
        return f"<table><tr>{heads}</tr>{rows}</table>" if rows else "<p>no server is running</p>"


def registry() -> ServerRegistry:
    """Give the kernel's one registry; reloading llamanb neither loses nor doubles it."""
    state: dict[str, Any] = vars(sys.modules.setdefault(SURVIVOR, ModuleType(SURVIVOR)))
    with state.setdefault("lock", threading.Lock()):
        if "servers" not in state:
            state["servers"] = ServerRegistry()
            atexit.register(_stop_at_exit, state["servers"])
        kept: ServerRegistry = state["servers"]
    return kept


def _stop_at_exit(servers: ServerRegistry) -> None:
    with suppress(ServerError):
        servers.stop(EXIT_S)
