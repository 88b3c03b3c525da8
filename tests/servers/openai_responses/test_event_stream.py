"""The writer alone: any sequence of chat events gives well-formed Responses events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from llamanb.chat_layer import (
    ChatEvent,
    Finished,
    ReasoningDelta,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallEnd,
    ToolCallStart,
)
from llamanb.servers.asked import Told
from llamanb.servers.openai_responses.adapter import read_request
from llamanb.servers.openai_responses.event_stream import ResponseWriter
from llamanb.servers.openai_responses.items import read_items, unseal
from llamanb.servers.openai_responses.requests import ResponsesRequest
from llamanb.servers.openai_responses.responses import response_head
from llamanb.servers.openai_responses.store import ResponseStore
from llamanb.servers.openai_responses.tools import read_toolbox
from llamanb.servers.problems import Problem
from llamanb.settings import SamplingSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 5,
    "total_tokens": 14,
    "cached_tokens": 4,
    "reasoning_tokens": 2,
}
TOOLS: list[dict[str, Any]] = [
    {"type": "function", "name": "look", "parameters": {"type": "object"}},
    {"type": "custom", "name": "patch"},
    {
        "type": "namespace",
        "name": "ns",
        "description": "",
        "tools": [{"type": "function", "name": "look"}],
    },
]
STOP = Finished(reason="stop", usage=USAGE)
PROBLEM = Problem(status=500, kind="server_error", message="it broke", code="numerical_error")


def writer(**body: Any) -> ResponseWriter:
    request = ResponsesRequest.model_validate({"input": "Hi", "tools": TOOLS, **body})
    asked = read_request(
        request, headers={}, store=ResponseStore(), read_sampling=lambda **_: SamplingSettings()
    )
    head = response_head(request, asked, id_seed="ab", model="demo", created=1)
    seals = "reasoning.encrypted_content" in (request.include or ())
    return ResponseWriter(head, asked.toolbox, seals_reasoning=seals)


def read(frames: Iterable[bytes]) -> list[dict[str, Any]]:
    """Give the data of frames, after checking their names."""
    events = []
    for one in b"".join(frames).decode().removesuffix("\n\n").split("\n\n"):
        name, data = one.split("\n")
        events.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {events[-1]['type']}"
    return events


def written(
    events: Iterable[ChatEvent], made: ResponseWriter | None = None, problem: Problem | None = None
) -> list[dict[str, Any]]:
    """Write events to the end, or to a failure."""
    made = made or writer()
    frames = [*made.begin()]
    for event in events:
        frames += made.write(Told(index=0, event=event))
    frames += made.fail(problem) if problem else made.end()
    return read(frames)


def types_of(events: Iterable[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def call(index: int, name: str, *parts: str) -> list[ChatEvent]:
    return [
        ToolCallStart(index=index, id=f"call_{index}", name=name),
        *(ToolArgumentsDelta(index=index, text=part) for part in parts),
        ToolCallEnd(index=index, id=f"call_{index}", name=name, arguments="".join(parts)),
    ]


# ---- single answers ------------------------------------------------------------------------


def test_a_message_is_opened_grown_and_closed() -> None:
    events = written([TextDelta(text="Hel"), TextDelta(text="lo"), STOP])
    assert types_of(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "Hello"


def test_reasoning_is_an_item_before_the_message() -> None:
    events = written([ReasoningDelta(text="Hm."), TextDelta(text="Yes"), STOP])
    assert types_of(events)[2:9] == [
        "output_item.added",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
    ]
    kinds = [item["type"] for item in events[-1]["response"]["output"]]
    assert kinds == ["reasoning", "message"]


def test_a_function_call_streams_its_arguments() -> None:
    events = written([*call(0, "look", '{"a"', ":1}"), STOP])
    assert types_of(events)[2:-1] == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]
    item = events[-1]["response"]["output"][0]
    assert (item["call_id"], item["name"], item["arguments"]) == ("call_0", "look", '{"a":1}')


def test_a_call_of_a_namespaced_tool_says_its_namespace() -> None:
    item = written([*call(0, "ns__look", "{}"), STOP])[-1]["response"]["output"][0]
    assert (item["namespace"], item["name"]) == ("ns", "look")


def test_a_custom_tool_is_called_with_its_text() -> None:
    events = written([*call(0, "patch", '{"input": "a\\n', 'b"}'), STOP])
    assert types_of(events)[2:-1] == [
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
    ]
    item = events[-1]["response"]["output"][0]
    assert (item["type"], item["input"]) == ("custom_tool_call", "a\nb")


def test_calls_without_arguments_get_an_empty_object() -> None:
    item = written([*call(0, "look"), STOP])[-1]["response"]["output"][0]
    assert item["arguments"] == "{}"


def test_two_calls_of_one_id_get_different_ones() -> None:
    events: list[ChatEvent] = [
        ToolCallEnd(index=index, id="0", name="look", arguments="{}") for index in range(2)
    ]
    first, second = written([*events, STOP])[-1]["response"]["output"]
    assert first["call_id"] == "0"
    assert second["call_id"] not in {"", "0"}


def test_an_answer_without_a_word_is_an_empty_message() -> None:
    output = written([STOP])[-1]["response"]["output"]
    assert [item["content"][0]["text"] for item in output] == [""]


def test_a_cut_answer_is_incomplete_and_so_is_its_open_item() -> None:
    events = written([TextDelta(text="Hel"), Finished(reason="length", usage=USAGE)])
    response = events[-1]["response"]
    assert events[-1]["type"] == "response.incomplete"
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["output"][0]["status"] == "incomplete"


def test_a_failure_tells_the_error_then_the_failed_response() -> None:
    events = written([TextDelta(text="Hel")], problem=PROBLEM)
    assert types_of(events)[-5:] == [
        "error",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "failed",
    ]
    assert events[-1]["response"]["error"] == {"code": "server_error", "message": "it broke"}


def test_usage_counts_cached_and_reasoning_tokens() -> None:
    usage = written([TextDelta(text="Hi"), STOP])[-1]["response"]["usage"]
    assert usage == {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 5},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 14,
    }


def test_log_probabilities_are_in_deltas_and_in_the_whole() -> None:
    made, logprob = (
        writer(),
        {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []},
    )
    told = Told(index=0, event=TextDelta(text="Hi"), logprobs=[logprob])
    delta = read(made.write(told))[-1]
    made.write(Told(index=0, event=STOP))
    assert delta["logprobs"] == [logprob]
    assert made.whole()["output"][0]["content"][0]["logprobs"] == [logprob]


def test_sealed_reasoning_comes_back_as_reasoning() -> None:
    made = writer(include=["reasoning.encrypted_content"])
    events = written([ReasoningDelta(text="Hm “ü”"), TextDelta(text="Yes"), STOP], made)
    reasoning, message = events[-1]["response"]["output"]
    assert unseal(reasoning["encrypted_content"]) == "Hm “ü”"
    only_sealed = {key: one for key, one in reasoning.items() if key != "content"}
    assert read_items([only_sealed, message])[0]["reasoning_content"] == "Hm “ü”"


def test_pings_are_numbered_and_stop_at_the_end() -> None:
    made = writer()
    first = read(made.begin())
    ping = read([made.ping])
    made.end()
    assert [event["sequence_number"] for event in (*first, *ping)] == [0, 1, 2]
    EVENTS.validate_python(ping[0])
    assert ping[0]["response"]["tools"] == []
    assert made.ping == b""


def test_the_whole_is_the_same_with_and_without_a_stream() -> None:
    events = [ReasoningDelta(text="Hm"), TextDelta(text="Hi"), *call(0, "look", "{}"), STOP]
    made = writer()
    for event in events:
        made.write(Told(index=0, event=event))
    streamed = written(events)[-1]["response"]
    assert {**made.whole(), "completed_at": None} == {**streamed, "completed_at": None}


def test_a_response_that_failed_is_not_kept() -> None:
    kept: list[dict[str, Any]] = []
    head = writer().whole()
    broken = ResponseWriter(head, on_end=kept.append)
    written([], broken, PROBLEM)
    written([STOP], ResponseWriter(head, on_end=kept.append))
    assert [response["status"] for response in kept] == ["completed"]


# ---- any answer ----------------------------------------------------------------------------

INDEX = st.integers(0, 3)
TEXT = st.sampled_from(["", "a", "é\n", '{"input": "x"}', "\u2028", "data: "])
NAME = st.sampled_from(["look", "patch", "ns__look", "unknown"])
EVENT: st.SearchStrategy[ChatEvent] = st.one_of(
    st.builds(TextDelta, text=TEXT),
    st.builds(ReasoningDelta, text=TEXT),
    st.builds(ToolCallStart, index=INDEX, id=TEXT, name=NAME),
    st.builds(ToolArgumentsDelta, index=INDEX, text=TEXT),
    st.builds(ToolCallEnd, index=INDEX, id=TEXT, name=NAME, arguments=TEXT),
)
FINISHED = st.builds(
    Finished,
    reason=st.sampled_from(["stop", "length", "tool_calls", "cancelled", "error"]),
    usage=st.sampled_from([USAGE, {}]),
)
ANSWERS = st.tuples(st.lists(EVENT, max_size=12), FINISHED, st.none() | st.just(PROBLEM))


@given(answer=ANSWERS)
@settings(deadline=None, max_examples=60)
def test_any_answer_gives_well_formed_events(
    answer: tuple[list[ChatEvent], Finished, Problem | None],
) -> None:
    told, finished, problem = answer
    events = written([*told, *([] if problem else [finished])], problem=problem)
    for event in events:
        EVENTS.validate_python(event)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    _check_items(events)


@given(answer=ANSWERS)
@settings(deadline=None, max_examples=60)
def test_the_official_client_accumulates_any_answer(
    answer: tuple[list[ChatEvent], Finished, Problem | None],
) -> None:
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=omit, text_format=omit)
    events = written([*answer[0], STOP])
    for event in events:
        state.handle_event(EVENTS.validate_python(event))
    final = Response.model_validate(events[-1]["response"])
    snapshot = state.accumulate_event(EVENTS.validate_python(events[-1])).output
    assert [item.type for item in snapshot] == [item.type for item in final.output]
    for grown, whole in zip(snapshot, final.output, strict=True):
        for name in ("arguments", "id", "call_id", "name"):
            assert getattr(grown, name, None) == getattr(whole, name, None)


def _check_items(events: list[dict[str, Any]]) -> None:
    """Check that items are opened and closed once, and that deltas join to the whole."""
    opened: dict[int, dict[str, Any]] = {}
    closed: dict[int, dict[str, Any]] = {}
    texts: dict[int, str] = {}
    for event in events:
        place, kind = event.get("output_index", -1), event["type"]
        if kind == "response.output_item.added":
            assert place == len(opened)
            opened[place], texts[place] = event["item"], ""
        elif place >= 0:
            assert place in opened
            assert place not in closed
            assert event.get("item_id", opened[place]["id"]) == opened[place]["id"]
        if kind.endswith(".delta"):
            texts[place] += event["delta"]
        if kind == "response.output_item.done":
            closed[place] = event["item"]
    response = events[-1]["response"]
    assert [closed[place] for place in sorted(opened)] == response["output"]
    assert [_said(item) for item in response["output"]] == [texts[n] for n in sorted(texts)]


def _said(item: dict[str, Any]) -> str:
    text = item.get("arguments", item.get("input"))
    return str(item["content"][0]["text"] if text is None else text)


@pytest.mark.parametrize("shown", ["look", "patch", "ns__look"])
def test_a_call_is_shown_to_the_model_again_as_it_made_it(shown: str) -> None:
    items = written([*call(0, shown, '{"input": "x"}'), STOP])[-1]["response"]["output"]
    made = read_items(items)[0]["tool_calls"][0]
    assert made["function"] == {"name": shown, "arguments": '{"input": "x"}'}
    assert read_toolbox(TOOLS, "auto").find(shown) is not None
