"""Managers to try things on: one with a fake engine, one with the real one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llamanb.engine.values import EngineRequest
from llamanb.models import ModelManager
from llamanb.models.admission import MemorySource
from tests.models.fakes import FakeClock, FakeRoom
from tests.models.gguf_bytes import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from llamanb.models import Model

GIB = 1 << 30


@pytest.fixture
def room() -> FakeRoom:
    """Give an engine room without native code."""
    return FakeRoom()


@pytest.fixture
def clock() -> FakeClock:
    """Give a clock that only the test moves."""
    return FakeClock()


@pytest.fixture
def fake(room: FakeRoom, clock: FakeClock) -> Iterator[ModelManager]:
    """Give a manager over the fake room, with 8 GiB of memory."""
    memory = MemorySource(available=lambda: 8 * GIB, total=lambda: 16 * GIB)
    manager = ModelManager(room=room, memory=memory, clock=clock)
    manager._timer.stop()  # tests call expire() themselves
    yield manager
    manager.close()


@pytest.fixture
def make_file(tmp_path: Path) -> Callable[[str], Path]:
    """Give a function that writes a small valid model file."""

    def make(name: str) -> Path:
        path = tmp_path / f"{name}.gguf"
        path.write_bytes(Recipe().encode())
        return path

    return make


@pytest.fixture
def real() -> Iterator[ModelManager]:
    """Give a manager of its own over the real engine."""
    manager = ModelManager()
    yield manager
    manager.close()


@pytest.fixture
def demo(real: ModelManager) -> Model:
    """Give the bundled chat model in a small context."""
    return real.load("demo", n_ctx=256, n_seq_max=2, n_threads=1)


@pytest.fixture
def request_of() -> Callable[[str], EngineRequest]:
    """Give a function that makes an engine request of a text."""
    return lambda text: EngineRequest(prompt_tokens=tuple(map(ord, text)))
