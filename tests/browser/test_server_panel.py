"""A person at JupyterLab serves a model, watches requests come in, copies, stops, looks later."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.browser.accessibility import serious_findings

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator

    from tests.browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

BEGIN = "%load_ext llamanb\n%llama load demo\nimport threading, urllib.request, llamanb"
SERVE = "%llama serve"
WAIT = "print('waits')\nthreading.Event().wait(60)"
THREADS = "print(sorted(t.name for t in threading.enumerate() if 'panel' in t.name))"
SETTINGS = "@jupyterlab/apputils-extension:kernels-settings"
CONTRAST = """element => {
  const light = color => {
    const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map(part => {
      const value = part / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const clear = 'rgba(0, 0, 0, 0)';
  const behind = node => {
    const color = getComputedStyle(node).backgroundColor;
    return color === clear ? behind(node.parentElement) : color;
  };
  // The text colours of JupyterLab are half transparent: mix them with what is behind.
  const under = behind(element).match(/[\\d.]+/g).map(Number);
  const [r, g, b, alpha = 1] = getComputedStyle(element).color.match(/[\\d.]+/g).map(Number);
  const mixed = [r, g, b].map((part, i) => part * alpha + under[i] * (1 - alpha));
  const [a, z] = [light(`rgb(${mixed})`), light(behind(element))].sort((x, y) => y - x);
  return (a + 0.05) / (z + 0.05);
}"""


@pytest.fixture
def page(notebook_page: NotebookPage) -> NotebookPage:
    """Give a notebook whose second cell has started a server."""
    notebook_page.create("server.ipynb", [BEGIN, SERVE, WAIT, THREADS])
    for index in (0, 1):
        run(notebook_page, index)
        notebook_page.wait_for_count(index)
    panel(notebook_page).wait_for()
    return notebook_page


def run(page: NotebookPage, index: int) -> None:
    page.cell(index).locator(".cm-content").click()
    page.press_run()


def panel(page: NotebookPage) -> Locator:
    return page.cell(1).locator(".llamanb-server")


def address(page: NotebookPage) -> str:
    return panel(page).locator(".llamanb-url").inner_text()


def ask(url: str, model: str = "demo") -> None:
    """Send a request from outside the kernel, as another program would."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "What is R?"}]})
    headers = {"Content-Type": "application/json", "User-Agent": "outside/1.0"}
    request = urllib.request.Request(f"{url}/v1/chat/completions", body.encode(), headers)  # noqa: S310  # our own server
    urllib.request.urlopen(request, timeout=30).read()  # noqa: S310  # our own server


def rows(page: NotebookPage, count: int) -> list[list[str]]:
    """Wait for so many ended requests in the log; gives the texts of its cells."""
    body = panel(page).locator("tbody")
    body.locator("tr:not([data-state='running'])").nth(count - 1).wait_for()
    return [one.locator("td").all_inner_texts() for one in body.locator("tr").all()]


def test_requests_from_outside_and_from_a_cell_show_up(page: NotebookPage) -> None:
    assert "No requests yet." in panel(page).inner_text()
    ask(address(page))
    first = rows(page, 1)[0]
    assert first[1:5] == ["200", "POST /v1/chat/completions", "outside/1.0", "demo"]
    assert [cell.isdecimal() for cell in (first[5], first[7], first[8], first[9])] == [True] * 4
    code = "srv = next(iter(llamanb.servers.values()))\n"
    code += "print(urllib.request.urlopen(srv.base_url + '/models').status)"
    page.cell(2).locator(".cm-content").fill(code)
    run(page, 2)
    page.wait_for_output(2, "200")
    newest, second = rows(page, 2)
    assert newest[1:3] == ["200", "GET /v1/models"]
    assert newest[3].startswith("Python-urllib/")
    assert second == first
    assert "2 requests" in panel(page).inner_text()
    assert page.outside_requests() == []
    assert page.problems == []


def test_configurations_are_chosen_by_keyboard_and_copied(page: NotebookPage) -> None:
    tabs = panel(page).get_by_role("tab")
    tabs.first.click()
    for key, name in (("ArrowRight", "OpenAI SDK"), ("End", "Codex"), ("Home", "curl")):
        page.page.keyboard.press(key)
        chosen = panel(page).get_by_role("tab", selected=True)
        assert chosen.inner_text() == name
    assert address(page) in panel(page).get_by_role("tabpanel").inner_text()
    page.page.keyboard.press("x")  # would cut the cell, were the notebook listening
    assert page.cell(1).locator(".cm-content").inner_text() == SERVE
    panel(page).get_by_role("button", name="Copy the configuration").click()
    panel(page).get_by_role("status").filter(has_text="Copied.").wait_for()
    page.cell(2).locator(".cm-content").fill("")
    page.page.keyboard.press("Control+V")
    assert page.cell(2).locator(".cm-content").inner_text().startswith("curl http://127.0.0.1")


def test_stop_works_while_another_cell_runs(page: NotebookPage, lab_root: Path) -> None:
    url = address(page)
    ask(url)
    rows(page, 1)
    run(page, 2)
    page.wait_for_output(2, "waits")
    ask(url)  # sent on by the kernel while the cell runs
    rows(page, 2)
    panel(page).get_by_role("button", name=re.compile("Stop the server on port")).click()
    panel(page).get_by_role("status").filter(has_text="Stopped.").wait_for()
    assert page.cell(2).locator(".jp-InputPrompt").inner_text() == "[*]:"
    with pytest.raises(OSError, match="refused"):
        ask(url)
    page.press_stop()
    page.wait_for_output(2, "KeyboardInterrupt")
    page.save()
    saved = (lab_root / "server.ipynb").read_text("utf-8")
    assert f"server at {url}: stopped" in saved
    assert "outside/1.0" in saved


def test_without_subshells_the_panel_says_that_it_waits(notebook_page: NotebookPage) -> None:
    notebook_page.create("plain.ipynb")
    save = "([id, raw]) => window.jupyterapp.serviceManager.settings.save(id, raw)"
    notebook_page.page.evaluate(save, [SETTINGS, '{"commsOverSubshells": "disabled"}'])
    notebook_page.is_used_up = True  # its next kernels would have none either
    try:
        notebook_page.write("server.ipynb", [BEGIN, SERVE, WAIT])
        notebook_page.open("server.ipynb")
        for index in (0, 1):
            run(notebook_page, index)
            notebook_page.wait_for_count(index)
        panel(notebook_page).wait_for()
        run(notebook_page, 2)
        notebook_page.wait_for_output(2, "waits")
        panel(notebook_page).locator(".llamanb-stop").click()
        note = panel(notebook_page).get_by_role("status")
        note.filter(has_text="stops when the running cell ends").wait_for()
        notebook_page.press_stop()
        note.filter(has_text="Stopped.").wait_for()
    finally:
        notebook_page.page.evaluate(save, [SETTINGS, "{}"])


def test_the_panel_is_back_after_a_reload(page: NotebookPage) -> None:
    ask(address(page))
    before = rows(page, 1)
    page.save()
    page.open("server.ipynb")
    panel(page).wait_for()
    assert rows(page, 1) == before
    ask(address(page))
    assert rows(page, 2)[1:] == before
    assert page.problems == []


def test_running_the_cell_again_and_clearing_it_leave_nothing(page: NotebookPage) -> None:
    for _ in range(3):
        run(page, 1)
        page.wait_for_status("idle")
        panel(page).wait_for()
    assert panel(page).count() == 1
    run(page, 3)
    assert page.wait_for_output(3, r"\[").count("llamanb-panel") == 1
    page.cell(1).click()
    page.page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-cell-output')")
    panel(page).wait_for(state="detached")
    run(page, 3)
    page.wait_for_output(3, r"\[\]")


def test_a_closed_notebook_shows_the_table(page: NotebookPage, lab_root: Path) -> None:
    ask(address(page))
    rows(page, 1)
    assert not page.cell(1).locator("[class^=llamanb-twin]").is_visible()
    page.page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.content.widgets[1].model.outputs.toJSON()"
        ".some(output => JSON.stringify(output).includes('outside/1.0'))"
    )
    page.save()
    page.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    assert "outside/1.0" in (lab_root / "server.ipynb").read_text("utf-8")
    page.open("server.ipynb")
    sheet = page.cell(1).locator("[class^=llamanb-twin]")
    sheet.wait_for()
    assert "POST /v1/chat/completions" in sheet.inner_text()
    page.cell(1).locator(".jupyter-widgets").wait_for(state="hidden")


def test_the_panel_is_readable_in_dark_and_light(page: NotebookPage) -> None:
    ask(address(page))
    rows(page, 1)
    for theme in ("Dark", "Light"):
        page.choose_theme(theme)
        for part in (
            ".llamanb-state",
            ".llamanb-url",
            ".llamanb-summary span",
            ".llamanb-stop",
            ".llamanb-tabs button",
            ".llamanb-snippet",
            "th",
            "td",
        ):
            assert panel(page).locator(part).first.evaluate(CONTRAST) >= 4.5, (theme, part)
        assert serious_findings(panel(page)) == []
