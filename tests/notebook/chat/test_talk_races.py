"""The widget and others in the same talk: at once, after failures, and with other models."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from llamanb.conversation import Session
from llamanb.errors import ContextLengthError
from llamanb.notebook.chat.attachments import list_variables
from llamanb.notebook.chat.live import LiveTurn
from llamanb.notebook.chat.settings import ChatSettings
from tests.conversation.talks import add, assert_whole, call, described, shape
from tests.notebook.chat.page import WAIT_S, PageModel, open_page

if TYPE_CHECKING:
    from llamanb.conversation.tools import ToolRequest


class Desk:
    """A scripted model, the session, and the page."""

    def __init__(self, *replies: str, tools: tuple[Any, ...] = (), **options: Any) -> None:
        self.model = PageModel()
        self.enqueue(*replies)
        self.session = Session(self.model, tools=tools)
        self.page, self.talk = open_page(self.session, **options)

    def enqueue(self, *replies: str, **options: Any) -> None:
        for reply in replies:
            self.model.enqueue(list(reply), **options)

    def say(self, kind: str, **more: Any) -> dict[str, Any]:
        self.page.say(kind, **more)
        self.page.wait_for_end()
        return self.page.last()

    def ask(self, text: str) -> dict[str, Any]:
        return self.say("send", text=text, attachments=[])

    def wait_for_questions(self, *questions: str) -> None:
        self.page.wait_for(lambda page: page.questions() == list(questions))


# ---- cells in the same talk --------------------------------------------------------------


def test_a_question_stops_the_answer_of_a_cell_and_follows_it() -> None:
    desk = Desk()
    desk.enqueue("It goes", reason=None)
    cell = desk.session.stream("from a cell")
    read = [next(iter(cell))]
    desk.enqueue("Yes.")
    turn = desk.ask("from the page")
    assert read
    assert desk.page.questions() == ["from a cell", "from the page"]
    assert turn["has"]  # it is the widget's own turn, not a copy of its messages
    assert shape(desk.session) in ("u a u a", "u u a")


def test_what_a_cell_says_while_a_page_waits_is_not_lost() -> None:
    desk = Desk("One.", "Two.", "Three.")
    desk.ask("a")
    with desk.talk.desk.alone():
        desk.page.say("send", text="c", attachments=[])
        desk.session.send("b")
    desk.page.wait_for_end()
    assert [m["content"] for m in desk.session.messages if m["role"] == "user"] == ["a", "b", "c"]
    desk.wait_for_questions("a", "b", "c")


def test_cells_keep_the_turns_of_the_widget_after_a_failure() -> None:
    desk = Desk("One.")
    submit = desk.model.submit
    desk.model.submit = _too_long  # type: ignore[assignment,method-assign]
    assert desk.ask("a")["status"] == "error"
    desk.model.submit = submit  # type: ignore[method-assign]
    second = desk.ask("b")
    desk.enqueue("Two.")
    desk.session.send("from a cell")
    desk.wait_for_questions("a", "b", "from a cell")
    assert second["id"] in desk.page.order


def _too_long(_: Any) -> Any:
    raise ContextLengthError("too long")


def test_cells_go_on_after_the_shown_one_of_two_equal_answers() -> None:
    desk = Desk("One.", "One.")
    first = desk.ask("a")["id"]
    second = desk.say("regenerate", turn=first)["id"]
    desk.enqueue("Two.")
    desk.session.send("from a cell")
    desk.wait_for_questions("a", "from a cell")
    assert desk.page.order[0] == second


def test_a_call_that_comes_back_stays_in_the_turn_of_the_widget() -> None:
    desk = Desk(call("open_door"), "Done.", "Bye.", tools=(described("open_door"),))
    first = desk.ask("Open")
    desk.session.resume({str(desk.page.calls()[0]["id"]): "it is open"}).close()
    desk.page.wait_for(lambda page: page.calls()[0]["result"] == "it is open")
    assert desk.page.order == [first["id"]]


def test_an_unanswered_call_does_not_double_its_turn() -> None:
    desk = Desk(call("open_door"), "Bye.", tools=(described("open_door"),))
    turns = [desk.ask("Open")["id"], desk.ask("Never mind")["id"]]
    assert desk.page.order == turns
    assert shape(desk.session) == "u a(0) t0 u a"


def test_two_widgets_of_one_session_lose_no_question() -> None:
    desk = Desk(*(f"answer {number}" for number in range(12)))
    other, talk = open_page(desk.session)
    asked = [f"q{number}" for number in range(12)]
    for number, text in enumerate(asked):
        (desk.page, other)[number % 2].say("send", text=text, attachments=[])
    desk.page.wait_for_end()
    other.wait_for_end()
    said = [m["content"] for m in desk.session.messages if m["role"] == "user"]
    assert sorted(said) == sorted(asked)
    desk.wait_for_questions(*said)
    other.wait_for(lambda page: page.questions() == said)
    talk.close()


@pytest.mark.parametrize("forget", [Session.reset, Session.undo])
def test_a_cell_takes_back_what_is_being_answered(forget: Any) -> None:
    desk = Desk()
    desk.enqueue("It goes on", reason=None)
    desk.page.say("send", text="a", attachments=[])
    desk.page.wait_for(lambda page: page.order and page.html() == ["<p>It goes on</p>\n"])
    forget(desk.session)
    desk.page.wait_for(lambda page: not page.order)
    desk.page.wait_for_end()
    assert desk.session.messages == []


# ---- approval ----------------------------------------------------------------------------


def _asked(desk: Desk) -> str:
    return str(desk.page.wait_for(lambda page: page.asked())["id"])


def test_no_thread_waits_for_an_answer_about_a_turn_that_a_cell_stopped() -> None:
    desk = Desk(call("add", {"a": 2}), "Later.", tools=(add,))
    before = set(threading.enumerate())
    desk.page.say("send", text="2 + 1?", attachments=[])
    _asked(desk)
    desk.session.send("from a cell", approve="auto")
    desk.page.wait_for_end()
    for thread in set(threading.enumerate()) - before:
        thread.join(WAIT_S)
        assert not thread.is_alive()


def test_always_ends_when_asking_is_chosen_again() -> None:
    desk = Desk(call("add", {"a": 2}), "It is 3.", call("add", {"a": 3}), "4.", tools=(add,))
    desk.page.say("send", text="2 + 1?", attachments=[])
    desk.say("approve", call=_asked(desk), allow=True, always=True)
    desk.say("set", settings={"approve": "ask"})
    desk.page.say("send", text="3 + 1?", attachments=[])
    desk.say("approve", call=_asked(desk), allow=False)
    assert desk.page.calls()[1]["state"] == "denied"


def _rerun(desk: Desk) -> dict[str, Any]:
    first = desk.page.calls()[0]
    turn = desk.page.order[0]
    desk.enqueue("So be it.")
    desk.say("rerun", turn=turn, call=first["id"], arguments='{"a": 40, "b": 2}')
    return desk.page.calls()[0]


def test_a_tool_does_not_run_again_where_none_may() -> None:
    desk = Desk(call("add", {"a": 2}), "No.", tools=(add,), settings=ChatSettings(approve="never"))
    desk.ask("2 + 1?")
    card = _rerun(desk)
    assert card["state"] == "error"
    assert "not allowed" in card["result"]
    assert_whole(desk.session.messages)


def test_a_function_decides_about_a_tool_that_shall_run_again() -> None:
    seen: list[str] = []

    def allow(request: ToolRequest) -> bool:
        seen.append(request.arguments)
        return bool(request.args["a"] < 10)

    desk = Desk(call("add", {"a": 2}), "3.", tools=(add,), settings=ChatSettings(approve=allow))
    desk.ask("2 + 1?")
    assert "not allowed" in _rerun(desk)["result"]
    assert seen == ['{"a": 2}', '{"a": 40, "b": 2}']


# ---- asking again ------------------------------------------------------------------------


def test_tokens_after_a_call_that_ran_again_belong_to_the_later_reply() -> None:
    desk = Desk(call("add", {"a": 2}), "3.", tools=(add,), settings=ChatSettings(approve="auto"))
    desk.ask("2 + 1?")
    _rerun(desk)
    again = desk.page.order[0]
    desk.enqueue("Now it is known.")
    desk.say("continue", turn=again, token=0, alternative=65)
    assert shape(desk.session) == "u a(0) t0 a"
    assert desk.page.calls()[0]["result"] == "42"


@pytest.mark.parametrize("token", [-1, 99, 10**30])
def test_a_token_that_is_not_there_is_refused(token: int) -> None:
    desk = Desk("One.")
    turn = desk.ask("a")["id"]
    desk.say("continue", turn=turn, token=token, alternative=65)
    assert desk.page.order == [turn]
    assert len(desk.page.notices) == 1


def test_tokens_of_another_model_are_refused() -> None:
    desk = Desk("One.")
    turn = desk.ask("a")["id"]
    desk.session.model = PageModel()
    desk.say("continue", turn=turn, token=0, alternative=65)
    assert "another model" in desk.page.notices[0]


def test_an_answer_without_a_question_cannot_be_asked_again() -> None:
    desk = Desk()
    desk.session.replace_messages([{"role": "assistant", "content": "Hello"}])
    desk.page.wait_for(lambda page: page.order)
    desk.say("regenerate", turn=desk.page.order[0])
    assert desk.session.messages == [{"role": "assistant", "content": "Hello"}]
    assert desk.page.notices


def test_only_the_last_hundred_turns_can_be_looked_behind() -> None:
    desk = Desk(*["a"] * 101)
    for _ in range(101):
        desk.ask("q")
    desk.page.say("hello")
    assert [bool(desk.page.turns[one]["has"]) for one in desk.page.order] == [False] + [True] * 100
    desk.say("inspect", turn=desk.page.order[0], what="raw")
    assert "too long ago" in desk.page.notices[0]


# ---- what goes wrong ---------------------------------------------------------------------


def test_a_fault_in_drawing_does_not_leave_the_turn_open(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk("One.")

    def broken(_: object) -> Any:
        raise ValueError("broken")

    monkeypatch.setattr(LiveTurn, "take", broken)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    desk.page.say("send", text="a", attachments=[])
    desk.page.wait_for_end()
    assert desk.talk.desk.running is None


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 10**400])
@pytest.mark.parametrize("name", ["top_k", "temperature", "seed"])
def test_numbers_that_are_none_are_refused(name: str, value: float) -> None:
    desk = Desk()
    desk.talk.receive({"v": 1, "view": "page", "k": "set", "settings": {name: value}})
    assert len(desk.page.notices) == 1
    assert desk.talk.settings.sampling == {}


def test_a_value_that_cannot_be_looked_at_does_not_hide_the_others() -> None:
    class Broken:
        @property
        def shape(self) -> Any:
            raise RuntimeError("no")

    rows = list_variables({"broken": Broken(), "text": "ab"})
    assert [(row["name"], row["summary"]) for row in rows] == [("broken", ""), ("text", "'ab'")]
