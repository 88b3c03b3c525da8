"""Hostile text in every place of the chat, living, saved and exported: nothing runs, nothing asks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.chat_page import ChatPage, kernel_value, run, set_up
from tests.corpora.hostile_markdown import BEACONS, HOSTILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.browser.jupyter_server import JupyterServer
    from tests.browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

REPOSITORY = Path(__file__).parents[2]
BEGIN = f"""import sys
sys.path.insert(0, {str(REPOSITORY)!r})
import llamanb
from tests.browser.hostile_chat import HostileModel, attach, echo, past, rename, replies
model = HostileModel()"""
STREAMED = """chat = llamanb.ChatWidget(llamanb.Session(model), tools=[echo], approve="auto")
chat"""
ANSWER = """for reply in replies():
    model.enqueue(reply)
chat.ask("Go")
attach(chat, model)
rename(chat, model)
_ = chat.export("streamed.html")
print("all is", "said")"""
PAST = """model.name = "scripted"
session = llamanb.Session(model, system_prompt=past()[0]['content'])
session.replace_messages(past())
old = llamanb.ChatWidget(session)
_ = old.export("past.html")
old"""
# A grammar can only be followed with the vocabulary of a real model.
USE_DEMO = "setattr(model, 'vocab', llamanb.load('demo', n_threads=1).vocab)"
WATCH = """() => {
  window.llamanbExecuted = [];
  window.__llamanb_executed = what => { window.llamanbExecuted.push(what); };
}"""
PRESS = "button => button.click()"


class Guard:
    """Watches a tab: what was executed and asked for.

    Attributes
    ----------
    requests : addresses the page asked for.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))

    def begin(self) -> None:
        """Catch what a payload would call."""
        self.page.evaluate(WATCH)

    def assert_quiet(self) -> None:
        """Fail if anything happened."""
        self.page.wait_for_timeout(0)
        assert self.page.evaluate("() => window.llamanbExecuted") == []
        assert [url for url in self.requests if url.startswith(BEACONS)] == []


@pytest.fixture(scope="module")
def opened(browser: Browser, lab: JupyterServer) -> Iterator[NotebookPage]:
    """Give a notebook in which hostile texts are said in one chat and were said in another."""
    from tests.browser.notebook_page import NotebookPage

    page = NotebookPage(browser, lab)
    set_up(page, "hostile.ipynb", [BEGIN, STREAMED, ANSWER, PAST])
    yield page
    page.close()
    for name in ("hostile.ipynb", "hostile.html", "streamed.html", "past.html"):
        (lab.root / name).unlink(missing_ok=True)


@pytest.fixture(scope="module")
def talked(opened: NotebookPage, guard: Guard) -> ChatPage:
    """Give a chat that has shown every text while it was said."""
    chat = ChatPage(opened, 1)
    chat.show()
    guard.begin()
    run(opened, 2)
    said = opened.wait_for_output(2, "all is said|Traceback")
    assert "Traceback" not in said, said[-1000:]
    return chat


@pytest.fixture(scope="module")
def guard(opened: NotebookPage) -> Guard:
    return Guard(opened.page)


def test_texts_that_are_said_do_nothing(talked: ChatPage, guard: Guard) -> None:
    chips = talked.root.locator(".llamanb-chip-name")
    assert chips.count() == len(HOSTILE)
    shown = talked.root.evaluate("chat => chat.textContent")
    assert shown.count("__llamanb_executed") > len(HOSTILE)
    assert talked.root.locator(".llamanb-call").count() > 100
    assert talked.root.locator(".llamanb-error").last.inner_text() != ""
    talked.button("Settings").click()
    written = talked.root.get_by_label("System prompt")
    assert written.input_value() == HOSTILE[-1]
    guard.assert_quiet()


def test_inspectors_of_them_do_nothing(
    talked: ChatPage, opened: NotebookPage, guard: Guard
) -> None:
    first = talked.turn(0)
    talked.button("Inspect", within=first).last.evaluate(PRESS)
    for name in ("Prompt", "Grammar", "Raw text", "Tokens"):
        talked.button(name, within=first).evaluate(PRESS)
        first.locator("[aria-pressed='true']", has_text=name).wait_for()
        guard.assert_quiet()
    assert kernel_value(opened, USE_DEMO) is None
    calls = first.locator(".llamanb-call-actions button[aria-label^='Inspect']")
    drawer = first.locator(".llamanb-drawer-title")
    for number in range(0, calls.count(), 11):
        calls.nth(number).evaluate(PRESS)
        drawer.get_by_text("Tool call").wait_for()
        guard.assert_quiet()


def test_a_talk_that_was_and_saved_copies_do_nothing(
    talked: ChatPage, opened: NotebookPage, lab: JupyterServer, guard: Guard
) -> None:
    old = ChatPage(opened, 3)
    old.show()
    old.turn(len(HOSTILE) - 1).wait_for()
    guard.assert_quiet()
    opened.save()
    talked.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    opened.open("hostile.ipynb")
    copies = talked.page.locator("[class^=llamanb-twin]")
    copies.nth(1).wait_for()
    guard.begin()
    assert [text.count("__llamanb_executed") > 100 for text in copies.all_text_contents()] == [
        True
    ] * 2
    guard.assert_quiet()
    assert opened.problems == []
    assert opened.outside_requests() == []


def test_exported_pages_do_nothing(talked: ChatPage, browser: Browser, lab: JupyterServer) -> None:
    opened = browser.new_context()
    page = opened.new_page()
    page.add_init_script(f"({WATCH})()")
    guard = Guard(page)
    for name in ("streamed.html", "past.html"):
        page.goto((lab.root / name).as_uri())
        assert page.locator("body").inner_text().count("__llamanb_executed") > 100
        guard.assert_quiet()
    assert len(guard.requests) == 2
    opened.close()
