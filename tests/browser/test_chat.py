"""A person at JupyterLab chats: asks, allows tools, edits, branches, stops, takes it away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.accessibility import serious_findings
from tests.browser.chat_page import BEGIN, SHOW, ChatPage, kernel_value, set_up

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.browser.jupyter_server import JupyterServer
    from tests.browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

WEATHER = "What is the weather in Oslo?"
RESULT = "12 degrees in Oslo"
NAMED = "%load_ext llamanb\n%llama use demo\n%llama chat notes"
SHARED = "%%llama -c notes\nWhat is R?"
TINY = "tiny = llamanb.load(r'{}', name='tiny', n_ctx=512, n_threads=1)"


@pytest.fixture(scope="module")
def opened(browser: Browser, lab: JupyterServer, tiny_gguf: Path) -> Iterator[NotebookPage]:
    """Give a notebook whose first cell has loaded the models."""
    from tests.browser.notebook_page import NotebookPage

    page = NotebookPage(browser, lab)
    cells = [f"{BEGIN}\n{TINY.format(tiny_gguf)}", SHOW, NAMED, SHARED]
    set_up(page, "chat.ipynb", cells)
    yield page
    page.close()
    (lab.root / "chat.ipynb").unlink()


@pytest.fixture
def chat(opened: NotebookPage) -> ChatPage:
    """Give a new widget in the second cell."""
    page = ChatPage(opened)
    page.show()
    return page


def messages(chat: ChatPage) -> list[dict[str, str]]:
    return list(kernel_value(chat.notebook, "chat.messages"))


def test_a_typed_question_is_answered(chat: ChatPage) -> None:
    assert "Ask demo something." in chat.root.inner_text()
    chat.ask("What is R?")
    answer = chat.wait_for_answer(r"\w")
    assert "tokens/s" in chat.footer()
    assert "demo (toy)" in chat.footer()
    meter = chat.root.get_by_role("meter", name="Context used")
    assert int(meter.get_attribute("aria-valuenow") or 0) > 10
    assert chat.composer.input_value() == ""
    assert chat.question() == "What is R?"
    assert [one["role"] for one in messages(chat)] == ["user", "assistant"]
    assert messages(chat)[1]["content"].split()[:3] == answer.split()[:3]
    assert chat.notebook.outside_requests() == []
    assert chat.notebook.problems == []


def test_a_tool_runs_after_approve_and_not_before(chat: ChatPage) -> None:
    chat.ask(WEATHER)
    card = chat.card("asking")
    assert '"Oslo"' in card.inner_text()
    assert kernel_value(chat.notebook, "ran") == []
    chat.press("Approve the call of get_weather")
    chat.wait_for_answer(f"is {RESULT}")
    assert kernel_value(chat.notebook, "ran") == ["Oslo"]
    card = chat.card("done")
    assert RESULT in card.inner_text()
    assert "looking Oslo" in card.inner_text()


def test_a_denied_call_never_runs_and_the_model_is_told(chat: ChatPage) -> None:
    chat.ask(WEATHER)
    chat.press("Deny the call of get_weather")
    chat.root.get_by_role("textbox", name="Reason").fill("no weather today")
    chat.page.keyboard.press("Enter")
    chat.card("denied")
    chat.wait_for_answer()
    assert kernel_value(chat.notebook, "ran") == []
    assert "no weather today" in messages(chat)[2]["content"]


def test_a_call_runs_with_edited_arguments_and_again(chat: ChatPage) -> None:
    chat.ask(WEATHER)
    chat.press("Edit the arguments for get_weather")
    chat.root.get_by_role("textbox", name="Arguments for get_weather").fill('{"city": "Bergen"}')
    chat.button("Run with these").click()
    chat.wait_for_answer("degrees in Bergen")
    assert kernel_value(chat.notebook, "ran") == ["Bergen"]
    chat.press("Run get_weather again")
    chat.root.get_by_role("textbox", name="Arguments for get_weather").fill('{"city": "Rome"}')
    chat.button("Run again").click()
    chat.wait_for_answer("degrees in Rome")
    assert kernel_value(chat.notebook, "ran") == ["Bergen", "Rome"]
    assert "2/2" in chat.turn().inner_text()


def test_edit_regenerate_and_branch_keep_every_version(chat: ChatPage) -> None:
    chat.ask("What is R?")
    first = chat.wait_for_answer(r"\w")
    chat.press("Edit the question")
    chat.page.keyboard.press("Control+A")
    chat.page.keyboard.type("What is Jupyter?")
    chat.page.keyboard.press("Enter")
    versions = chat.root.locator(".llamanb-siblings")
    versions.get_by_text("2/2").wait_for()
    chat.wait_for_answer(r"\w")
    assert "tokens reused" in chat.footer()
    chat.press("Regenerate")
    versions.get_by_text("3/3").wait_for()
    chat.wait_for_answer(r"\w")
    for _ in range(2):
        chat.button("Previous version").click()
    versions.get_by_text("1/3").wait_for()
    assert chat.wait_for_answer(r"\w") == first
    assert chat.question() == "What is R?"
    chat.ask("And Python?")
    chat.turn(1).wait_for()
    chat.wait_for_answer(r"\w")
    assert len(messages(chat)) == 4
    chat.button("Branch from here", within=chat.turn(0)).click()
    chat.turn(1).wait_for(state="detached")
    chat.ask("And Julia?")
    chat.turn(1).wait_for()
    versions.get_by_text("2/2").wait_for()
    assert chat.question() == "And Julia?"


def test_another_word_is_chosen_in_the_token_view(chat: ChatPage) -> None:
    chat.ask("Tell me a joke about cats")
    first = chat.wait_for_answer(r"\w")
    chat.press("Inspect")
    chat.button("Tokens").click()
    chat.turn().get_by_role("button", name="'Sorry'").first.click()
    chat.root.locator(".llamanb-siblings").get_by_text("2/2").wait_for()
    assert chat.wait_for_answer("^Sorry") != first


def test_the_model_is_switched_for_the_next_answer(chat: ChatPage) -> None:
    chat.root.get_by_label("Model", exact=True).select_option("tiny")
    chat.root.get_by_text("Ask tiny something.").wait_for()
    chat.button("Settings").click()
    chat.root.get_by_label("Most tokens").fill("8")
    chat.composer.click()
    chat.ask("Hello")
    chat.wait_for_answer()
    assert "8 tokens" in chat.footer()
    assert "tiny" in chat.footer()
    assert kernel_value(chat.notebook, "chat.session.model.name") == "tiny"


def test_a_talk_is_taken_away_as_a_file_and_as_cells(chat: ChatPage) -> None:
    chat.ask("What is R?")
    answer = chat.wait_for_answer(r"\w")
    with chat.page.expect_download() as downloading:
        chat.button("Export").click()
        chat.root.get_by_role("menuitem", name="JSON").click()
    saved = json.loads(Path(downloading.value.path()).read_text("utf-8"))
    assert downloading.value.suggested_filename.endswith(".json")
    assert "What is R?" in json.dumps(saved)
    before = chat.sources()
    chat.button("Export").click()
    chat.root.get_by_role("menuitem", name="Insert as cells").click()
    chat.root.get_by_role("status").filter(has_text="inserted below").wait_for()
    added = chat.sources()[2:-2]
    assert len(chat.sources()) == len(before) + len(added)
    assert "What is R?" in added[0]
    assert answer.split()[0] in added[-1]
    delete = "n => window.jupyterapp.shell.currentWidget.content.model.sharedModel.deleteCellRange(2, 2 + n)"
    chat.page.evaluate(delete, len(added))
    assert chat.sources() == before


def test_a_named_chat_is_shared_with_cells(opened: NotebookPage) -> None:
    chat = ChatPage(opened, 2)
    chat.show()
    assert "%%llama -c notes" in chat.root.inner_text()
    chat.ask("What is Jupyter?")
    chat.wait_for_answer(r"\w")
    opened.cell(3).locator(".cm-content").click()
    opened.press_run()
    opened.wait_for_output(3, "chat notes, turn 2")
    chat.turn(1).wait_for()
    assert chat.question() == "What is R?"
    chat.ask("And Python?")
    chat.turn(2).wait_for()
    chat.wait_for_answer(r"\w")


def test_a_whole_talk_by_keyboard(chat: ChatPage) -> None:
    press, before = chat.page.keyboard.press, chat.sources()
    chat.root.get_by_label("Model", exact=True).focus()
    while chat.focused() != "Question":
        press("Tab")
    chat.page.keyboard.type("dd ab x 00 ")
    press("Control+A")
    chat.page.keyboard.type(WEATHER)
    press("Enter")
    chat.card("asking")
    press("Shift+Tab")
    while chat.focused() != "Approve the call of get_weather":
        press("Shift+Tab")
    for key in ("x", "d", "d", "a", "b", "0", "0", "m", "j"):
        press(key)
    assert kernel_value(chat.notebook, "ran") == []
    press("Enter")
    chat.wait_for_answer(RESULT)
    assert chat.focused() == "Question"
    while chat.focused() != "Inspect":
        press("Shift+Tab")
    press("Enter")
    drawer = chat.root.get_by_role("region", name="What the model was given")
    drawer.wait_for()
    for key in ("x", "d", "d", "a", "b"):
        press(key)
    press("Escape")
    drawer.wait_for(state="detached")
    assert chat.focused() == "Inspect"
    while chat.focused() != "Question":
        press("Tab")
    press("ArrowUp")
    chat.page.keyboard.type(" And Rome?")
    press("Enter")
    chat.root.get_by_text("2/2").wait_for()
    assert chat.question() == f"{WEATHER} And Rome?"
    press("Escape")
    chat.wait_for_answer(status="stopped")
    assert chat.sources() == before
    assert chat.notebook.problems == []


def test_nothing_serious_is_found_in_any_state(chat: ChatPage) -> None:
    found: list[object] = []

    def look(state: str) -> None:
        found.extend((state, one) for one in serious_findings(chat.root))

    def look_in_the_dark(state: str) -> None:
        chat.notebook.choose_theme("Dark")
        look(f"{state}, dark")
        chat.notebook.choose_theme("Light")

    look("empty")
    chat.ask(WEATHER)
    chat.card("asking")
    look("asking")
    look_in_the_dark("asking")
    chat.press("Edit the arguments for get_weather")
    look("editing")
    chat.button("Run with these").click()
    chat.wait_for_answer(RESULT)
    chat.press("Inspect")
    for name in ("Prompt", "Raw text", "Tokens"):
        chat.button(name).click()
        chat.root.locator("[aria-pressed='true']", has_text=name).wait_for()
        look(name)
    chat.button("Settings").click()
    look("settings")
    look_in_the_dark("done, tokens, settings")
    assert found == []
