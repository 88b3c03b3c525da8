"""A server to point programs at, and programs we wrote to point at it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

import pytest

import llamanb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llamanb.servers import Server


class WriteProgram(Protocol):
    """Write a shell script that is found under this name."""

    def __call__(self, name: str, script: str) -> Path:
        """Give its path."""


@pytest.fixture(scope="module")
def server(demo_path: Path) -> Iterator[Server]:
    """Give a server of the demo model, greedy, in both dialects."""
    model = llamanb.load(demo_path, n_threads=1)
    with llamanb.serve(model, temperature=0, max_tokens=64) as running:
        yield running


@pytest.fixture
def locked_server(demo_path: Path) -> Iterator[Server]:
    """Give one that asks for a key."""
    with llamanb.serve(llamanb.load(demo_path, n_threads=1), api_key="sk-own") as running:
        yield running


@pytest.fixture
def vector_server(demo_embed_path: Path) -> Iterator[Server]:
    """Give a server of an embedding model."""
    with llamanb.serve(llamanb.load(demo_embed_path, n_threads=1)) as running:
        yield running


@pytest.fixture
def write_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteProgram:
    """Give a function that puts a shell script in front of the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def write(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    return write
