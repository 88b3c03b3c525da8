"""The same in Notebook 7: the quickstart, a long answer, Stop, the chat."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.chat_page import BEGIN, SHOW, ChatPage, kernel_value, set_up

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


def test_the_chat_answers_asks_about_tools_and_gives_cells(notebook_page: NotebookPage) -> None:
    set_up(notebook_page, "chat.ipynb", [BEGIN, SHOW])
    chat = ChatPage(notebook_page)
    chat.show()
    chat.ask("What is the weather in Oslo?")
    chat.card("asking")
    assert kernel_value(notebook_page, "ran") == []
    chat.press("Approve the call of get_weather")
    chat.wait_for_answer("is 12 degrees in Oslo")
    with chat.page.expect_download() as downloading:
        chat.button("Export").click()
        chat.root.get_by_role("menuitem", name="Markdown").click()
    assert "12 degrees in Oslo" in Path(downloading.value.path()).read_text("utf-8")
    chat.button("Export").click()
    chat.root.get_by_role("menuitem", name="Insert as cells").click()
    chat.root.get_by_role("status").filter(has_text="inserted below").wait_for()
    assert "%%llama" in chat.sources()[2]
    assert "12 degrees in Oslo" in chat.sources()[3]
    assert notebook_page.outside_requests() == []
    # Notebook 7 itself looks for the schema of a setting that is not there.
    assert [one for one in notebook_page.problems if "schema" not in one] == []
