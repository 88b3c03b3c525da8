"""A person at JupyterLab allows a tool, denies one, stops while being asked, looks again later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

BEGIN = '''%load_ext llamanb
%llama load demo

def moon_phase(city: str) -> str:
    """Get the phase of the moon over a city."""
    print("looking <b>up</b>", city)
    return f"The moon over {city} is a thin crescent."'''
ASK = "%%llama -t moon_phase --new --temp 0\nWhat is the moon phase in Oslo?"
ANSWER = "thin crescent"


@pytest.fixture
def page(notebook_page: NotebookPage) -> NotebookPage:
    """Give a notebook whose first cell has defined the tool; the second asks."""
    notebook_page.create("tools.ipynb", [BEGIN, ASK])
    notebook_page.cell(0).locator(".cm-content").click()
    notebook_page.press_run()
    notebook_page.wait_for_count(0)
    return notebook_page


def ask(page: NotebookPage) -> str:
    """Run the second cell and wait for the input box; gives the text beside it."""
    page.cell(1).locator(".cm-content").click()
    page.press_run()
    page.cell(1).locator(".jp-Stdin-input").wait_for()
    return page.cell(1).locator(".jp-Stdin-prompt").inner_text()


def answer(page: NotebookPage, text: str) -> None:
    page.cell(1).locator(".jp-Stdin-input").fill(text)
    page.page.keyboard.press("Enter")


def test_a_tool_runs_after_a_yes_and_the_saved_notebook_shows_it(
    page: NotebookPage, lab_root: Path
) -> None:
    assert "Run moon_phase(city='Oslo')? [y]es / [n]o" in ask(page)
    page.wait_for_output(1, "waits for your answer")
    answer(page, "y")
    text = page.wait_for_output(1, "chat main, turn 1")
    assert text.count(ANSWER) == 2  # as the tool's result, and in the reply
    assert "looking <b>up</b> Oslo" in text
    assert page.cell(1).locator(".llamanb-call").count() == 1
    page.save()
    assert ANSWER in (lab_root / "tools.ipynb").read_text("utf-8")
    page.open("tools.ipynb")
    assert page.wait_for_output(1, "chat main, turn 1").count(ANSWER) == 2
    assert page.outside_requests() == []
    assert page.problems == []


def test_a_no_is_told_and_stop_ends_a_question(page: NotebookPage) -> None:
    ask(page)
    answer(page, "n")
    page.wait_for_output(1, "not allowed: the user said no")
    page.wait_for_status("idle")
    ask(page)
    page.press_stop()
    text = page.wait_for_output(1, "stopped after")
    assert "cancelled by the user" in text
    page.wait_for_status("idle")
    assert "Run moon_phase" in ask(page)
    answer(page, "a")
    page.wait_for_output(1, "chat main, turn 1")
