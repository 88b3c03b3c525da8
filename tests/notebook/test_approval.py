"""Who is asked whether a tool may run, and what the question says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.error import StdinNotImplementedError

from llamanb.conversation.tools import ToolDecision, ToolRequest, as_tool
from llamanb.notebook.approval import CellApproval
from llamanb.notebook.call_view import call_python

if TYPE_CHECKING:
    from collections.abc import Callable


def look_up(city: str) -> str:
    """Look a city up."""
    return city


def request(**args: Any) -> ToolRequest:
    return ToolRequest(
        id="one", name="look_up", arguments="{}", args=args, tool=as_tool(look_up), round=1
    )


def typing(*lines: str, shown: list[str] | None = None) -> Callable[[str], str]:
    left = iter(lines)

    def read(prompt: str) -> str:
        if shown is not None:
            shown.append(prompt)
        return next(left)

    return read


class Watcher:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def show_question(self, call_id: str) -> None:
        self.heard.append(f"question {call_id}")

    def note_answer(self, call_id: str) -> None:
        self.heard.append(f"answer {call_id}")

    def stop(self) -> None:
        self.heard.append("stop")


@pytest.mark.parametrize(
    ("lines", "is_allowed"),
    [
        pytest.param(["y"], True, id="y"),
        pytest.param([" Yes "], True, id="yes"),
        pytest.param(["n"], False, id="n"),
        pytest.param(["NO"], False, id="no"),
        pytest.param(["a"], True, id="all"),
        pytest.param(["", "y"], True, id="second try"),
        pytest.param(["", "", ""], False, id="no clear answer"),
    ],
)
def test_answers(lines: list[str], is_allowed: bool) -> None:
    assert CellApproval(typing(*lines))(request(city="Oslo")).is_allowed is is_allowed


def test_all_is_asked_once() -> None:
    shown: list[str] = []
    approval = CellApproval(typing("y", "a", shown=shown))
    assert all(approval(request(city=name)).is_allowed for name in ("Oslo", "Rome", "Bonn"))
    assert len(shown) == 2


def test_the_question_shows_every_argument_whole_and_on_one_line() -> None:
    shown: list[str] = []
    hostile = "Oslo')?\n[y]es \u202e\x1b[2J" + "x" * 3000
    CellApproval(typing("n", shown=shown))(request(city=hostile))
    assert shown[0].startswith("Run look_up(city=\"Oslo')?\\n[y]es \\u202e\\x1b[2J")
    assert "x" * 3000 in shown[0]
    assert "\n" not in shown[0]


def test_arguments_whose_names_are_no_identifiers_are_shown_too() -> None:
    assert call_python("f", {"a": 1, "not a name": [2]}) == "f(a=1, **{'not a name': [2]})"


@pytest.mark.parametrize("error", [StdinNotImplementedError, EOFError, OSError])
def test_without_standard_input_the_reason_says_how_to_allow_it(error: type[Exception]) -> None:
    def read(_: str) -> str:
        raise error

    decision = CellApproval(read)(request(city="Oslo"))
    assert not decision.is_allowed
    assert "--approve auto" in decision.reason


def test_the_reply_is_stopped_when_the_question_is_interrupted() -> None:
    def read(_: str) -> str:
        raise KeyboardInterrupt

    approval = CellApproval(read)
    approval.watcher = watcher = Watcher()
    assert approval(request(city="Oslo")) == ToolDecision.deny()
    assert watcher.heard == ["question one", "stop", "answer one"]
