"""Real coding agents on the bundled toy: where they are, and folders of their own."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

import llamanb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llamanb.servers import Server

DEAD_PROXY = "http://127.0.0.1:9"  # what would leave this machine goes nowhere
# What the toy was trained on: a question, and an answer without thinking.
SHORT_TEMPLATE = """\
{%- set asked = (messages | selectattr("role", "equalto", "user") | list)[-1].content -%}
{%- set text = asked if asked is string else asked[-1].text -%}
{{- "<|im_start|>user\\n" + text.strip().split("\\n")[-1] + "<|im_end|>\\n" -}}
{{- "<|im_start|>assistant\\n<think>\\n\\n</think>\\n\\n" -}}
"""
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

    @property
    def template(self) -> Path:
        """A chat template that shows the last question alone."""
        return self.home / "short.jinja"


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
    place.template.write_text(SHORT_TEMPLATE, encoding="utf-8")
    return place


@pytest.fixture
def agent_server(demo_path: Path) -> Iterator[Server]:
    """Give a server of the demo model with the room that agents need.

    After a prompt of that length the toy goes on and on; a bias helps it to an end.
    """
    model = llamanb.load(demo_path, name="agents-demo", n_ctx=32_768, kv_unified=True, n_threads=1)
    end = model.tokenize("<|im_end|>", add_special=False, parse_special=True)[0]
    options: dict[str, Any] = {"seed": 1, "max_tokens": 256, "logit_bias": {end: 6.0}}
    with model, llamanb.serve(model, enable_thinking=False, **options) as server:
        yield server
