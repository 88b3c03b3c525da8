"""Who allows a call, and what the model hears when nobody does."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from llamanb.conversation.tools import ToolDecision, ToolRequest, tool
from llamanb.errors import OptionError
from tests.conversation.talks import add, call, described, results_of, shape, shout, talk

if TYPE_CHECKING:
    from collections.abc import Callable

ADD = call("add", {"a": 2})
SHOUT = call("shout", {"text": "hi"})
DENIED = "add was not run, it was not allowed"


def outcome(approve: Any, text: str = ADD, *, in_loop: bool = False) -> tuple[str, bool]:
    session, _ = talk(text, "Done.", approve=approve)
    stream = session.stream("go")

    async def read() -> list[Any]:
        return [event async for event in stream]

    (result,) = results_of(asyncio.run(read()) if in_loop else list(stream))
    assert shape(session) == "u a(0) t0 a"
    return result


both_ways = pytest.mark.parametrize("in_loop", [False, True], ids=["thread", "loop"])


@both_ways
class TestHooks:
    def test_true_runs_it(self, in_loop: bool) -> None:
        assert outcome(lambda request: True, in_loop=in_loop) == ("3", False)

    def test_false_denies_it(self, in_loop: bool) -> None:
        assert outcome(lambda request: False, in_loop=in_loop) == (DENIED, True)

    def test_a_reason_reaches_the_model(self, in_loop: bool) -> None:
        def hook(request: ToolRequest) -> ToolDecision:
            return ToolDecision.deny(f"not {request.args['a']}")

        assert outcome(hook, in_loop=in_loop) == (f"{DENIED}: not 2", True)

    def test_arguments_may_be_changed(self, in_loop: bool) -> None:
        content, is_error = outcome(lambda _: ToolDecision.allow({"a": 5}), in_loop=in_loop)
        assert (content.splitlines()[-1], is_error) == ("6", False)
        assert '{"a": 5}' in content

    def test_changed_arguments_are_checked_again(self, in_loop: bool) -> None:
        content, is_error = outcome(lambda _: ToolDecision.allow('{"x": 5}'), in_loop=in_loop)
        assert is_error
        assert "'x' is no argument" in content

    def test_a_coroutine_function_is_awaited(self, in_loop: bool) -> None:
        async def hook(request: ToolRequest) -> bool:
            await asyncio.sleep(0)
            return request.name == "add"

        assert outcome(hook, in_loop=in_loop) == ("3", False)

    @pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1), RuntimeError()])
    def test_one_that_raises_denies(self, error: BaseException, in_loop: bool) -> None:
        def hook(_: ToolRequest) -> bool:
            raise error

        content, is_error = outcome(hook, in_loop=in_loop)
        assert is_error
        assert f"asking for approval failed: {type(error).__name__}" in content

    def test_a_coroutine_that_raises_denies(self, in_loop: bool) -> None:
        async def hook(_: ToolRequest) -> bool:
            raise ValueError("no")

        assert "ValueError: no" in outcome(hook, in_loop=in_loop)[0]

    @pytest.mark.parametrize("answer", [None, 1, "yes", object()])
    def test_other_answers_deny(self, answer: Any, in_loop: bool) -> None:
        content, is_error = outcome(lambda _: answer, in_loop=in_loop)
        assert is_error
        assert "True, False or a ToolDecision" in content

    def test_they_are_called_in_a_thread_of_their_own(self, in_loop: bool) -> None:
        seen: list[threading.Thread] = []

        def hook(_: ToolRequest) -> bool:
            seen.append(threading.current_thread())
            return True

        outcome(hook, in_loop=in_loop)
        assert [thread.name for thread in seen] == ["llamanb-tools"]

    def test_they_are_called_by_the_reader_if_they_ask_in_place(self, in_loop: bool) -> None:
        class Hook:
            asks_in_place = True
            threads: ClassVar[list[threading.Thread]] = []

            def __call__(self, _: ToolRequest) -> bool:
                self.threads.append(threading.current_thread())
                return True

        hook = Hook()
        assert not outcome(hook, in_loop=in_loop)[1]
        assert hook.threads == [threading.current_thread()]


def asked(text: str, **options: Any) -> list[ToolRequest]:
    """Give what a hook is asked about the calls of ``text``."""
    requests: list[ToolRequest] = []

    def hook(request: ToolRequest) -> bool:
        requests.append(request)
        return True

    session, _ = talk(text, SHOUT + ADD, "Done.", approve=hook, **options)
    list(session.stream("go"))
    return requests


def test_a_request_says_what_is_asked() -> None:
    first, second = asked(ADD)
    assert (first.name, first.arguments, first.args) == ("add", '{"a": 2}', {"a": 2})
    assert (first.tool, first.round, second.round) == (add, 1, 2)
    assert first.id != second.id


def test_approved_tools_are_not_asked_for() -> None:
    assert [request.name for request in asked(SHOUT + ADD)] == ["add", "add"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(call("nothing"), id="unknown"),
        pytest.param(call("add", '{"a": "x"}'), id="wrong-type"),
        pytest.param(call("add", "{}"), id="missing"),
    ],
)
def test_what_cannot_run_is_not_asked_for(text: str) -> None:
    assert [request.round for request in asked(text)] == [2]


def test_calls_that_come_back_are_not_asked_for() -> None:
    assert asked(call("search"), tools=[described("search")]) == []


@pytest.mark.parametrize(
    ("approve", "text", "is_error"),
    [
        pytest.param("auto", ADD, False, id="auto"),
        pytest.param("never", ADD, True, id="never"),
        pytest.param("never", SHOUT, True, id="never-even-approved"),
        pytest.param("ask", ADD, True, id="ask-nobody"),
        pytest.param(None, ADD, True, id="default"),
        pytest.param("ask", SHOUT, False, id="ask-approved"),
        pytest.param(None, SHOUT, False, id="default-approved"),
    ],
)
@both_ways
def test_modes(approve: Any, text: str, is_error: bool, in_loop: bool) -> None:
    assert outcome(approve, text, in_loop=in_loop)[1] is is_error


def test_without_anybody_to_ask_the_result_says_how_to_allow_it() -> None:
    content, _ = outcome("ask")
    assert "approve=" in content
    assert "@llamanb.tool(approve=True)" in content


def test_one_turn_may_have_its_own_hook() -> None:
    session, _ = talk(ADD, "Done.", ADD, "Done.", approve="never")
    assert results_of(list(session.stream("go", approve="auto"))) == [("3", False)]
    assert results_of(list(session.stream("go")))[0][1]


def test_it_may_be_assigned() -> None:
    session, _ = talk(ADD, "Done.", approve="never")
    session.approve = "auto"
    assert results_of(list(session.stream("go"))) == [("3", False)]
    with pytest.raises(OptionError, match="approve"):
        session.approve = "always"  # type: ignore[assignment]  # wrong on purpose


@pytest.mark.parametrize("approve", ["always", 1, True])
def test_impossible_ones_are_refused(approve: Any) -> None:
    with pytest.raises(OptionError, match="approve"):
        talk(approve=approve)


def test_nothing_runs_without_approval_in_a_hundred_calls() -> None:
    runs: list[int] = []

    @tool
    def act(number: int) -> str:
        runs.append(number)
        return "done"

    hooks: list[Callable[[ToolRequest], Any] | str | None] = [
        None,
        "ask",
        "never",
        lambda _: False,
        lambda _: 1 / 0,
    ]
    for number in range(100):
        session, _ = talk(
            call("act", {"number": number}), "Done.", tools=[act], approve=hooks[number % 5]
        )
        session.send("go")
    assert runs == []


def test_a_decision_is_for_its_own_call() -> None:
    session, _ = talk(ADD + call("add", {"a": 9}), "Done.", approve=lambda r: r.args["a"] == 9)
    assert results_of(list(session.stream("go"))) == [(DENIED, True), ("10", False)]


def test_shout_is_still_a_function() -> None:
    assert shout("a") == "A"
