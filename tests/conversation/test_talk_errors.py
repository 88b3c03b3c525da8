"""Whatever goes wrong with a call becomes a result that the model can act on."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from pydantic import AfterValidator

from llamanb.conversation.tools import tool
from tests.conversation.talks import WAIT_S, assert_whole, call, results_of, talk

if TYPE_CHECKING:
    from collections.abc import Iterator

GATE = threading.Event()


@pytest.fixture(autouse=True)
def open_gate() -> Iterator[None]:
    GATE.clear()
    yield
    GATE.set()


def _broken(value: int) -> int:
    raise RuntimeError(f"cannot check {value}")


@tool
def divide(a: int, b: int) -> float:
    """Divide."""
    return a / b


@tool
def leave() -> None:
    sys.exit("leaving")


@tool
def interrupt() -> None:
    raise KeyboardInterrupt


@tool
async def cancel() -> None:
    raise asyncio.CancelledError


@tool(timeout=0.05)
def late() -> None:
    GATE.wait(WAIT_S)


@tool(timeout=0.05)
async def late_coroutine() -> None:
    await asyncio.get_running_loop().create_future()


@tool
def check(value: Annotated[int, AfterValidator(_broken)]) -> int:
    return value


@tool
def generate() -> Iterator[int]:
    yield 1
    raise ValueError("half way")


@tool
def recurse(depth: int = 0) -> int:
    return recurse(depth + 1)


TOOLS = [divide, leave, interrupt, cancel, late, late_coroutine, check, generate, recurse]

BAD_CALLS = [
    pytest.param(call("subtract", {"a": 1}), "'divide', 'leave'", id="unknown-tool"),
    pytest.param(call("divide_", {"a": 1}), "no tool called 'divide_'", id="nearly-known"),
    pytest.param(call("divide", {"a": 1}), "'b' is missing", id="missing"),
    pytest.param(call("divide", {"a": 1, "b": 2, "c": 3}), "'c' is no argument", id="unknown"),
    pytest.param(call("divide", {"a": "x", "b": 2}), "'a'", id="wrong-type"),
    pytest.param(call("divide", "[1, 2]"), "JSON object", id="list"),
    pytest.param(call("divide", "7"), "JSON object", id="number"),
    pytest.param(call("divide", '{"a": 1, b: 2}'), "not valid JSON", id="bare-key"),
    pytest.param(call("divide", "{'a': 1}"), "", id="single-quotes"),
    pytest.param(call("divide", {"a": 1, "b": 0}), "ZeroDivisionError", id="raises"),
    pytest.param(call("leave"), "SystemExit: leaving", id="exits"),
    pytest.param(call("interrupt"), "KeyboardInterrupt", id="interrupts"),
    pytest.param(call("cancel"), "CancelledError", id="cancels-itself"),
    pytest.param(call("late"), "TimeoutError", id="late"),
    pytest.param(call("late_coroutine"), "TimeoutError", id="late-coroutine"),
    pytest.param(call("check", {"value": 1}), "RuntimeError: cannot check 1", id="bad-type"),
    pytest.param(call("generate"), "half way", id="generator"),
    pytest.param(call("recurse"), "RecursionError", id="recursion"),
]


@pytest.mark.parametrize("in_loop", [False, True], ids=["thread", "loop"])
@pytest.mark.parametrize(("text", "message"), BAD_CALLS)
def test_bad_calls_are_told_to_the_model(text: str, message: str, in_loop: bool) -> None:
    session, _ = talk(text, "Sorry.", tools=TOOLS)
    stream = session.stream("go")

    async def read() -> list[Any]:
        return [event async for event in stream]

    events = asyncio.run(read()) if in_loop else list(stream)
    (result,) = results_of(events)
    assert result[1]
    assert message in result[0]
    assert len(result[0]) < 3_000
    assert stream.message.content == "Sorry."
    assert_whole(session.messages)


def test_a_talk_without_tools_says_so() -> None:
    session, _ = talk(call("add"), "Sorry.")
    session.tools = [divide]
    (result,) = results_of(list(session.stream("go")))
    assert "the tools are 'divide'" in result[0]


def test_one_bad_call_does_not_stop_the_others() -> None:
    text = call("nothing") + call("divide", {"a": 4, "b": 2})
    session, _ = talk(text, "Done.", tools=TOOLS)
    assert [is_error for _, is_error in results_of(list(session.stream("go")))] == [True, False]


def test_long_names_do_not_flood_the_model() -> None:
    session, _ = talk(call("x" * 50_000), "Sorry.", tools=TOOLS)
    (result,) = results_of(list(session.stream("go")))
    assert len(result[0]) < 3_000
