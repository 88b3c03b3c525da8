"""The chat after a reload, in a saved notebook without a kernel, and converted to HTML."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.browser.accessibility import serious_findings
from tests.browser.chat_page import BEGIN, SHOW, ChatPage, kernel_value, set_up

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Route

    from tests.browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

WEATHER = "What is the weather in Oslo?"
SLOW = "demo = llamanb.load(r'{}', n_ctx=4096, n_threads=1)"
CHAT = "chat = llamanb.ChatWidget(demo, max_tokens=3000)\nchat"
SHUT_DOWN = "() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()"
CONVERT_TIMEOUT_S = 120


def test_a_talk_is_back_after_a_reload_and_goes_on(
    notebook_page: NotebookPage, slow_gguf: Path
) -> None:
    set_up(notebook_page, "reload.ipynb", [f"import llamanb\n{SLOW.format(slow_gguf)}", CHAT])
    chat = ChatPage(notebook_page)
    chat.show()
    notebook_page.save()
    chat.ask("ba be bi bo")
    before = chat.wait_for_growth(40)
    notebook_page.open("reload.ipynb")
    early = chat.wait_for_growth(before)
    later = chat.wait_for_growth(early + 40)
    assert chat.question() == "ba be bi bo"
    assert serious_findings(chat.root) == []
    chat.button("Stop").click()
    shown = chat.wait_for_answer(status="stopped")
    assert len(shown) >= later
    assert "stopped after" in chat.footer()
    said = kernel_value(notebook_page, "chat.messages[-1]['content']")
    assert shown.split() == said.split()
    assert notebook_page.problems == []


def test_a_saved_notebook_shows_the_talk_without_a_kernel(
    notebook_page: NotebookPage, lab_root: Path, browser: Browser
) -> None:
    set_up(notebook_page, "saved.ipynb", [BEGIN, SHOW])
    chat = ChatPage(notebook_page)
    chat.show()
    copy = notebook_page.cell(1).locator("[class^=llamanb-twin]")
    chat.ask(WEATHER)
    chat.press("Approve the call of get_weather")
    answer = chat.wait_for_answer("is 12 degrees in Oslo")
    assert not copy.is_visible()
    notebook_page.page.wait_for_function(
        "() => JSON.stringify(window.jupyterapp.shell.currentWidget.content.widgets[1]"
        ".model.outputs.toJSON()).includes('The result is 12 degrees')"
    )
    notebook_page.save()
    notebook_page.page.evaluate(SHUT_DOWN)
    notebook_page.open("saved.ipynb")
    copy.wait_for()
    text = copy.inner_text()
    assert WEATHER in text
    assert answer.splitlines()[-1] in text
    assert "get_weather" in text
    notebook_page.cell(1).locator(".jupyter-widgets").wait_for(state="hidden")
    assert "not found" not in notebook_page.cell(1).inner_text()
    notebook_page.write("plain.ipynb", ["1 + 1"])
    assert_converted_html_shows(browser, lab_root / "saved.ipynb", answer.splitlines()[-1])
    assert notebook_page.outside_requests() == []


def assert_converted_html_shows(browser: Browser, notebook: Path, answer: str) -> None:
    """Check that ``jupyter nbconvert`` keeps the talk, and that it asks for nothing more."""
    plain = notebook.with_name("plain.ipynb")
    convert = [sys.executable, "-m", "jupyter", "nbconvert", "--to", "html"]
    subprocess.run(
        [*convert, notebook.name, plain.name],
        cwd=notebook.parent,
        check=True,
        timeout=CONVERT_TIMEOUT_S,
    )
    text, asked = _open(browser, notebook.with_suffix(".html"))
    _, asked_plain = _open(browser, plain.with_suffix(".html"))
    assert WEATHER in text
    assert answer in text
    assert set(asked) <= set(asked_plain)


def _open(browser: Browser, page: Path) -> tuple[str, list[str]]:
    """Show a file without a network; gives its text, and the addresses it asked for."""
    context = browser.new_context()
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    context.route("http*://**", refuse)
    tab = context.new_page()
    tab.goto(page.as_uri())
    text = tab.locator("body").inner_text()
    context.close()
    return text, asked
