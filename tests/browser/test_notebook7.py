"""The same in Notebook 7: the quickstart, a long answer, Stop."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.jupyter_server import JupyterServer
    from tests.browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
QUICKSTART = Path(__file__).parents[2] / "notebooks" / "01_quickstart.ipynb"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, _programs: None) -> Iterator[JupyterServer]:
    """Give a running Notebook 7."""
    from tests.browser.jupyter_server import JupyterServer

    with JupyterServer(tmp_path_factory.mktemp("notebook7"), program="notebook") as server:
        yield server


def test_quickstart_runs_from_top_to_bottom(notebook_page: NotebookPage, lab_root: Path) -> None:
    shutil.copy(QUICKSTART, lab_root)
    notebook_page.open(QUICKSTART.name)
    notebook_page.run_all()
    notebook_page.wait_for_all_cells()
    assert notebook_page.outside_requests() == []


def test_stop_keeps_the_text(notebook_page: NotebookPage, slow_gguf: Path) -> None:
    load = f"%load_ext llamanb\n%llama load {slow_gguf} --name slow --n-ctx 4096"
    notebook_page.create("stop.ipynb", [load, ""])
    notebook_page.cell(0).locator(".cm-content").click()
    notebook_page.press_run()
    notebook_page.wait_for_count(0)
    notebook_page.type_cell(1, "%%llama --max-tokens 3000\nba be bi bo")
    notebook_page.press_run()
    length = notebook_page.wait_for_growth(1, beyond=60)
    notebook_page.press_stop()
    text = notebook_page.wait_for_output(1, "stopped after")
    assert len(text) > length / 2
    assert "chat main, turn 1" in text
