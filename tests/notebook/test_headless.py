"""Without a reader: nbclient, papermill and nbval run cells and keep the final text."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from tests.notebook.conftest import quiet_environment

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)  # four interpreters are started one after the other

CELLS = [
    "%load_ext llamanb",
    "%%llama --temp 0 -o sky\nWhy is the sky blue?",
    "sky.finish_reason, sky.model",
    "x = %llama ask --temp 0 What is R?\nprint(len(x) > 5)",
    "def tide_level(city: str) -> str:\n    return '2 m'",
    "%%llama --new --temp 0 -t tide_level\nWhat is the tide level in Oslo?",
    "%%llama --new --temp 0 -t tide_level --approve auto\nWhat is the tide level in Oslo?",
]


@pytest.fixture
def notebook_path(tmp_path: Path) -> Path:
    """A small notebook, without outputs."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in CELLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    path = tmp_path / "small.ipynb"
    nbformat.write(notebook, path)
    return path


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(
        [sys.executable, *command],
        env=quiet_environment(folder, LLAMANB_STREAM="0"),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=140,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _outputs(path: Path) -> list[list[dict[str, Any]]]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell["outputs"] for cell in cells if cell["cell_type"] == "code"]


def _assert_final_text(outputs: list[dict[str, Any]]) -> None:
    assert [output["output_type"] for output in outputs] == ["display_data"]
    bundle = outputs[0]["data"]
    assert "scatters blue light" in "".join(bundle["text/plain"])
    assert "scatters blue light" in "".join(bundle["text/html"])
    assert outputs[0]["metadata"]["llamanb"]["usage"]["completion_tokens"] > 0


def test_papermill_saves_one_final_display(notebook_path: Path) -> None:
    target = notebook_path.with_name("out.ipynb")
    _run(notebook_path.parent, "-m", "papermill", str(notebook_path), str(target), "-k", "python3")
    _assert_final_text(_outputs(target)[1])


def test_nbclient_saves_one_final_display_and_nbval_sees_it_again(notebook_path: Path) -> None:
    folder = notebook_path.parent
    _run(
        folder,
        *("-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", str(notebook_path)),
    )
    outputs = _outputs(notebook_path)
    _assert_final_text(outputs[1])
    assert "('stop', 'demo')" in str(outputs[2])
    assert "nobody can be asked here" in "".join(outputs[5][0]["data"]["text/markdown"])
    assert "2 m" not in str(outputs[5])
    assert "result: 2 m" in "".join(outputs[6][0]["data"]["text/plain"])
    _run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", str(notebook_path))


def test_a_streamed_run_saves_the_final_text_too(notebook_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "nbconvert",
            "--to",
            "notebook",
            "--execute",
            "--inplace",
            str(notebook_path),
        ],
        env=quiet_environment(notebook_path.parent),
        capture_output=True,
        text=True,
        timeout=140,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    _assert_final_text(_outputs(notebook_path)[1])
