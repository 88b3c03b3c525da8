"""A turn that is cut short: at every stage, from every side, and the talk stays whole."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from llamanb.chat_layer import Finished, ToolCallEnd, ToolResult
from llamanb.conversation.tools import ToolRequest, tool
from tests.conversation.talks import (
    WAIT_S,
    assert_whole,
    call,
    finish_of,
    in_background,
    results_of,
    shape,
    talk,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llamanb.conversation import Session, TalkStream

CANCELLED = ("cancelled by the user", True)
ADD = call("add", {"a": 2})


class Gate:
    """Where a tool or a hook waits until the test is over."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()
        self.passed = 0

    def wait(self) -> bool:
        self.entered.set()
        assert self.opened.wait(WAIT_S)
        self.passed += 1
        return True


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.opened.set()


def waiting_tool(gate: Gate) -> Any:
    @tool(approve=True)
    def wait() -> str:
        sys.stdout.write("waiting\n")
        gate.wait()
        return "done"

    return wait


def at_the_tool(gate: Gate) -> tuple[Session, TalkStream]:
    session, _ = talk(call("wait") * 2, "Done.", tools=[waiting_tool(gate)])
    return session, session.stream("go")


def at_the_hook(gate: Gate) -> tuple[Session, TalkStream]:
    session, _ = talk(ADD * 2, "Done.", approve=lambda _: gate.wait())
    return session, session.stream("go")


both_places = pytest.mark.parametrize("start", [at_the_tool, at_the_hook], ids=["tool", "hook"])


@both_places
def test_cancel_stops_waiting(start: Any, gate: Gate) -> None:
    session, stream = start(gate)
    thread, events = in_background(stream)
    assert gate.entered.wait(WAIT_S)
    stream.cancel()
    thread.join(WAIT_S)
    assert finish_of(events).reason == "cancelled"
    assert results_of(events) == [CANCELLED, CANCELLED]
    assert shape(session) == "u a(0,1) t0 t1"
    assert_whole(session.messages)


@both_places
def test_cancel_stops_waiting_in_an_event_loop(start: Any, gate: Gate) -> None:
    session, stream = start(gate)

    async def run() -> list[Any]:
        reading = asyncio.ensure_future(read())
        assert await asyncio.to_thread(gate.entered.wait, WAIT_S)
        stream.cancel()
        return await reading

    async def read() -> list[Any]:
        return [event async for event in stream]

    events = asyncio.run(asyncio.wait_for(run(), WAIT_S))
    assert finish_of(events).reason == "cancelled"
    assert results_of(events) == [CANCELLED, CANCELLED]
    assert_whole(session.messages)


@both_places
def test_closing_from_elsewhere_settles_at_once(start: Any, gate: Gate) -> None:
    session, stream = start(gate)
    thread, events = in_background(stream)
    assert gate.entered.wait(WAIT_S)
    session.stop()
    assert stream.finished is not None
    assert_whole(session.messages)
    assert shape(session) == "u a(0,1) t0 t1"
    thread.join(WAIT_S)
    assert finish_of(events) == stream.finished
    assert shape(session) == "u a(0,1) t0 t1"


@both_places
def test_a_cancelled_task_settles(start: Any, gate: Gate) -> None:
    session, stream = start(gate)

    async def run() -> None:
        async def read() -> None:
            async for _ in stream:
                pass

        task = asyncio.create_task(read())
        assert await asyncio.to_thread(gate.entered.wait, WAIT_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(run(), WAIT_S))
    assert stream.finished is not None
    assert stream.finished.reason == "cancelled"
    assert_whole(session.messages)


def test_a_tool_allowed_too_late_does_not_run(gate: Gate) -> None:
    runs: list[int] = []

    @tool
    def act() -> None:
        runs.append(1)

    session, _ = talk(call("act"), "Done.", tools=[act], approve=lambda _: gate.wait())
    stream = session.stream("go")
    thread, _ = in_background(stream)
    assert gate.entered.wait(WAIT_S)
    stream.cancel()
    thread.join(WAIT_S)
    gate.opened.set()
    session.send("again", tools=(), max_tokens=1)
    assert runs == []


def test_a_coroutine_tool_is_really_cancelled() -> None:
    ended: list[str] = []
    began = threading.Event()

    @tool(approve=True)
    async def wait() -> None:
        began.set()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    session, _ = talk(call("wait"), "Done.", tools=[wait])
    stream = session.stream("go")

    async def run() -> None:
        async for event in stream:
            if isinstance(event, ToolCallEnd):
                asyncio.get_running_loop().run_in_executor(None, stop)

    def stop() -> None:
        assert began.wait(WAIT_S)
        stream.cancel()

    asyncio.run(asyncio.wait_for(run(), WAIT_S))
    assert ended == ["cancelled"]
    assert_whole(session.messages)


def test_a_new_question_ends_the_tool_that_runs(gate: Gate) -> None:
    session, stream = at_the_tool(gate)
    thread, _ = in_background(stream)
    assert gate.entered.wait(WAIT_S)
    assert session.send("something else").content == "Done."
    thread.join(WAIT_S)
    assert shape(session) == "u a(0,1) t0 t1 u a"


def test_what_a_tool_printed_before_is_kept(gate: Gate) -> None:
    _, stream = at_the_tool(gate)
    thread, events = in_background(stream)
    assert gate.entered.wait(WAIT_S)
    stream.cancel()
    thread.join(WAIT_S)
    first = next(event for event in events if isinstance(event, ToolResult))
    assert first.stdout == "waiting\n"


def test_leaving_the_loop_at_any_event_leaves_the_talk_whole() -> None:
    texts = (f"I add. {ADD}", ADD * 2, "Done.")
    n_events = len(list(talk(*texts)[0].stream("go")))
    for place in range(n_events):
        session, _ = talk(*texts)
        stream = session.stream("go")
        for number, _ in enumerate(stream):
            if number == place:
                break
        assert_whole(session.messages)
        assert stream.finished is not None
        assert session.messages[1:] == stream.messages


def test_cancelling_at_any_event_gives_one_end() -> None:
    texts = (f"I add. {ADD}", ADD * 2, "Done.")
    n_events = len(list(talk(*texts)[0].stream("go")))
    for place in range(n_events):
        session, _ = talk(*texts)
        stream = session.stream("go")
        events = []
        for number, event in enumerate(stream):
            events.append(event)
            if number == place:
                stream.cancel()
        finish_of(events)
        assert_whole(session.messages)


def test_a_call_cut_in_the_middle_is_left_out() -> None:
    session, model = talk()
    model.enqueue(["Wait. ", '<tool_call>\n{"name": "add", "argu'], reason=None)
    stream = session.stream("go")
    thread, events = in_background(stream)
    model.say(stream.generation, 'ments": {"a"')
    stream.cancel()
    thread.join(WAIT_S)
    assert finish_of(events).reason == "cancelled"
    assert shape(session) == "u a"
    assert session.messages[1]["content"].strip() == "Wait."


def test_cancel_after_the_end_changes_nothing() -> None:
    session, _ = talk(ADD, "Done.")
    stream = session.stream("go")
    list(stream)
    before = list(session.messages)
    stream.cancel()
    stream.close()
    assert stream.finished is not None
    assert (stream.finished.reason, session.messages) == ("stop", before)


def test_closing_unread_notes_nothing() -> None:
    session, _ = talk("Hi")
    with session.stream("go") as stream:
        pass
    assert shape(session) == "u"
    assert stream.finished is not None


def test_a_second_reader_is_refused() -> None:
    session, _ = talk("Hi")
    stream = session.stream("go")
    list(stream)
    with pytest.raises(RuntimeError, match="once"):
        iter(stream)


def test_an_interrupt_while_a_tool_runs_passes_through(gate: Gate) -> None:
    session, stream = at_the_tool(gate)
    events = stream.__iter__()
    while not isinstance(next(events), ToolCallEnd):
        pass
    with pytest.raises(KeyboardInterrupt):
        events.throw(KeyboardInterrupt)  # type: ignore[attr-defined]  # a generator
    assert stream.finished is not None
    assert stream.finished.reason == "cancelled"
    assert_whole(session.messages)


def test_threads_that_share_a_talk_with_tools_leave_it_whole() -> None:
    session, model = talk(*[ADD, "Done."] * 40)
    del model
    ends: list[Finished] = []

    def ask() -> None:
        streams = (session.stream("go", max_rounds=0) for _ in range(5))
        ends.extend(finish_of(list(stream)) for stream in streams)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert len(ends) == 20
    session.send("last")
    assert sum(message["role"] == "user" for message in session.messages) == 21


def test_the_hook_of_a_cancelled_turn_is_not_heard(gate: Gate) -> None:
    requests: list[ToolRequest] = []

    def hook(request: ToolRequest) -> bool:
        requests.append(request)
        return gate.wait()

    session, _ = talk(ADD * 3, "Done.", approve=hook)
    stream = session.stream("go")
    thread, _ = in_background(stream)
    assert gate.entered.wait(WAIT_S)
    stream.cancel()
    thread.join(WAIT_S)
    assert len(requests) == 1
