"""``llamanb lab --check`` runs a notebook in a real kernel and prints the answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from nbformat.v4 import new_output

import llamanb
from llamanb.cli.check import answer_lines, check_notebook, first_line
from llamanb.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import RunLlamanb

CHECKOUT = Path(llamanb.__file__).parent.parent
pytestmark = pytest.mark.timeout(180)


def _display(**data: str) -> object:
    bundle = {name.replace("_", "/"): text for name, text in data.items()}
    return new_output("display_data", data=bundle)


@pytest.mark.parametrize(
    ("output", "lines"),
    [
        pytest.param(new_output("stream", text="\x1b[31mred\x1b[0m\n\n"), ["red"], id="colours"),
        pytest.param(_display(text_plain="<obj>", text_markdown="**b**"), ["**b**"], id="markdown"),
        pytest.param(
            _display(text_plain="<obj>", text_html="<style>x</style><b>1 &lt; 2</b>"),
            [" 1 < 2"],
            id="html",
        ),
        pytest.param(_display(text_plain="42"), ["42"], id="plain"),
        pytest.param(new_output("error", ename="E", evalue="why"), ["E: why"], id="error"),
    ],
)
def test_an_output_becomes_readable_lines(output: object, lines: list[str]) -> None:
    assert [line.lstrip() for line in answer_lines([output])] == [x.lstrip() for x in lines]


@pytest.mark.parametrize(
    ("source", "line"),
    [
        pytest.param("x = 1", "x = 1", id="one line"),
        pytest.param("x = 1\n\ny = 2", "x = 1 …", id="two lines"),
        pytest.param("%%llama -n 5\nWhy?", "%%llama -n 5 | Why?", id="cell magic"),
        pytest.param("%%llama\nWhy?\nReally?", "%%llama | Why? …", id="long cell magic"),
        pytest.param("", "(empty cell)", id="empty"),
    ],
)
def test_a_cell_is_called_by_its_first_line(source: str, line: str) -> None:
    assert first_line(source) == line


def test_a_long_answer_is_cut() -> None:
    lines = answer_lines([new_output("stream", text="x\n" * 20)])
    assert len(lines) == 13
    assert lines[-1] == "… 8 more lines"


def test_each_cell_is_printed_with_its_answer(
    run_llamanb: RunLlamanb, write_notebook: Callable[..., Path]
) -> None:
    done = run_llamanb("lab", "--check", str(write_notebook("x = 6\nx * 7", "print(x)")))
    assert done.returncode == 0, done.stderr
    assert "> x = 6 …\n    42\n" in done.stdout
    assert "> print(x)\n    6\n" in done.stdout
    assert "2 code cells ran without an error" in done.stdout


def test_a_failing_cell_is_named_and_exits_with_1(
    run_llamanb: RunLlamanb, write_notebook: Callable[..., Path]
) -> None:
    done = run_llamanb("lab", "--check", str(write_notebook("1", "1 / 0", "print('never')")))
    assert done.returncode == 1
    assert "the cell failed: ZeroDivisionError: division by zero" in done.stderr
    assert "never" not in done.stdout


@pytest.mark.parametrize("content", ["mine", "[]", "{}"])
def test_a_file_that_is_no_notebook_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "own.ipynb"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(OptionError, match=r"own\.ipynb' is not a notebook"):
        check_notebook(path)


def test_cells_run_headless_in_a_folder_of_their_own(
    run_llamanb: RunLlamanb, write_notebook: Callable[..., Path], tmp_path: Path
) -> None:
    source = "import os\nprint(os.environ['LLAMANB_STREAM'], os.getcwd())"
    done = run_llamanb("lab", "--check", str(write_notebook(source)))
    assert "    0 " in done.stdout
    assert f"    0 {tmp_path}" not in done.stdout


def test_the_quickstart_answers(run_llamanb: RunLlamanb) -> None:
    done = run_llamanb("lab", "--check", cwd=CHECKOUT)
    assert done.returncode == 0, done.stderr
    assert "scatters blue light" in done.stdout
    assert "pear dashboard" in done.stdout
    assert "Ada" in done.stdout
