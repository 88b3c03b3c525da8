"""Events in, OpenAI's server-sent events out, as the official SDK's types read them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from llamanb.chat_layer import (
    Finished,
    ReasoningDelta,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallEnd,
    ToolCallStart,
)
from llamanb.servers.asked import Told
from llamanb.servers.openai.event_stream import ChatWriter, TextWriter
from llamanb.servers.openai.responses import Head, merged
from llamanb.servers.problems import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llamanb.chat_layer import ChatEvent

USAGE = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13, "cached_tokens": 4}
DONE = Finished(reason="stop", usage=USAGE, timings={"prompt_s": 0.1, "generation_s": 0.2})
CALL: list[ChatEvent] = [
    ToolCallStart(index=0, id="call_1", name="get_weather"),
    ToolArgumentsDelta(index=0, text='{"city": '),
    ToolArgumentsDelta(index=0, text='"Oslo"}'),
    ToolCallEnd(index=0, id="call_1", name="get_weather", arguments='{"city": "Oslo"}'),
    Finished(reason="tool_calls", usage=USAGE),
]


def head(n: int = 1, n_prompts: int = 1) -> Head:
    return Head(
        id="chatcmpl-1",
        model="demo",
        created=1_700_000_000,
        system_fingerprint="fp_1",
        n=n,
        n_prompts=n_prompts,
    )


def told(events: Sequence[ChatEvent], index: int = 0) -> list[Told]:
    return [Told(index=index, event=event) for event in events]


def streamed(writer: ChatWriter | TextWriter, events: Sequence[Told]) -> list[Any]:
    """Give what a client reads: dictionaries, and "[DONE]"."""
    frames = [*writer.begin(), *(one for event in events for one in writer.write(event))]
    return read([*frames, *writer.end()])


def read(frames: Sequence[bytes]) -> list[Any]:
    texts = [frame.decode() for frame in frames]
    assert all(text.startswith("data: ") and text.endswith("\n\n") for text in texts)
    bodies = [text.removeprefix("data: ").rstrip() for text in texts]
    return [body if body == "[DONE]" else json.loads(body) for body in bodies]


def choices(chunks: Sequence[Any]) -> list[Any]:
    return [choice for chunk in chunks[:-1] for choice in chunk["choices"]]


# ---- chats ---------------------------------------------------------------------------------


def test_a_stream_begins_with_the_role_and_ends_with_done() -> None:
    chunks = streamed(ChatWriter(head()), told([TextDelta(text="Hi"), DONE]))
    deltas = [(choice["delta"], choice["finish_reason"]) for choice in choices(chunks)]
    assert deltas == [({"role": "assistant"}, None), ({"content": "Hi"}, None), ({}, "stop")]
    assert chunks[-1] == "[DONE]"
    assert not any("usage" in chunk for chunk in chunks[:-1])


def test_usage_comes_last_and_without_a_choice() -> None:
    writer = ChatWriter(head(), include_usage=True)
    chunks = streamed(writer, told([TextDelta(text="Hi"), DONE]))
    assert chunks[-2]["choices"] == []
    assert chunks[-2]["usage"]["prompt_tokens_details"] == {"cached_tokens": 4}
    assert [chunk["usage"] for chunk in chunks[:-2]] == [None] * 3


def test_every_chunk_is_of_the_official_type_and_has_one_head() -> None:
    writer = ChatWriter(head(), include_usage=True)
    chunks = streamed(writer, told([ReasoningDelta(text="Hm"), *CALL]))
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    for chunk in chunks[:-1]:
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk, strict=True))
    assert {(c["id"], c["model"], c["object"], c["created"]) for c in chunks[:-1]} == {
        ("chatcmpl-1", "demo", "chat.completion.chunk", 1_700_000_000)
    }
    calls = state.get_final_completion().choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].function.arguments == '{"city": "Oslo"}'


def test_a_call_is_named_once_and_then_has_fragments_alone() -> None:
    chunks = streamed(ChatWriter(head()), told(CALL))
    calls = [choice["delta"].get("tool_calls") for choice in choices(chunks)]
    begun = {"name": "get_weather", "arguments": ""}
    assert calls == [
        None,
        [{"index": 0, "id": "call_1", "type": "function", "function": begun}],
        [{"index": 0, "function": {"arguments": '{"city": '}}],
        [{"index": 0, "function": {"arguments": '"Oslo"}'}}],
        None,
    ]
    assert choices(chunks)[-1]["finish_reason"] == "tool_calls"


def test_answers_side_by_side_keep_their_index() -> None:
    writer = ChatWriter(head(n=2), include_usage=True)
    events = [
        *told([TextDelta(text="a")], 0),
        *told([TextDelta(text="b")], 1),
        *told([DONE], 1),
        *told([DONE], 0),
    ]
    chunks = streamed(writer, events)
    assert [choice["index"] for choice in choices(chunks)] == [0, 1, 0, 1, 1, 0]
    assert [chunk["choices"] for chunk in chunks[-2:-1]] == [[]]
    assert chunks[-2]["usage"]["total_tokens"] == 10 + 2 * 3


def test_the_whole_has_every_choice_and_counts_the_prompt_once() -> None:
    writer = ChatWriter(head(n=2))
    for event in [*told([TextDelta(text="a"), DONE]), *told(CALL, 1)]:
        writer.write(event)
    whole = ChatCompletion.model_validate(writer.whole(), strict=True)
    assert [(one.index, one.finish_reason) for one in whole.choices] == [
        (0, "stop"),
        (1, "tool_calls"),
    ]
    assert whole.usage is not None
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (10, 6)


def test_reasoning_can_be_left_out() -> None:
    events = told([ReasoningDelta(text="Hm"), TextDelta(text="Hi"), DONE])
    writer = ChatWriter(head(), hides_reasoning=True)
    assert "reasoning" not in json.dumps(choices(streamed(writer, events)))
    assert writer.whole()["choices"][0]["message"] == {"role": "assistant", "content": "Hi"}


def test_a_client_of_functions_reads_function_calls() -> None:
    writer = ChatWriter(head(), is_legacy=True)
    chunks = streamed(writer, told(CALL))
    parts = [choice["delta"].get("function_call") for choice in choices(chunks)]
    assert parts == [
        None,
        {"name": "get_weather", "arguments": ""},
        {"arguments": '{"city": '},
        {"arguments": '"Oslo"}'},
        None,
    ]
    whole = ChatCompletion.model_validate(writer.whole(), strict=True).choices[0]
    assert whole.finish_reason == "function_call"
    assert whole.message.function_call is not None
    assert whole.message.function_call.arguments == '{"city": "Oslo"}'


def test_log_probabilities_that_come_with_nothing_to_show_are_in_the_next_chunk() -> None:
    entry = {"token": "}", "logprob": -0.5, "bytes": [125], "top_logprobs": []}
    writer = ChatWriter(head())
    events = [Told(index=0, event=event) for event in CALL]
    events[3] = Told(index=0, event=CALL[3], logprobs=[entry])
    shown = [choice["logprobs"] for choice in choices(streamed(writer, events))]
    assert shown == [None, None, None, None, {"content": [entry]}]


@pytest.mark.parametrize("writer", [ChatWriter(head()), TextWriter(head())])
def test_an_error_in_the_middle_is_told_and_the_stream_ends(
    writer: ChatWriter | TextWriter,
) -> None:
    problem = Refusal("too much", status=503, kind="server_error").problem
    error, done = read(writer.fail(problem))
    assert error["error"]["message"] == "too much"
    assert done == "[DONE]"


def test_a_ping_is_a_comment() -> None:
    assert ChatWriter.ping.startswith(b":")
    assert ChatWriter.ping.endswith(b"\n\n")


# ---- usage ---------------------------------------------------------------------------------


def test_several_prompts_are_added_up_and_each_counts_once() -> None:
    others = Finished(reason="stop", usage={**USAGE, "prompt_tokens": 1, "cached_tokens": 1})
    cached = Finished(reason="stop", usage={**USAGE, "cached_tokens": 9})
    assert merged([DONE, cached, others, others], 2).usage == {
        "prompt_tokens": 11,
        "completion_tokens": 12,
        "total_tokens": 23,
        "cached_tokens": 5,
    }


# ---- plain completions ---------------------------------------------------------------------

ENTRIES: list[dict[str, Any]] = [
    {
        "token": token,
        "logprob": -0.5,
        "bytes": list(token.encode()),
        "top_logprobs": [{"token": token, "logprob": -0.5, "bytes": []}],
    }
    for token in ("Hel", "lo")
]


def test_pieces_of_a_text_end_with_the_usage() -> None:
    chunks = streamed(TextWriter(head(), include_usage=True), told([TextDelta(text="Hi"), DONE]))
    assert [(one["text"], one["finish_reason"]) for one in choices(chunks)] == [
        ("Hi", None),
        ("", "stop"),
    ]
    last = Completion.model_validate(chunks[-2])
    assert (last.choices, last.object) == ([], "text_completion")
    assert last.usage is not None


def test_a_whole_text_is_of_the_official_type() -> None:
    writer = TextWriter(head(n_prompts=2))
    for event in [*told([TextDelta(text="a"), DONE]), *told([TextDelta(text="b"), DONE], 1)]:
        writer.write(event)
    whole = Completion.model_validate(writer.whole(), strict=True)
    assert [(one.index, one.text, one.finish_reason) for one in whole.choices] == [
        (0, "a", "stop"),
        (1, "b", "stop"),
    ]
    assert whole.usage is not None
    assert whole.usage.prompt_tokens == 20


def test_an_echoed_prompt_comes_first() -> None:
    writer = TextWriter(head(n=2), echo=["Once ", "Once "])
    chunks = streamed(writer, told([TextDelta(text="upon"), DONE]))
    assert [(c["index"], c["text"]) for c in choices(chunks)] == [
        (0, "Once "),
        (1, "Once "),
        (0, "upon"),
        (0, ""),
    ]
    assert [choice["text"] for choice in writer.whole()["choices"]] == ["Once upon", "Once "]


def test_log_probabilities_have_the_old_shape_and_places_in_the_text() -> None:
    events = [
        Told(index=0, event=TextDelta(text="Hel"), logprobs=ENTRIES[:1]),
        Told(index=0, event=TextDelta(text="lo"), logprobs=ENTRIES[1:]),
        Told(index=0, event=DONE),
    ]
    writer = TextWriter(head())
    offsets = [
        choice["logprobs"] and choice["logprobs"]["text_offset"]
        for choice in choices(streamed(writer, events))
    ]
    assert offsets == [[0], [3], None]
    assert writer.whole()["choices"][0]["logprobs"] == {
        "tokens": ["Hel", "lo"],
        "token_logprobs": [-0.5, -0.5],
        "top_logprobs": [{"Hel": -0.5}, {"lo": -0.5}],
        "text_offset": [0, 3],
    }
