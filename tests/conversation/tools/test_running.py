"""A tool runs beside the kernel: what it prints, raises and takes too long for."""

from __future__ import annotations

import _thread
import asyncio
import contextvars
import io
import sys
import threading
import time
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

import pytest

import llamanb
from llamanb.conversation.tools.stdout import MAX_STDOUT_CHARS, CaughtText
from llamanb.conversation.tools.threads import THREAD_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

who = contextvars.ContextVar("who", default="nobody")
WAIT_S = 20.0
say = print  # printing is the subject here


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Give an event that is set at the end, so that no thread waits for ever."""
    event = threading.Event()
    yield event
    event.set()


def _tool_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]


def test_it_runs_in_a_thread_of_its_own() -> None:
    name = llamanb.tool(lambda: threading.current_thread().name, name="name")
    assert name.call().content == THREAD_NAME


def test_what_it_prints_is_caught() -> None:
    @llamanb.tool
    def talk() -> int:
        say("one", "two")
        say("three", end="")
        return 1

    outcome = talk.call()
    assert (outcome.content, outcome.stdout) == ("1", "one two\nthree")
    assert outcome.seconds >= 0


def test_what_others_print_meanwhile_is_theirs(gate: threading.Event) -> None:
    before, inside, outcomes = sys.stdout, threading.Event(), []

    @llamanb.tool
    def talk() -> None:
        say("tool")
        inside.set()
        gate.wait(WAIT_S)

    with redirect_stdout(io.StringIO()) as cell:
        waiter = threading.Thread(target=lambda: outcomes.append(talk.call()))
        waiter.start()
        assert inside.wait(WAIT_S)
        say("cell")
        gate.set()
        waiter.join(WAIT_S)
    assert cell.getvalue() == "cell\n"
    assert outcomes[0].stdout == "tool\n"
    assert sys.stdout is before


def test_two_tools_at_once_keep_their_own_text() -> None:
    before, together = sys.stdout, threading.Barrier(2)

    @llamanb.tool
    def talk(word: str) -> None:
        together.wait(WAIT_S)
        for _ in range(50):
            say(word)

    async def both() -> list[str]:
        calls = [talk.acall(f'{{"word": "{word}"}}') for word in ("a", "b")]
        return [outcome.stdout for outcome in await asyncio.gather(*calls)]

    assert asyncio.run(both()) == ["a\n" * 50, "b\n" * 50]
    assert sys.stdout is before


def test_endless_printing_is_bounded() -> None:
    @llamanb.tool
    def talk() -> None:
        for _ in range(30):
            say("x" * 10_000)

    assert len(talk.call().stdout) == MAX_STDOUT_CHARS


def test_a_tool_that_prints_for_ever_takes_no_more_memory() -> None:
    caught = CaughtText()
    for _ in range(MAX_STDOUT_CHARS + 100):
        caught.add("x")
    assert len(caught._parts) == MAX_STDOUT_CHARS


def _who() -> str:
    return who.get()


def test_context_variables_are_the_callers() -> None:
    token = who.set("me")
    assert llamanb.tool(_who).call().content == "me"
    who.reset(token)


def _inner(n: int) -> float:
    return 1 / n


@llamanb.tool
def divide(n: int) -> float:
    say("dividing")
    return _inner(n)


def test_an_exception_becomes_a_result_with_the_users_lines() -> None:
    outcome = divide.call('{"n": 0}')
    assert outcome.is_error
    assert outcome.stdout == "dividing\n"
    lines = outcome.content.splitlines()
    assert lines[0] == "ZeroDivisionError: division by zero"
    assert [line.split(",")[0] for line in lines[1:]] == ["  in divide", "  in _inner"]
    assert lines[-1].endswith(": return 1 / n")
    assert "/" not in outcome.content.replace("1 / n", "")


def test_frames_of_libraries_are_left_out() -> None:
    @llamanb.tool
    def read() -> int:
        import json

        return int(json.loads("{"))

    assert [line.split(",")[0] for line in read.call().content.splitlines()[1:]] == ["  in read"]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), BaseException("odd")])
def test_a_tool_cannot_end_the_kernel(error: BaseException) -> None:
    @llamanb.tool
    def leave() -> None:
        raise error

    outcome = leave.call()
    assert outcome.is_error
    assert outcome.content.startswith(type(error).__name__)


def test_an_exception_that_cannot_be_shown_is_still_a_result() -> None:
    class OddError(Exception):
        def __str__(self) -> str:
            raise ValueError

    @llamanb.tool
    def fail() -> None:
        raise OddError

    assert fail.call().content.splitlines()[0] == "OddError"


def test_long_messages_are_cut() -> None:
    @llamanb.tool
    def fail() -> None:
        raise ValueError("x" * 100_000)

    assert len(fail.call().content) < 3_000


def test_a_tool_that_takes_too_long_is_given_up(gate: threading.Event) -> None:
    @llamanb.tool(timeout=0.05)
    def wait() -> None:
        say("waiting")
        gate.wait(WAIT_S)

    outcome = wait.call()
    assert outcome.is_error
    assert outcome.content == "TimeoutError: the tool took longer than 0.05 s"
    assert outcome.stdout == "waiting\n"
    assert 0.04 < outcome.seconds < WAIT_S


def test_an_interrupt_of_the_waiting_thread_gets_through(gate: threading.Event) -> None:
    @llamanb.tool
    def wait() -> None:
        _thread.interrupt_main()
        gate.wait(WAIT_S)

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        wait.call()
    assert time.monotonic() - started < WAIT_S / 2


def test_a_tools_own_timeout_is_its_own_error() -> None:
    @llamanb.tool(timeout=WAIT_S)
    async def fail() -> None:
        raise TimeoutError("the server is slow")

    assert fail.call().content.startswith("TimeoutError: the server is slow")
    assert asyncio.run(fail.acall()).content.startswith("TimeoutError: the server is slow")


def test_a_coroutine_that_takes_too_long_is_cancelled() -> None:
    cancelled = threading.Event()

    @llamanb.tool(timeout=0.05)
    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    assert wait.call().content.startswith("TimeoutError")
    assert cancelled.wait(WAIT_S)
    cancelled.clear()
    assert asyncio.run(wait.acall()).content.startswith("TimeoutError")
    assert cancelled.is_set()


def test_a_coroutine_runs_inside_a_running_loop_too() -> None:
    @llamanb.tool
    async def look() -> int:
        await asyncio.sleep(0)
        return 1

    async def cell() -> str:
        return look.call().content

    assert asyncio.run(cell()) == "1"


def test_acall_awaits_on_the_callers_loop() -> None:
    @llamanb.tool
    async def loop_id() -> int:
        say("here")
        return id(asyncio.get_running_loop())

    async def cell() -> None:
        outcome = await loop_id.acall()
        assert outcome.content == str(id(asyncio.get_running_loop()))
        assert outcome.stdout == "here\n"

    asyncio.run(cell())


def test_acall_leaves_the_loop_free(gate: threading.Event) -> None:
    @llamanb.tool
    def wait() -> str:
        gate.wait(WAIT_S)
        return "done"

    async def cell() -> str:
        asyncio.get_running_loop().call_soon(gate.set)
        return (await wait.acall()).content

    assert asyncio.run(cell()) == "done"


def test_acall_gives_errors_and_timeouts_as_results(gate: threading.Event) -> None:
    @llamanb.tool(timeout=0.05)
    def wait(n: int) -> None:
        gate.wait(WAIT_S)

    @llamanb.tool
    async def fail(n: int) -> float:
        return 1 / n

    assert asyncio.run(wait.acall('{"n": 1}')).content.startswith("TimeoutError")
    assert asyncio.run(fail.acall('{"n": 0}')).content.startswith("ZeroDivisionError")
    assert asyncio.run(fail.acall("{}")).content == "wrong arguments: 'n' is missing"


def test_cancelling_acall_cancels_the_coroutine() -> None:
    async def cell() -> None:
        started, ended = asyncio.Event(), asyncio.Event()

        @llamanb.tool
        async def wait() -> None:
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        task = asyncio.create_task(wait.acall())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    before = sys.stdout
    asyncio.run(cell())
    assert sys.stdout is before


def test_no_thread_is_left_behind() -> None:
    for _ in range(50):
        divide.call('{"n": 1}')
    ended_by = time.monotonic() + WAIT_S
    for thread in _tool_threads():
        thread.join(max(0.0, ended_by - time.monotonic()))
    assert not [thread for thread in _tool_threads() if thread.is_alive()]
