"""The chat widget's kernel side over real models: tokens, branches, another model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

import llamanb
from llamanb.conversation import Session
from llamanb.notebook.chat.settings import ChatSettings
from llamanb.settings import SamplingSettings
from tests.conversation.talks import add
from tests.notebook.chat.page import Page, open_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llamanb.models import Model

GREEDY = SamplingSettings(temperature=0, max_tokens=60)
ALTERNATIVE = re.compile(r'data-token="(\d+)" data-alternative="(\d+)"')


@pytest.fixture(scope="module")
def toy() -> Iterator[Model]:
    model = llamanb.load("demo", name="chat-toy", n_ctx=1024, n_threads=1, progress=False)
    yield model
    model.unload(force=True)


@pytest.fixture
def page(toy: Model) -> Iterator[Page]:
    page, talk = open_page(Session(toy, sampling=GREEDY))
    yield page
    talk.close()


def ask(page: Page, text: str) -> str:
    page.say("send", text=text, attachments=[])
    page.wait_for_end()
    return str(page.last()["id"])


def look(page: Page, turn: str, what: str) -> str:
    page.say("inspect", turn=turn, what=what)
    page.wait_for_end()
    return str(page.answers["inspect"][-1]["html"])


@pytest.mark.parametrize("what", ["prompt", "grammar", "raw", "tokens"])
def test_an_answer_can_be_looked_behind(page: Page, what: str) -> None:
    html = look(page, ask(page, "What is R?"), what)
    assert html.startswith("<")
    assert "programming" in html or what in ("prompt", "grammar")


def test_the_model_goes_on_with_another_token(page: Page) -> None:
    first = ask(page, "What is R?")
    offered = ALTERNATIVE.findall(look(page, first, "tokens"))
    token, alternative = next(pair for pair in offered if int(pair[0]) >= 2)
    page.say("continue", turn=first, token=int(token), alternative=int(alternative))
    page.wait_for_end()
    other = page.last()
    assert other["siblings"][0] == first
    assert other["reused"]
    assert page.html() != page.html(first)


def test_what_memory_holds_is_not_computed_again(page: Page) -> None:
    first = ask(page, "What is R?")
    page.say("regenerate", turn=first)
    page.wait_for_end()
    reused, total = (int(n) for n in re.findall(r"\d+", page.last()["reused"]))
    assert reused >= total - 1
    assert page.settings["used"] > total


def test_another_model_answers_after_it_was_loaded(page: Page, tiny_gguf: Path) -> None:
    other = llamanb.load(tiny_gguf, name="chat-other", n_ctx=256, n_threads=1, progress=False)
    page.say("set", settings={})
    offered = {row["name"]: row["is_resident"] for row in page.settings["models"]}
    assert offered["chat-other"] is True
    page.say("set", settings={"model": "chat-other"})
    page.wait_for(lambda page: page.settings["model"] == "chat-other")
    page.wait_for_end()
    page.say("set", settings={"max_tokens": 3})
    ask(page, "ba be")
    assert "chat-other" in page.last()["footer"]
    other.unload(force=True)


def test_a_question_too_long_is_refused_and_the_talk_goes_on(page: Page) -> None:
    ask(page, "word " * 2000)
    assert "1,024" in page.last()["error"] or "1024" in page.last()["error"]
    ask(page, "What is R?")
    assert page.last()["status"] == "done"


def test_a_real_call_can_be_looked_at(toy: Model) -> None:
    session = Session(toy, sampling=GREEDY, tools=[add], tool_choice="required")
    page, talk = open_page(session, settings=ChatSettings(approve="auto"))
    turn = ask(page, "What is 2 plus 1?")
    call = page.calls()[0]
    page.say("inspect", turn=turn, what="call", call=call["id"])
    page.wait_for_end()
    assert "add" in page.answers["inspect"][0]["html"]
    talk.close()


def test_a_model_that_was_loaded_again_answers_under_its_name() -> None:
    options: dict[str, Any] = {"name": "chat-again", "n_ctx": 512, "progress": False}
    first = llamanb.load("demo", n_threads=1, **options)
    page, talk = open_page(Session(first, sampling=GREEDY))
    ask(page, "What is R?")
    first.unload(force=True)
    page.say("hello")
    ask(page, "And?")
    assert "unloaded" in page.last()["error"]
    second = llamanb.load("demo", n_threads=1, **options)
    ask(page, "And now?")
    assert page.last()["status"] == "done"
    assert page.questions() == ["What is R?", "And?", "And now?"]
    talk.close()
    second.unload(force=True)
