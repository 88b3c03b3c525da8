"""A turn of several rounds: calls, results, the next reply, one stream of events."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pydantic import BaseModel

from llamanb.chat_layer import TextDelta, ToolCallEnd, ToolCallStart, ToolResult
from llamanb.conversation import Session
from llamanb.conversation.tools import tool
from llamanb.errors import ContextLengthError, EngineDead, OptionError
from tests.conversation.fakes import ScriptedModel
from tests.conversation.talks import (
    add,
    assert_whole,
    call,
    described,
    finish_of,
    results_of,
    shape,
    shout,
    talk,
)

ADD = call("add", {"a": 2})


def test_tool_runs_and_the_answer_follows() -> None:
    session, _ = talk(f"I add.\n{ADD}", "It is 3.")
    assert session.send("2 + 1?").content == "It is 3."
    assert shape(session) == "u a(0) t0 a"
    assert session.messages[2]["content"] == "3"
    assert_whole(session.messages)


def test_events_of_all_rounds_are_one_stream() -> None:
    session, _ = talk(f"{ADD}\n{call('shout', {'text': 'hi'})}", call("add", {"a": 5}), "Done.")
    events = list(session.stream("go"))
    starts = [event for event in events if isinstance(event, ToolCallStart)]
    ends = [event for event in events if isinstance(event, ToolCallEnd)]
    assert [event.index for event in starts] == [event.index for event in ends] == [0, 1, 2]
    results = [event for event in events if isinstance(event, ToolResult)]
    assert [(r.content, r.stdout) for r in results] == [("3", ""), ("HI", "shouting\n"), ("6", "")]
    assert [r.id for r in results] == [event.id for event in starts]
    assert finish_of(events).extra == {"rounds": 3}


def test_a_result_comes_before_the_next_reply() -> None:
    session, _ = talk(ADD, "Done.")
    events = list(session.stream("go"))
    kinds = [type(event).__name__ for event in events if not isinstance(event, TextDelta)]
    assert kinds[0] == "ToolCallStart"
    assert kinds[-3:] == ["ToolCallEnd", "ToolResult", "Finished"]
    after = events[events.index(next(e for e in events if isinstance(e, ToolResult))) :]
    assert "".join(e.text for e in after if isinstance(e, TextDelta)) == "Done."


def test_the_model_reads_the_result() -> None:
    session, _ = talk(ADD, "It is 3.", system_prompt="Be terse.")
    stream = session.stream("2 + 1?")
    list(stream)
    assert stream.prompt.prompt.startswith("<|im_start|>system\nBe terse.")
    assert stream.prompt.prompt.index("2 + 1?") < stream.prompt.prompt.index("3<|im_end|>")


def test_usage_is_summed_but_the_prompt_is_the_last_rounds() -> None:
    session, _ = talk(ADD, "It is 3.")
    stream = session.stream("go")
    finished = finish_of(list(stream))
    n_tokens = len(ADD) + len("It is 3.")
    assert finished.usage["prompt_tokens"] == 7
    assert finished.usage["completion_tokens"] == n_tokens
    assert finished.usage["total_tokens"] == n_tokens + 7
    assert finished.timings["generation_s"] == 2.0
    assert finished.timings["tools_s"] > 0
    assert (finished.reason, stream.finished) == ("stop", finished)


def test_a_turn_without_calls_has_the_replys_own_numbers() -> None:
    session, _ = talk("Hi")
    finished = finish_of(list(session.stream("go")))
    assert finished.timings["tokens_per_s"] == 2.0
    assert "tools_s" not in finished.timings
    assert (finished.reason, finished.seed, finished.extra) == ("stop", 5, {"rounds": 1})


def test_message_is_the_last_one_and_text_is_all_of_it() -> None:
    session, _ = talk(f"<think>hm</think>I add.{ADD}", "It is 3.")
    stream = session.stream("go")
    events = list(stream)
    assert stream.message.content == "It is 3."
    assert stream.text == "".join(e.text for e in events if isinstance(e, TextDelta))
    assert (stream.text, stream.reasoning) == ("I add.It is 3.", "hm")
    assert stream.messages == session.messages[1:]


def test_messages_are_whole_at_every_event() -> None:
    session, _ = talk(f"{ADD}{ADD}", ADD, "Done.")
    stream = session.stream("go")
    for _ in stream:
        assert_whole(stream.messages)
        assert_whole(session.messages)


def test_ids_are_unique_in_the_whole_talk() -> None:
    own = '<tool_call>\n{"name": "add", "arguments": {"a": 1}, "id": "add:0"}\n</tool_call>'
    session, _ = talk(own, own, "Done.", own, "Done.")
    session.send("go")
    session.send("again")
    assert shape(session) == "u a(0) t0 a(1) t1 a u a(2) t2 a"
    assert_whole(session.messages)


class TestRounds:
    def test_the_last_round_does_without_tools(self) -> None:
        session, model = talk(*[ADD] * 2, "I give up.", max_rounds=2)
        stream = session.stream("go")
        finished = finish_of(list(stream))
        assert finished.extra == {"rounds": 3, "round_limit_reached": True}
        assert (finished.reason, stream.message.content) == ("stop", "I give up.")
        waits = [bool(r.constraint and r.constraint.trigger) for r in model.requests]
        assert waits == [True, True, False]

    def test_eight_rounds_are_the_limit(self) -> None:
        session, model = talk(*[ADD] * 8, "I give up.")
        session.send("go")
        assert len(model.requests) == 9

    def test_a_model_that_calls_all_the_same_is_not_obeyed(self) -> None:
        session, _ = talk(ADD, ADD, max_rounds=1)
        events = list(session.stream("go"))
        assert results_of(events)[:1] == [("3", False)]
        assert all(is_error for _, is_error in results_of(events)[1:])
        assert finish_of(events).extra["round_limit_reached"]
        assert_whole(session.messages)

    def test_no_rounds_means_that_calls_come_back(self) -> None:
        session, _ = talk(ADD, "It is 3.", max_rounds=0)
        stream = session.stream("go")
        events = list(stream)
        assert (finish_of(events).reason, results_of(events)) == ("tool_calls", [])
        assert [one.name for one in stream.open_calls] == ["add"]
        assert stream.message.tool_calls[0].args == {"a": 2}

    def test_a_required_call_is_required_once(self) -> None:
        session, model = talk(ADD, "It is 3.", tool_choice="required")
        assert session.send("go").content == "It is 3."
        lazy = [request.constraint and request.constraint.trigger for request in model.requests]
        assert lazy[0] is None
        assert lazy[1] is not None

    @pytest.mark.parametrize("limit", [-1, True, 1.5])
    def test_impossible_limits_are_refused(self, limit: Any) -> None:
        with pytest.raises(OptionError, match="max_rounds"):
            talk(max_rounds=limit)


class TestDescribedTools:
    def test_their_calls_come_back(self) -> None:
        session, _ = talk(call("search", {"q": "x"}), tools=[described("search")])
        stream = session.stream("go")
        assert finish_of(list(stream)).reason == "tool_calls"
        assert shape(session) == "u a(0)"
        assert [one.args for one in stream.open_calls] == [{"q": "x"}]

    def test_functions_beside_them_run(self) -> None:
        calls = call("search") + ADD
        session, _ = talk(calls, "Done.", tools=[add, described("search")])
        stream = session.stream("go")
        assert results_of(list(stream)) == [("3", False)]
        (left,) = stream.open_calls
        list(session.resume({left.id: "found"}))
        assert shape(session) == "u a(0,1) t0 t1 a"
        assert session.messages[2]["content"] == "found"

    def test_resuming_gives_the_next_reply(self) -> None:
        session, _ = talk(call("search"), "Found it.", tools=[described("search")])
        stream = session.stream("go")
        list(stream)
        following = session.resume({one.id: "here" for one in stream.open_calls})
        list(following)
        assert following.message.content == "Found it."
        assert_whole(session.messages)

    def test_results_of_no_call_are_refused(self) -> None:
        session, _ = talk(call("search"), "Hi", tools=[described("search")])
        with pytest.raises(OptionError, match="waits"):
            session.resume({})
        list(session.stream("go"))
        with pytest.raises(OptionError, match="'strange'"):
            session.resume({"strange": ""})

    def test_saying_something_else_answers_them(self) -> None:
        session, _ = talk(call("search"), "Fine.", tools=[described("search")])
        list(session.stream("go"))
        session.send("never mind")
        assert shape(session) == "u a(0) t0 u a"
        assert_whole(session.messages)


class TestOptionsOfOneTurn:
    def test_tools(self) -> None:
        session, model = talk("a", "b", tools=())
        session.send("go", tools=[add])
        session.send("go")
        assert [request.constraint is None for request in model.requests] == [False, True]

    def test_no_tools(self) -> None:
        session, model = talk("a")
        session.send("go", tools=())
        assert model.requests[0].constraint is None

    def test_schema_of_a_type(self) -> None:
        class Answer(BaseModel):
            value: int

        session, model = talk('{"value": 1}', tools=())
        message = session.send("go", json_schema=Answer)
        assert Answer.model_validate_json(message.content).value == 1
        assert model.requests[0].constraint is not None
        assert "value" in model.requests[0].constraint.source

    def test_schema_as_a_dictionary(self) -> None:
        session, model = talk("3", tools=())
        session.send("go", json_schema={"type": "integer"})
        assert model.requests[0].constraint is not None

    @pytest.mark.parametrize(
        "options",
        [
            pytest.param({"tools": [add, add.function]}, id="same-name"),
            pytest.param({"tools": "add"}, id="text-for-tools"),
            pytest.param({"tools": add}, id="no-list"),
            pytest.param({"approve": "always"}, id="approve"),
            pytest.param({"tool_choice": "unknown_tool"}, id="tool-choice"),
            pytest.param({"max_rounds": -1}, id="rounds"),
        ],
    )
    def test_impossible_ones_change_nothing(self, options: dict[str, Any]) -> None:
        session, _ = talk("a")
        with pytest.raises(OptionError):
            session.stream("go", **options)
        assert session.messages == []

    def test_tools_may_be_assigned(self) -> None:
        session, _ = talk(tools=())
        session.tools = [shout]
        assert list(session.tools) == ["shout"]


class TestErrorsOfTheModel:
    def test_a_later_prompt_that_does_not_fit_ends_the_turn(self) -> None:
        session, model = talk(ADD)
        stream = session.stream("go")
        model.refusal = ContextLengthError("too long")
        finished = finish_of(list(stream))
        assert (finished.reason, finished.error) == ("error", "too long")
        assert finished.error_type == "ContextLengthError"
        assert shape(session) == "u a(0) t0"

    def test_send_raises_it(self) -> None:
        session, model = talk(ADD)

        @tool(approve=True)
        def add(a: int) -> int:
            model.refusal = ContextLengthError("too long")
            return a

        session.tools = [add]
        with pytest.raises(ContextLengthError, match="too long"):
            session.send("go")

    def test_engine_errors_of_a_later_round_are_raised_by_send(self) -> None:
        session, model = talk(ADD)
        model.enqueue(["Hm"], reason="error", error="aborted", error_type="EngineDead")
        with pytest.raises(EngineDead, match="aborted"):
            session.send("go")
        assert shape(session) == "u a(0) t0 a"

    def test_a_reply_cut_by_its_length_runs_nothing(self) -> None:
        session, model = talk()
        broken = '<tool_call>\n{"name": "shout", "arguments": {"te'
        model.enqueue([f"Wait. {ADD}", broken], reason="length")
        events = list(session.stream("go"))
        assert finish_of(events).reason == "length"
        assert results_of(events) == [("not run: the reply was cut short", True)]
        assert shape(session) == "u a(0) t0"
        assert session.messages[1]["content"].strip() == "Wait."

    def test_a_call_left_off_at_the_end_is_told_so(self) -> None:
        session, _ = talk('<tool_call>\n{"name": "add", "arguments": {"a": 1', "Sorry.")
        events = list(session.stream("go"))
        assert "not valid JSON" in results_of(events)[0][0]
        assert shape(session) == "u a(0) t0 a"


class TestTheTalk:
    def test_undo_takes_the_whole_exchange_back(self) -> None:
        session, _ = talk("Hi", ADD, "It is 3.")
        session.send("Hello")
        session.send("2 + 1?")
        assert session.undo() == "2 + 1?"
        assert shape(session) == "u a"

    def test_regenerate_answers_again(self) -> None:
        session, model = talk(ADD, "It is 3.", "Three.")
        session.send("2 + 1?")
        stream = session.regenerate(temperature=0.1)
        list(stream)
        assert [message["content"] for message in session.messages] == ["2 + 1?", "Three."]
        assert model.requests[-1].sampling.temperature == 0.1

    def test_regenerate_needs_a_question(self) -> None:
        session, _ = talk()
        with pytest.raises(OptionError):
            session.regenerate()

    def test_refused_regeneration_changes_nothing(self) -> None:
        session, _ = talk("Hi")
        session.send("Hello")
        with pytest.raises(OptionError):
            session.regenerate(temperature=-1)
        assert shape(session) == "u a"

    def test_a_fork_goes_its_own_way(self) -> None:
        session, model = talk("Hi", "One", "Two", system_prompt="Be terse.")
        session.send("Hello")
        other = session.fork()
        other.send("a")
        session.messages[0]["content"] = "changed"
        assert (shape(session), shape(other)) == ("u a", "u a u a")
        assert other.messages[0]["content"] == "Hello"
        assert (other.system_prompt, list(other.tools)) == ("Be terse.", ["add", "shout"])
        assert model.requests[0].affinity != model.requests[1].affinity

    def test_export_is_a_deep_copy_with_the_system_prompt(self) -> None:
        session, _ = talk(ADD, "Done.", system_prompt="Be terse.")
        session.send("go")
        exported = session.export()
        assert [message["role"] for message in exported] == [
            "system",
            "user",
            "assistant",
            "tool",
            "assistant",
        ]
        exported[2]["tool_calls"][0]["function"]["name"] = "changed"
        assert session.messages[1]["tool_calls"][0]["function"]["name"] == "add"

    def test_json_there_and_back(self) -> None:
        session, model = talk(ADD, "Done.", system_prompt="Sei kürzer.")
        session.send("go")
        other = Session.from_json(session.to_json(), model, tools=[add])
        assert (other.messages, other.system_prompt) == (session.messages, session.system_prompt)
        assert "ü" in session.to_json()

    @pytest.mark.parametrize(
        "text",
        ["", "[]", "{}", '{"system_prompt": 1, "messages": []}', json.dumps({"messages": [1]})],
    )
    def test_other_json_is_refused(self, text: str) -> None:
        with pytest.raises(OptionError, match="no saved talk"):
            Session.from_json(text, ScriptedModel())


class TestAsync:
    def test_tools_run_without_blocking_the_loop(self) -> None:
        seen: list[str] = []

        @tool(approve=True)
        async def wait_for(event: str) -> str:
            loop = asyncio.get_running_loop()
            done = loop.create_future()
            loop.call_soon(done.set_result, event)
            seen.append(await done)
            return event

        session, _ = talk(call("wait_for", {"event": "x"}) + ADD, "Done.", tools=[wait_for, add])
        message = asyncio.run(session.asend("go"))
        assert (message.content, seen) == ("Done.", ["x"])
        assert shape(session) == "u a(0,1) t0 t1 a"

    def test_events_are_those_of_a_thread(self) -> None:
        async def read(session: Session) -> list[str]:
            return [type(event).__name__ async for event in session.stream("go")]

        texts = (ADD + call("shout", {"text": "a"}), ADD, "Done.")
        there = asyncio.run(read(talk(*texts)[0]))
        assert there == [type(event).__name__ for event in talk(*texts)[0].stream("go")]


def test_a_tool_may_use_the_model_itself() -> None:
    session, model = talk(call("ask"), "inner", "Done.")

    @tool(approve=True)
    def ask() -> str:
        return Session(model).send("inner?").content

    session.tools = [ask]
    assert session.send("go").content == "Done."
    assert session.messages[2]["content"] == "inner"


def test_a_tool_that_asks_its_own_talk_ends_the_turn() -> None:
    session, _ = talk(call("ask"), "inner")

    @tool(approve=True)
    def ask() -> str:
        return session.send("inner?").content

    session.tools = [ask]
    events = list(session.stream("go"))
    assert finish_of(events).reason == "cancelled"
    assert_whole(session.messages)


def test_a_given_beginning_is_of_the_first_reply_only() -> None:
    session, model = talk(call("add", {"a": 1}), "2")
    with session.stream("One and one?", answer_tokens=(5, 6)) as stream:
        list(stream)
    assert [request.answer_tokens for request in model.requests] == [(5, 6), ()]
