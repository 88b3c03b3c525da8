"""A person at JupyterLab watches models work, pins one, unloads one, looks again later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.accessibility import serious_findings

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator

    from tests.browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

WAITS = "print('waits')\nthreading.Event().wait(60)"
WORKS = "with demo.lease():\n    demo.generate('The sky is', max_tokens=8)\n    " + WAITS.replace(
    "\n", "\n    "
)
NAMED = "demo = llamanb.load('demo', n_ctx=512, n_threads=1)"
OTHER = "llamanb.load('demo', name='other', n_ctx=256, n_threads=1)"
BEGIN = f"%load_ext llamanb\nimport threading, llamanb\n{NAMED}\n_ = {OTHER}"


@pytest.fixture
def page(notebook_page: NotebookPage) -> NotebookPage:
    """Give a notebook whose second cell shows the panel."""
    notebook_page.create("models.ipynb", [BEGIN, "%llama", WORKS, "llamanb.models"])
    for index in (0, 1):
        run(notebook_page, index)
        notebook_page.wait_for_count(index)
    panel(notebook_page).wait_for()
    return notebook_page


def run(page: NotebookPage, index: int) -> None:
    page.cell(index).locator(".cm-content").click()
    page.press_run()


def panel(page: NotebookPage, index: int = 1) -> Locator:
    return page.cell(index).locator(".llamanb-models")


def row(page: NotebookPage, name: str) -> Locator:
    return (
        panel(page)
        .locator("tbody tr")
        .filter(has=page.page.locator(".llamanb-name", has_text=name))
    )


def press(page: NotebookPage, name: str) -> None:
    """Press a button with the keyboard."""
    panel(page).get_by_role("button", name=name, exact=True).focus()
    page.page.keyboard.press("Enter")


def unload(page: NotebookPage, name: str) -> None:
    """Press Unload twice; by two keys a slow machine may take longer than the question stays."""
    button = panel(page).get_by_role("button", name=f"Unload {name}", exact=True)
    asked = button.evaluate(
        "one => { one.click(); const label = one.getAttribute('aria-label'); one.click();"
        " return label }"
    )
    assert asked == f"Press again to unload {name}"


def test_models_are_watched_pinned_and_unloaded_while_a_cell_runs(page: NotebookPage) -> None:
    row(page, "demo").get_by_text("idle", exact=True).wait_for()
    run(page, 2)
    page.wait_for_output(2, "waits")
    row(page, "demo").get_by_text("busy", exact=True).wait_for()
    row(page, "demo").locator("[role=meter]:not([aria-valuenow='0'])").wait_for()
    press(page, "Pin other")
    row(page, "other").get_by_text("pinned", exact=True).wait_for()
    unload(page, "demo")
    said = panel(page).get_by_role("status")
    said.filter(has_text="is answering 1 request(s)").wait_for()
    unload(page, "other")
    row(page, "other").wait_for(state="detached")
    assert page.cell(2).locator(".jp-InputPrompt").inner_text() == "[*]:"
    page.press_stop()
    row(page, "demo").get_by_text("idle", exact=True).wait_for()
    for theme in ("Dark", "Light"):
        page.choose_theme(theme)
        assert serious_findings(panel(page)) == []
    assert page.outside_requests() == []
    assert page.problems == []


def test_the_panel_comes_back_and_a_closed_notebook_shows_the_table(
    page: NotebookPage, lab_root: Path
) -> None:
    assert not page.cell(1).locator("[class^=llamanb-twin]").is_visible()
    run(page, 3)
    panel(page, 3).wait_for()
    page.save()
    page.open("models.ipynb")
    for index in (1, 3):
        panel(page, index).get_by_role("button", name="Unload demo").wait_for()
    page.save()
    page.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    assert "llamanb-twin" in (lab_root / "models.ipynb").read_text("utf-8")
    page.open("models.ipynb")
    tables = page.page.locator("[class^=llamanb-twin]")
    tables.nth(1).wait_for()
    assert ["other" in table and "idle" in table for table in tables.all_inner_texts()] == [
        True
    ] * 2
    page.cell(1).locator(".jupyter-widgets").wait_for(state="hidden")
