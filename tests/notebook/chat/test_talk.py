"""The kernel's side of the chat widget, seen by a page without a browser."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from llamanb.conversation import Session
from llamanb.errors import ContextLengthError
from llamanb.notebook.markdown import render_html
from tests.conversation.talks import add, assert_whole, call, shape, shout
from tests.notebook.chat.page import Page, PageModel, open_page

if TYPE_CHECKING:
    from collections.abc import Iterator


class Desk:
    """A scripted model, the session, and the page."""

    def __init__(self, *replies: str, tools: tuple[Any, ...] = (), **options: Any) -> None:
        self.model = PageModel()
        for reply in replies:
            self.enqueue(reply)
        self.session = Session(self.model, tools=tools)
        self.page, self.talk = open_page(self.session, **options)

    def enqueue(self, reply: str, **options: Any) -> None:
        self.model.enqueue(list(reply), **options)

    def ask(self, text: str, **more: Any) -> dict[str, Any]:
        self.page.say("send", text=text, attachments=[], **more)
        self.page.wait_for_end()
        return self.page.last()


def test_an_answer_streams_to_the_page() -> None:
    desk = Desk("Hello **you**.\n\nAnother 🦙 block.")
    turn = desk.ask("Hi")
    assert turn["status"] == "done"
    assert turn["question"]["html"] == "<p>Hi</p>\n"
    assert desk.page.html() == [render_html("Hello **you**.\n\nAnother 🦙 block.", compact=True)]
    assert "tokens" in turn["footer"]
    assert desk.page.n_hellos == 1


def test_a_later_view_gets_everything_in_the_middle_of_an_answer() -> None:
    model = PageModel()
    model.enqueue(list("One **two"), reason=None)
    session = Session(model)
    first, second = Page("first"), Page("second")
    _, talk = open_page(session, pages=[first, second])
    first.open(talk)
    first.say("send", text="Hi", attachments=[])
    first.wait_for(lambda page: page.order and page.html() == ["<p>One **two</p>\n"])
    second.open(talk)
    assert second.html() == ["<p>One **two</p>\n"]
    (generation,) = talk.desk.streams.values()
    model.say(generation.generation, "** three")
    model.finish(generation.generation)
    first.wait_for_end()
    assert first.html() == second.html() == ["<p>One <strong>two</strong> three</p>\n"]


def test_thinking_has_a_fold_of_its_own() -> None:
    desk = Desk("<think>Hm.</think>Yes.")
    desk.ask("Sure?")
    thought, text = desk.page.last()["parts"]
    assert (thought["kind"], thought["is_open"]) == ("thought", False)
    assert thought["heading"].startswith("Thought for ")
    assert text["html"] == ["<p>Yes.</p>\n"]


def test_stop_keeps_what_there_is() -> None:
    desk = Desk()
    desk.enqueue("It goes on", reason=None)
    desk.page.say("send", text="Hi", attachments=[])
    desk.page.wait_for(lambda page: page.order and page.html() == ["<p>It goes on</p>\n"])
    desk.page.say("stop")
    desk.page.wait_for_end()
    assert desk.page.last()["status"] == "stopped"
    assert desk.session.messages[-1]["content"] == "It goes on"


# ---- tools -------------------------------------------------------------------------------


@pytest.fixture
def asking() -> Iterator[Desk]:
    desk = Desk(call("add", {"a": 2}), "It is done.", tools=(add, shout))
    desk.page.say("send", text="2 + 1?", attachments=[])
    desk.page.wait_for(lambda page: page.asked())
    yield desk
    desk.talk.close()


def _id_of(asking: Desk) -> str:
    return str(asking.page.calls()[0]["id"])


def test_nothing_runs_before_a_yes(asking: Desk) -> None:
    card = asking.page.calls()[0]
    assert (card["state"], card["result"], card["name"]) == ("asking", "", "add")
    asking.page.say("approve", call=_id_of(asking), allow=True)
    asking.page.wait_for_end()
    card = asking.page.calls()[0]
    assert (card["state"], card["result"], card["round"]) == ("done", "3", 1)
    assert asking.page.html() == ["<p>It is done.</p>\n"]
    assert_whole(asking.session.messages)


def test_a_no_is_told_to_the_model(asking: Desk) -> None:
    asking.page.say("approve", call=_id_of(asking), allow=False, reason="too dear")
    asking.page.wait_for_end()
    assert asking.page.calls()[0]["state"] == "denied"
    assert "too dear" in asking.session.messages[2]["content"]


def test_other_arguments_may_be_given(asking: Desk) -> None:
    asking.page.say("approve", call=_id_of(asking), allow=True, arguments='{"a": 40, "b": 2}')
    asking.page.wait_for_end()
    assert asking.page.calls()[0]["result"].endswith("42")


@pytest.mark.parametrize("arguments", ["{", "[]", "3"])
def test_arguments_that_are_no_object_change_nothing(asking: Desk, arguments: str) -> None:
    asking.page.say("approve", call=_id_of(asking), allow=True, arguments=arguments)
    assert "arguments" in asking.page.notices[0]
    assert asking.page.calls()[0]["state"] == "asking"


@pytest.mark.parametrize("allow", [None, 1, "yes", False])
def test_only_a_plain_yes_is_a_yes(asking: Desk, allow: object) -> None:
    asking.page.say("approve", call=_id_of(asking), allow=allow)
    asking.page.wait_for_end()
    assert asking.page.calls()[0]["state"] == "denied"


def test_stop_ends_a_question_and_runs_nothing(asking: Desk) -> None:
    asking.page.say("stop")
    asking.page.wait_for_end()
    assert asking.page.last()["status"] == "stopped"
    assert asking.page.calls()[0]["result"] != "3"


def test_an_answer_to_no_question_is_ignored(asking: Desk) -> None:
    asking.page.say("approve", call="strange", allow=True)
    assert asking.page.calls()[0]["state"] == "asking"


def test_always_is_not_asked_again(asking: Desk) -> None:
    asking.page.say("approve", call=_id_of(asking), allow=True, always=True)
    asking.page.wait_for_end()
    asking.enqueue(call("add", {"a": 5}))
    asking.enqueue("Again.")
    asking.ask("5 + 1?")
    assert [card["state"] for card in asking.page.calls()] == ["done", "done"]


def test_a_call_is_run_again_with_other_arguments(asking: Desk) -> None:
    asking.page.say("approve", call=_id_of(asking), allow=True)
    asking.page.wait_for_end()
    asking.enqueue("Now it is 12.")
    first = asking.page.order[0]
    asking.page.say("rerun", turn=first, call=_id_of(asking), arguments='{"a": 11}')
    asking.page.wait_for_end()
    assert asking.page.calls()[0]["result"] == "12"
    assert asking.page.html() == ["<p>Now it is 12.</p>\n"]
    assert asking.page.last()["siblings"][0] == first
    assert shape(asking.session) == "u a(0) t0 a"
    assert_whole(asking.session.messages)


# ---- branches ----------------------------------------------------------------------------


def test_asking_again_makes_a_sibling_and_both_can_be_shown() -> None:
    desk = Desk("One.", "Two.")
    first = desk.ask("Say")["id"]
    desk.page.say("regenerate", turn=first)
    desk.page.wait_for_end()
    second = desk.page.last()["id"]
    assert desk.page.last()["siblings"] == [first, second]
    desk.page.say("choose", turn=second, to=first)
    desk.page.wait_for_end()
    assert desk.page.order == [first]
    assert desk.session.messages[-1]["content"] == "One."
    desk.page.say("choose", turn=first, to=second)
    desk.page.wait_for_end()
    assert desk.session.messages[-1]["content"] == "Two."


def test_an_edited_question_starts_a_branch_that_keeps_the_old_one() -> None:
    desk = Desk("A1.", "A2.", "B1.", "B2.")
    first = desk.ask("a1")["id"]
    second = desk.ask("a2")["id"]
    desk.page.say("edit", turn=first, text="b1")
    desk.page.wait_for_end()
    assert desk.page.questions() == ["b1"]
    desk.ask("b2")
    desk.page.say("choose", turn=desk.page.order[0], to=first)
    desk.page.wait_for_end()
    assert desk.page.order == [first, second]
    assert [m["content"] for m in desk.session.messages] == ["a1", "A1.", "a2", "A2."]


def test_the_talk_can_go_on_from_an_earlier_turn() -> None:
    desk = Desk("One.", "Two.", "Other.")
    first = desk.ask("1")["id"]
    second = desk.ask("2")["id"]
    desk.page.say("branch", turn=first)
    desk.page.wait_for_end()
    assert desk.page.order == [first]
    third = desk.ask("3")
    assert third["siblings"] == [second, third["id"]]


def test_a_new_chat_forgets_nothing() -> None:
    desk = Desk("One.", "Two.")
    first = desk.ask("1")["id"]
    desk.page.say("clear")
    desk.page.wait_for_end()
    assert desk.page.order == []
    assert desk.session.messages == []
    assert desk.ask("2")["siblings"][0] == first


def test_what_others_say_in_the_same_talk_shows() -> None:
    desk = Desk("One.", "From a cell.")
    desk.ask("1")
    desk.session.send("2")
    desk.page.wait_for(lambda page: page.questions() == ["1", "2"])
    desk.page.wait_for(lambda page: page.html() == ["<p>From a cell.</p>\n"])
    desk.session.undo()
    desk.page.wait_for(lambda page: page.questions() == ["1"])
    assert [len(turn["siblings"]) for turn in desk.page.turns.values()] == [1]


# ---- what goes wrong ---------------------------------------------------------------------


def test_what_cannot_be_asked_says_why_and_the_talk_stays_usable() -> None:
    desk = Desk("One.")
    desk.model.refusal = ContextLengthError("too long", n_prompt=9, n_ctx=8)
    turn = desk.ask("long")
    assert (turn["status"], turn["error"]) == ("error", "too long")
    assert desk.session.messages == []
    desk.model.refusal = None
    desk.page.say("regenerate", turn=turn["id"])
    desk.page.wait_for_end()
    assert desk.page.html() == ["<p>One.</p>\n"]
    assert desk.page.questions() == ["long"]


def test_an_error_of_the_engine_is_shown_below_the_text() -> None:
    desk = Desk()
    desk.enqueue("So", reason="error", error="the engine died", error_type="EngineDead")
    turn = desk.ask("Hi")
    assert (turn["status"], turn["error"]) == ("error", "the engine died")
    assert desk.page.html() == ["<p>So</p>\n"]


@pytest.mark.parametrize(
    "message",
    [
        {"k": "send", "text": ""},
        {"k": "send", "text": 3},
        {"k": "send"},
        {"k": "regenerate", "turn": "strange"},
        {"k": "choose", "turn": "a", "to": None},
        {"k": "edit", "turn": "strange", "text": "x"},
        {"k": "rerun", "turn": "strange", "call": "c", "arguments": "{}"},
        {"k": "continue", "turn": "strange", "token": 0, "alternative": 1},
        {"k": "inspect", "turn": "strange", "what": "prompt"},
        {"k": "export", "format": "exe"},
        {"k": "set", "settings": {"temperature": -1}},
        {"k": "set", "settings": {"temperature": "hot"}},
        {"k": "set", "settings": {"approve": "always"}},
        {"k": "set", "settings": {"system_prompt": 3}},
        {"k": "set", "settings": {"model": "/etc/passwd"}},
        {"k": "set", "settings": 3},
        {"k": "send", "text": "x", "attachments": [{"kind": "variable", "name": "none"}]},
        {"k": "send", "text": "x", "attachments": [{"kind": "image", "name": "i", "url": "http:"}]},
        {"k": "send", "text": "x", "attachments": 3},
    ],
)
def test_nonsense_is_answered_with_a_line(message: dict[str, Any]) -> None:
    desk = Desk()
    desk.talk.receive({"v": 1, "view": "page", **message})
    desk.page.wait_for_end()
    assert len(desk.page.notices) == 1
    assert desk.session.messages == []


@pytest.mark.parametrize("message", [None, 3, {}, {"v": 2}, {"v": 1, "view": 3, "k": "hello"}, []])
def test_what_is_none_of_ours_is_left_alone(message: object) -> None:
    desk = Desk()
    n_heard = len(desk.page.heard)
    desk.talk.receive(message)
    assert len(desk.page.heard) == n_heard


# ---- settings, attachments ---------------------------------------------------------------


def test_settings_of_the_page_are_used() -> None:
    desk = Desk("One.")
    settings = {"temperature": 0, "max_tokens": 20, "system_prompt": "Be brief.", "think": False}
    desk.page.say("set", settings=settings)
    desk.ask("Hi")
    (request,) = desk.model.requests
    assert (request.sampling.temperature, request.sampling.max_tokens) == (0, 20)
    assert request.sampling.logprobs == 5
    assert desk.session.export()[0]["content"] == "Be brief."
    assert desk.page.settings["sampling"]["temperature"] == 0
    desk.page.say("set", settings={"temperature": None, "probabilities": False})
    desk.enqueue("Two.")
    desk.ask("Again")
    assert desk.model.requests[1].sampling.temperature == 0.8
    assert desk.model.requests[1].sampling.logprobs is None


def test_files_and_variables_are_read_by_the_model_and_shown_by_name() -> None:
    desk = Desk("Read.", variables={"table": [1, 2]})
    given = [
        {"kind": "text", "name": "a.txt", "text": "from ``` a file"},
        {"kind": "variable", "name": "table"},
        {"kind": "image", "name": "i.png", "url": "data:image/png;base64,AAAA"},
    ]
    desk.page.say("send", text="See", attachments=given)
    desk.page.wait_for_end()
    content = desk.session.messages[0]["content"]
    assert "File a.txt:\n````\nfrom ``` a file\n````" in content
    assert "Variable table:\n```\n[1, 2]\n```" in content
    shown = desk.page.last()["question"]
    assert shown["text"] == "See"
    assert [one["name"] for one in shown["attachments"]] == ["a.txt", "table", "i.png"]


def test_variables_are_listed_without_functions_and_modules() -> None:
    desk = Desk(variables={"x": 3, "_y": 1, "f": len, "threading": threading, "words": ["a"]})
    desk.page.say("variables")
    desk.page.wait_for_end()
    (answer,) = desk.page.answers["variables"]
    assert answer["variables"] == [
        {"name": "x", "type": "int", "summary": "3"},
        {"name": "words", "type": "list", "summary": "1 items"},
    ]


@pytest.mark.parametrize("what", ["prompt", "grammar", "raw"])
def test_what_is_behind_an_answer_can_be_looked_at(what: str) -> None:
    desk = Desk("<b>One.", tools=(add,))
    turn = desk.ask("Hi")
    desk.page.say("inspect", turn=turn["id"], what=what)
    desk.page.wait_for_end()
    (answer,) = desk.page.answers["inspect"]
    assert answer["title"]
    assert "<b>One." not in answer["html"]


def test_a_closed_talk_sends_nothing_and_leaves_the_session() -> None:
    desk = Desk("One.")
    desk.talk.close()
    n_heard = len(desk.page.heard)
    desk.session.send("Hi")
    assert len(desk.page.heard) == n_heard


def test_nobody_looking_costs_no_messages() -> None:
    desk = Desk("One.")
    desk.page.say("bye")
    n_heard = len(desk.page.heard)
    desk.talk.asking.ask("Hi")
    assert len(desk.page.heard) == n_heard
    desk.page.say("hello")
    assert desk.page.html() == ["<p>One.</p>\n"]
