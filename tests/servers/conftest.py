"""Real servers on real models, for the official clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

import llamanb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llamanb.models import Model
    from llamanb.servers import Server


class ServeModel(Protocol):
    """Serves a model and stops it when the test ends."""

    def __call__(
        self, path: Path | str, *, load: dict[str, Any] | None = None, **options: Any
    ) -> Server:
        """Give the server; ``load`` are options of ``llamanb.load``."""


def loaded(path: Path | str, **options: Any) -> Model:
    """Load a model for one thread."""
    return llamanb.load(path, **{"n_threads": 1, "n_threads_batch": 1, **options})


@pytest.fixture
def serve_model() -> Iterator[ServeModel]:
    """Give a function that serves a model until the test ends."""
    servers: list[Server] = []

    def serve(path: Path | str, *, load: dict[str, Any] | None = None, **options: Any) -> Server:
        server = llamanb.serve(loaded(path, **(load or {})), **options)
        servers.append(server)
        return server

    yield serve
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def demo_server(demo_path: Path) -> Iterator[Server]:
    """Give a server of the demo model, both dialects, greedy unless asked otherwise."""
    with llamanb.serve(loaded(demo_path), temperature=0, max_tokens=64) as server:
        yield server
