"""The manual runs: every notebook goes through nbval, stable outputs compared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import llamanb

NOTEBOOKS = sorted((Path(llamanb.__file__).parent.parent / "notebooks").glob("*.ipynb"))
MAX_CELL_LINES = 15
UNSTABLE = "nbval-ignore-output"


@pytest.fixture
def headless_environment(tmp_path: Path) -> dict[str, str]:
    """Give an environment with one display per cell and folders of its own."""
    folders = {
        "HOME": tmp_path,
        "IPYTHONDIR": tmp_path / "ipython",
        "JUPYTER_RUNTIME_DIR": tmp_path / "runtime",
        "JUPYTER_DATA_DIR": tmp_path / "data",
        "JUPYTER_CONFIG_DIR": tmp_path / "config",
    }
    quiet = {"LLAMANB_STREAM": "0", "LLAMANB_PROGRESS": "0", "JUPYTER_PLATFORM_DIRS": "1"}
    return {**os.environ, **quiet, **{name: str(path) for name, path in folders.items()}}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("notebook", [pytest.param(path, id=path.stem) for path in NOTEBOOKS])
def test_a_notebook_runs_and_repeats_its_stable_outputs(
    notebook: Path, headless_environment: dict[str, str]
) -> None:
    # A run of its own: `pytest` on one file stays quick, and nbval's kernel gets this environment.
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", str(notebook)]
    command += ["-q", "-o", "addopts=", "-o", "filterwarnings=", "-p", "no:cacheprovider"]
    done = subprocess.run(  # our own command
        command, env=headless_environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("notebook", [pytest.param(path, id=path.stem) for path in NOTEBOOKS])
def test_cells_are_short_and_unstable_outputs_are_not_committed(notebook: Path) -> None:
    cells = nbformat.read(notebook, as_version=4).cells
    assert all(len(cell.source.splitlines()) <= MAX_CELL_LINES for cell in cells)
    unstable = [cell for cell in cells if UNSTABLE in cell.metadata.get("tags", [])]
    assert not any(cell.outputs or cell.execution_count for cell in unstable)
