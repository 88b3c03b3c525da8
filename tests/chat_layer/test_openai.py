"""Chat events in, OpenAI dictionaries out, as the official SDK reads them."""

from __future__ import annotations

from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from llamanb.chat_layer import (
    ChatEvent,
    Finished,
    ReasoningDelta,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallEnd,
    ToolCallStart,
    ToolResult,
)
from llamanb.chat_layer.openai import CompletionWriter

USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 8,
    "total_tokens": 20,
    "cached_tokens": 4,
    "reasoning_tokens": 3,
}
TIMINGS = {"queued_s": 0.0, "prompt_s": 0.5, "generation_s": 2.0, "tokens_per_s": 3.5}
CALL: list[ChatEvent] = [
    ToolCallStart(index=0, id="call_1", name="get_weather"),
    ToolArgumentsDelta(index=0, text='{"city": '),
    ToolArgumentsDelta(index=0, text='"Oslo"}'),
    ToolCallEnd(index=0, id="call_1", name="get_weather", arguments='{"city": "Oslo"}'),
]
ANSWERS: dict[str, list[ChatEvent]] = {
    "text": [TextDelta(text="Hel"), TextDelta(text="lo"), Finished(reason="stop", usage=USAGE)],
    "nothing": [Finished(reason="stop")],
    "reasoning": [
        ReasoningDelta(text="Hm."),
        TextDelta(text="Yes"),
        Finished(reason="stop", usage=USAGE, timings=TIMINGS),
    ],
    "call": [*CALL, Finished(reason="tool_calls", usage=USAGE)],
    "text and two calls": [
        TextDelta(text="I look."),
        *CALL,
        ToolCallStart(index=1, id="call_2", name="now"),
        ToolArgumentsDelta(index=1, text="{}"),
        ToolCallEnd(index=1, id="call_2", name="now", arguments="{}"),
        Finished(reason="tool_calls", usage=USAGE),
    ],
}


def writer(**options: Any) -> CompletionWriter:
    return CompletionWriter(id="chatcmpl-1", model="demo", created=1_700_000_000, **options)


def written(events: list[ChatEvent], **options: Any) -> tuple[list[Any], dict[str, Any]]:
    """Give the chunks and the whole of one answer."""
    made = writer(**options)
    return [chunk for event in events for chunk in made.chunk(event)], made.completion()


def deltas(chunks: list[Any]) -> list[Any]:
    return [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]


def called(message: Any) -> list[tuple[str, str, str]]:
    calls = message.tool_calls or ()
    return [(call.id, call.function.name, call.function.arguments) for call in calls]


@pytest.mark.parametrize("events", ANSWERS.values(), ids=list(ANSWERS))
def test_every_dictionary_is_one_of_the_official_types(events: list[ChatEvent]) -> None:
    chunks, whole = written(events, include_usage=True, system_fingerprint="fp_1")
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    ChatCompletion.model_validate(whole, strict=True)


@pytest.mark.parametrize("events", ANSWERS.values(), ids=list(ANSWERS))
def test_official_sdk_joins_the_chunks_to_the_whole(events: list[ChatEvent]) -> None:
    chunks, whole = written(events, include_usage=True)
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    for chunk in chunks:
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    joined = state.get_final_completion()
    expected = ChatCompletion.model_validate(whole)
    told, meant = joined.choices[0].message, expected.choices[0].message
    assert (told.content or "") == (meant.content or "")
    assert called(told) == called(meant)
    assert joined.choices[0].finish_reason == expected.choices[0].finish_reason
    assert joined.usage == expected.usage


def test_the_speaker_is_told_once_and_first() -> None:
    made = writer()
    assert deltas(made.begin()) == [{"role": "assistant"}]
    assert made.begin() == []
    assert deltas(made.chunk(TextDelta(text="Hi"))) == [{"content": "Hi"}]


def test_a_call_is_told_by_its_name_and_then_in_pieces() -> None:
    chunks, _ = written(ANSWERS["call"])
    head = {"id": "call_1", "type": "function"}
    assert deltas(chunks) == [
        {"role": "assistant"},
        {
            "tool_calls": [
                {"index": 0, **head, "function": {"name": "get_weather", "arguments": ""}}
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city": '}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '"Oslo"}'}}]},
        {},
    ]


def test_only_the_last_choice_has_a_finish_reason() -> None:
    chunks, _ = written(ANSWERS["text"])
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    assert reasons == [None, None, None, "stop"]


def test_content_is_none_beside_calls_and_empty_without() -> None:
    messages = {
        name: written(events)[1]["choices"][0]["message"] for name, events in ANSWERS.items()
    }
    assert messages["call"]["content"] is None
    assert messages["nothing"]["content"] == ""
    assert messages["text and two calls"]["content"] == "I look."
    assert len(messages["text and two calls"]["tool_calls"]) == 2
    assert "tool_calls" not in messages["text"]


def test_reasoning_is_beside_the_content() -> None:
    chunks, whole = written(ANSWERS["reasoning"])
    assert deltas(chunks)[1] == {"reasoning_content": "Hm."}
    assert whole["choices"][0]["message"]["reasoning_content"] == "Hm."


def test_usage_chunk_has_no_choice_and_comes_only_if_asked_for() -> None:
    chunks, whole = written(ANSWERS["text"], include_usage=True)
    assert (chunks[-1]["choices"], chunks[-1]["usage"]) == ([], whole["usage"])
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    plain, _ = written(ANSWERS["text"])
    assert not any("usage" in chunk for chunk in plain)


def test_usage_has_the_details() -> None:
    usage = written(ANSWERS["text"])[1]["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens_details"] == {"cached_tokens": 4}
    assert usage["completion_tokens_details"] == {"reasoning_tokens": 3}


def test_timings_are_in_llama_servers_words() -> None:
    chunks, whole = written(ANSWERS["reasoning"])
    assert chunks[-1]["timings"] == whole["timings"]
    assert whole["timings"]["prompt_n"] + whole["timings"]["cache_n"] == 12
    assert whole["timings"]["prompt_ms"] == 500
    assert whole["timings"]["predicted_per_second"] == 4
    assert whole["timings"]["predicted_per_token_ms"] == 250


@pytest.mark.parametrize("reason", ["length", "cancelled", "error"])
def test_an_answer_given_up_counts_as_cut(reason: Any) -> None:
    chunks, whole = written([TextDelta(text="Hel"), Finished(reason=reason)])
    assert chunks[-1]["choices"][0]["finish_reason"] == "length"
    assert whole["choices"][0]["finish_reason"] == "length"


def test_the_whole_can_be_asked_for_at_any_time() -> None:
    made = writer()
    made.chunk(TextDelta(text="Hel"))
    assert made.completion()["choices"][0]["message"]["content"] == "Hel"


def test_results_of_tools_are_no_part_of_a_completion() -> None:
    assert writer().chunk(ToolResult(id="call_1", name="now", content="12")) == []


def test_log_probabilities_stay_with_their_chunk_and_are_joined_in_the_whole() -> None:
    entry = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}
    made = writer()
    chunks = made.chunk(TextDelta(text="Hi"), [entry])
    assert [chunk["choices"][0]["logprobs"] for chunk in chunks] == [None, {"content": [entry]}]
    assert made.completion()["choices"][0]["logprobs"] == {"content": [entry]}
    ChatCompletion.model_validate(made.completion() | {"choices": []})


def test_index_tells_several_answers_apart() -> None:
    chunks, whole = written(ANSWERS["text"], index=1)
    assert {chunk["choices"][0]["index"] for chunk in chunks} == {1}
    assert whole["choices"][0]["index"] == 1
