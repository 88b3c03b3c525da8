"""Real coding agents on the bundled toy: where they are, and folders of their own."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

import llamanb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llamanb.servers import Server

DEAD_PROXY = "http://127.0.0.1:9"  # what would leave this machine goes nowhere
NOTE = "The magic word is xylophone."
_reasons: list[str] = []


def _path_of_programs() -> str:
    own = os.environ.get("LLAMANB_AGENTS_BIN", "")
    return os.pathsep.join(filter(None, (own, os.environ.get("PATH", ""))))


def _program_of(item: pytest.Item) -> str | None:
    """Give the program that a test needs and this machine lacks."""
    marker = item.get_closest_marker("agents")
    if marker is None or shutil.which(marker.args[0], path=_path_of_programs()):
        return None
    return str(marker.args[0])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of programs that are not installed."""
    left_out = [item for item in items if _program_of(item)]
    names = sorted({_program_of(item) or "" for item in left_out})
    items[:] = [item for item in items if item not in left_out]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        _reasons.append(
            f"{len(left_out)} tests of coding agents are left out: no {', '.join(names)}"
            " on PATH or in LLAMANB_AGENTS_BIN (.ci/agents installs them)"
        )


def pytest_report_collectionfinish() -> list[str]:
    """Say what was left out."""
    return list(_reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A home and a project folder with ``notes.txt``; the environment of what runs there."""

    home: Path
    project: Path
    environment: dict[str, str]

    @property
    def notes(self) -> Path:
        """A file whose text no model can guess."""
        return self.project / "notes.txt"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Give an empty home and project, and an environment that leads nowhere else."""
    home, project = tmp_path / "home", tmp_path / "project"
    home.mkdir()
    project.mkdir()
    environment = {
        "PATH": _path_of_programs(),
        "HOME": str(home),
        "HTTP_PROXY": DEAD_PROXY,
        "HTTPS_PROXY": DEAD_PROXY,
        "NO_PROXY": "127.0.0.1,localhost",
        "LLAMANB_N_THREADS": "1",
        "LLAMANB_CACHE": os.environ["LLAMANB_CACHE"],
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "512",
        "OPENCODE_EXPERIMENTAL_OUTPUT_TOKEN_MAX": "128",
    }
    place = Place(home=home, project=project, environment=environment)
    place.notes.write_text(f"{NOTE}\n", encoding="utf-8")
    return place


@pytest.fixture
def agent_server(demo_path: Path) -> Iterator[Server]:
    """Give a server of the demo model with the room that agents need, and short answers."""
    model = llamanb.load(demo_path, name="agents-demo", n_ctx=32_768, kv_unified=True, n_threads=1)
    with model, llamanb.serve(model, max_tokens=128, seed=1, enable_thinking=False) as server:
        yield server
