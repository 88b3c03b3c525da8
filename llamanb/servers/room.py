"""The package ``llamanb.servers``, which behaves like the mapping of its servers."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from llamanb.servers.registry import registry

if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterator, KeysView, ValuesView

    from llamanb.servers.server import Server

__all__ = ["ServersRoom"]


class ServersRoom(ModuleType):
    """A module and a mapping: ``llamanb.servers[11434]``, ``llamanb.servers.stop()``."""

    def __getitem__(self, port: int) -> Server:
        return registry()[port]

    def __iter__(self) -> Iterator[int]:
        return iter(registry())

    def __len__(self) -> int:
        return len(registry())

    def __bool__(self) -> bool:
        return True

    def __contains__(self, port: object) -> bool:
        return port in registry()

    def __repr__(self) -> str:
        return repr(registry())

    def _repr_html_(self) -> str:
        return registry()._repr_html_()

    def keys(self) -> KeysView[int]:
        """Give the ports."""
        return registry().keys()

    def values(self) -> ValuesView[Server]:
        """Give the servers."""
        return registry().values()

    def items(self) -> ItemsView[int, Server]:
        """Give ports and servers."""
        return registry().items()

    def stop(self, timeout: float = 5.0) -> None:
        """Stop every server."""
        registry().stop(timeout)
