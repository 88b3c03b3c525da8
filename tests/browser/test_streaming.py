"""A person at JupyterLab: types a ``%%llama`` cell, watches it grow, stops it, goes on."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
QUICKSTART = Path(__file__).parents[2] / "notebooks" / "01_quickstart.ipynb"


@pytest.fixture
def page(notebook_page: NotebookPage, slow_gguf: Path) -> NotebookPage:
    """Give a notebook whose first cell loads the slow model; three empty ones follow."""
    load = f"%load_ext llamanb\n%llama load {slow_gguf} --name slow --n-ctx 4096"
    notebook_page.create("person.ipynb", [load, "", "", ""])
    notebook_page.cell(0).locator(".cm-content").click()
    notebook_page.press_run()
    notebook_page.wait_for_count(0)
    return notebook_page


def test_typed_cell_grows_and_stop_keeps_the_text(page: NotebookPage) -> None:
    page.type_cell(1, "%%llama --max-tokens 3000\nba be bi bo")
    page.press_run()
    early = page.wait_for_growth(1, beyond=20)
    later = page.wait_for_growth(1, beyond=early + 60)
    assert later > early
    assert page.kernel_status() == "busy"

    page.press_stop()
    text = page.wait_for_output(1, "stopped after")
    page.wait_for_status("idle")
    assert len(text) > later / 2
    assert "Traceback" not in text

    page.type_cell(2, "%%llama --max-tokens 12 -o said\nke ki ko")
    page.press_run()
    page.wait_for_count(2)
    page.type_cell(3, "said.usage.completion_tokens * 1000")
    page.press_run()
    page.wait_for_output(3, "12000")
    assert page.outside_requests() == []
    assert page.problems == []


def test_saved_notebook_keeps_the_reply(page: NotebookPage, lab_root: Path) -> None:
    page.type_cell(1, "%%llama --max-tokens 20\nba be bi bo")
    page.press_run()
    page.wait_for_count(1)
    page.wait_for_status("idle")
    shown = page.output(1)
    page.save()
    saved = (lab_root / "person.ipynb").read_text("utf-8")
    assert shown.split()[0] in saved
    page.open("person.ipynb")
    page.wait_for_output(1, re.escape(shown.split()[-1]))
    assert page.output(1) == shown


def test_tab_completes_options_and_expressions_but_not_prose(page: NotebookPage) -> None:
    page.type_cell(1, "my_variable = 3")
    page.press_run()
    page.wait_for_count(1)
    page.type_cell(2, "%%llama --see")
    page.page.keyboard.press("Tab")
    page.wait_for_completion("--seed")
    page.page.keyboard.press("Escape")
    page.type_cell(3, "%%llama\nWhy is my_var")
    page.page.keyboard.press("Tab")
    page.page.keyboard.type(" {{my_var")
    page.page.keyboard.press("Tab")
    page.wait_for_completion("my_variable")


def test_quickstart_runs_from_top_to_bottom(notebook_page: NotebookPage, lab_root: Path) -> None:
    shutil.copy(QUICKSTART, lab_root)
    notebook_page.open(QUICKSTART.name)
    notebook_page.run_all()
    notebook_page.wait_for_all_cells()
    assert notebook_page.outside_requests() == []
    assert notebook_page.problems == []
