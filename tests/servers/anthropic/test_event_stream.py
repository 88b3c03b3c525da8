"""Any answer becomes well-formed events, and the same message as a whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamanb.chat_layer import (
    ChatEvent,
    Finished,
    ReasoningDelta,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallEnd,
    ToolCallStart,
)
from llamanb.servers.anthropic.event_stream import MessageWriter
from llamanb.servers.asked import Told
from llamanb.servers.problems import Refusal
from tests.servers.anthropic.asking import accumulated, events_of

if TYPE_CHECKING:
    from collections.abc import Iterable

USAGE = {"prompt_tokens": 9, "completion_tokens": 5, "cached_tokens": 4}
STOP = Finished(reason="stop", usage=USAGE)
TEXTS = st.text("ab é\n😀", max_size=4)


def _writer(**options: Any) -> MessageWriter:
    given_ids = {"id_seed": "0123456789abcdef01234567", "model": "demo", "n_prompt_tokens": 9}
    return MessageWriter(**{**given_ids, "max_tokens": 5, **options})


def _told(writer: MessageWriter, events: Iterable[ChatEvent]) -> bytes:
    frames = list(writer.begin())
    for event in events:
        frames += writer.write(Told(index=0, event=event))
    return b"".join([*frames, *writer.end()])


def _both(*events: ChatEvent, **options: Any) -> dict[str, Any]:
    """Give the message, told in pieces and as a whole."""
    writer = _writer(**options)
    streamed = accumulated(_told(writer, events))
    assert streamed == json.loads(writer.whole())
    return streamed


def _call(arguments: str, *, index: int = 0, is_cut: bool = False) -> list[ChatEvent]:
    told: Any = {"index": index, "id": f"id{index}", "name": "add"}
    pieces = [ToolArgumentsDelta(index=index, text=one) for one in arguments]
    end = [] if is_cut else [ToolCallEnd(**told, arguments=arguments)]
    return [ToolCallStart(**told), *pieces, *end]


CALLS = st.builds(
    _call,
    st.sampled_from(["{}", '{"a": ["x"]}', '{"a": 1.50, "b": {"c": null}}', '{"a": "é\\n"}']),
    index=st.integers(0, 3),
    is_cut=st.booleans(),
)
ANSWERS = st.lists(
    st.one_of(
        TEXTS.map(lambda text: [TextDelta(text=text)]),
        TEXTS.map(lambda text: [ReasoningDelta(text=text)]),
        CALLS,
    ),
    max_size=8,
)
STRAY = st.one_of(
    TEXTS.map(lambda text: TextDelta(text=text)),
    TEXTS.map(lambda text: ReasoningDelta(text=text)),
    st.builds(ToolCallStart, index=st.integers(0, 2), id=TEXTS, name=TEXTS),
    st.builds(ToolArgumentsDelta, index=st.integers(0, 2), text=st.just("{}")),
    st.builds(ToolCallEnd, index=st.integers(0, 2), id=TEXTS, name=TEXTS, arguments=TEXTS),
)


@given(parts=ANSWERS, is_hidden=st.booleans())
def test_the_stream_joins_to_the_whole(parts: list[list[ChatEvent]], is_hidden: bool) -> None:
    message = _both(*(one for part in parts for one in part), STOP, hides_thinking=is_hidden)
    assert message["content"]


@given(events=st.lists(STRAY, max_size=12))
def test_any_events_at_all_give_well_formed_blocks(events: list[ChatEvent]) -> None:
    message = accumulated(_told(_writer(), [*events, STOP]))
    assert message["content"]


@given(parts=ANSWERS)
def test_no_text_is_lost(parts: list[list[ChatEvent]]) -> None:
    events = [one for part in parts for one in part]
    message = _both(*events, STOP)
    said = "".join(one.text for one in events if isinstance(one, TextDelta))
    shown = "".join(one["text"] for one in message["content"] if one["type"] == "text")
    assert "".join(shown.split()) == "".join(said.split())


def test_every_event_stands_in_its_place() -> None:
    events = [ReasoningDelta(text="Hm"), TextDelta(text="Hi"), *_call("{}"), STOP]
    names = [name for name, _ in events_of(_told(_writer(), events))]
    start, delta, stop = "content_block_start", "content_block_delta", "content_block_stop"
    block = [start, "ping", delta]
    thinking, words, call = [*block, delta, stop], [*block, stop], [*block, delta, stop]
    whole = ["message_start", *thinking, *words, *call, "message_delta", "message_stop"]
    assert names == whole


def test_a_block_is_closed_as_soon_as_it_ends() -> None:
    writer = _writer()
    frames = [writer.write(Told(index=0, event=event)) for event in _call("{}")]
    assert b"content_block_stop" in frames[-1][-1]


def test_a_call_starts_with_an_empty_input() -> None:
    events = dict(events_of(_told(_writer(), [*_call('{"a": 1}'), STOP])))
    block = events["content_block_start"]["content_block"]
    assert block["input"] == {}
    assert block["id"].startswith("toolu_")


@pytest.mark.parametrize(
    "arguments",
    ['{"files": ["a"]}', "{}", '{"n": 12345678901234567890123, "x": 1.50, "y": 1e400}', '["a"]'],
)
def test_arguments_arrive_as_the_model_wrote_them(arguments: str) -> None:
    writer = _writer()
    stream = _told(writer, [*_call(arguments), STOP])
    deltas = [data["delta"] for name, data in events_of(stream) if name == "content_block_delta"]
    assert "".join(delta["partial_json"] for delta in deltas) == arguments
    assert f'"input":{arguments}}}'.encode() in writer.whole()


@pytest.mark.parametrize(
    ("arguments", "read"),
    [
        pytest.param('{"a": 1, "b": [2', {"a": 1, "b": [2]}, id="cut off"),
        pytest.param("", {}, id="nothing yet"),
        pytest.param("{'a': 1}", {"input": "{'a': 1}"}, id="no JSON"),
        pytest.param('{"a": NaN}', {"input": '{"a": NaN}'}, id="no number"),
    ],
)
def test_an_input_is_always_json(arguments: str, read: Any) -> None:
    writer = _writer()
    _told(writer, [*_call(arguments, is_cut=True), Finished(reason="length")])
    assert json.loads(writer.whole())["content"][0]["input"] == read


def test_white_space_alone_makes_no_block() -> None:
    message = _both(ReasoningDelta(text="\n\n"), TextDelta(text=" \n"), *_call("{}"), STOP)
    assert [block["type"] for block in message["content"]] == ["tool_use"]


def test_white_space_before_words_is_kept() -> None:
    message = _both(TextDelta(text="\n"), TextDelta(text=" Hi"), STOP)
    assert message["content"] == [{"type": "text", "text": "\n Hi"}]


def test_an_empty_answer_has_one_empty_text() -> None:
    assert _both(STOP)["content"] == [{"type": "text", "text": ""}]


def test_hidden_thinking_has_a_signature_and_no_text() -> None:
    events = (ReasoningDelta(text="Secret"), TextDelta(text="Hi"), STOP)
    shown, hidden = _both(*events)["content"][0], _both(*events, hides_thinking=True)["content"][0]
    assert (shown["thinking"], hidden["thinking"]) == ("Secret", "")
    assert shown["signature"] == hidden["signature"] != ""


@pytest.mark.parametrize(
    ("finished", "reason", "sequence"),
    [
        pytest.param({"reason": "stop"}, "end_turn", None, id="end of turn"),
        pytest.param({"reason": "stop", "stop_string": "END"}, "stop_sequence", "END", id="stop"),
        pytest.param({"reason": "tool_calls"}, "tool_use", None, id="tool"),
        pytest.param({"reason": "length"}, "max_tokens", None, id="limit"),
        pytest.param({"reason": "cancelled"}, "max_tokens", None, id="given up"),
    ],
)
def test_the_end_has_a_reason(finished: Any, reason: str, sequence: str | None) -> None:
    message = _both(TextDelta(text="Hi"), Finished(**finished, usage=USAGE))
    assert (message["stop_reason"], message["stop_sequence"]) == (reason, sequence)


def test_a_full_window_is_told_from_a_limit() -> None:
    end = Finished(reason="length", usage=USAGE)
    assert _both(end, max_tokens=128_000)["stop_reason"] == "model_context_window_exceeded"
    assert _both(Finished(reason="length"), max_tokens=0)["stop_reason"] == "max_tokens"


def test_tokens_from_the_cache_are_no_input() -> None:
    usage = _both(TextDelta(text="Hi"), STOP)["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (5, 4)
    assert (usage["cache_creation_input_tokens"], usage["output_tokens"]) == (0, 5)


def test_the_whole_prompt_is_told_at_the_start() -> None:
    (_, data), *_ = events_of(b"".join(_writer().begin()))
    assert data["message"]["usage"]["input_tokens"] == 9
    assert data["message"]["id"] == "msg_0123456789abcdef01234567"


def test_an_error_has_an_event_of_its_own() -> None:
    writer = _writer(request_id="req_1")
    ((name, data),) = events_of(b"".join(writer.fail(Refusal("too busy", status=503).problem)))
    assert name == data["type"] == "error"
    assert data["error"] == {"type": "overloaded_error", "message": "too busy"}
