"""Run the llamanb command as a user would, with folders of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Protocol

import nbformat
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class RunLlamanb(Protocol):
    """Run ``llamanb`` with these words and wait for its end."""

    def __call__(self, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Give what it printed and its exit code."""
        ...


@pytest.fixture
def own_environment(tmp_path: Path) -> dict[str, str]:
    """Give an environment whose home and Jupyter folders are temporary."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
    own = {
        "HOME": str(home),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_CONFIG_DIR": str(home / "jupyter" / "config"),
        "JUPYTER_DATA_DIR": str(home / "jupyter" / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "jupyter" / "runtime"),
        "JUPYTER_PLATFORM_DIRS": "1",
    }
    return {**kept, **own}


@pytest.fixture
def run_llamanb(own_environment: dict[str, str], tmp_path: Path) -> RunLlamanb:
    """Give a function that runs ``python -m llamanb`` in an empty folder."""

    def run(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # our own command
            [sys.executable, "-m", "llamanb", *words],
            cwd=cwd or tmp_path,
            env=own_environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def write_notebook(tmp_path: Path) -> Callable[..., Path]:
    """Give a function that writes a notebook with these code cells."""

    def write(*sources: str, name: str = "own.ipynb") -> Path:
        cells: list[Any] = [nbformat.v4.new_code_cell(source) for source in sources]
        path = tmp_path / name
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
        return path

    return write
