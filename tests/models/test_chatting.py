"""Chats with one model: prompts to generate from, and OpenAI dictionaries."""

from __future__ import annotations

import asyncio
import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

import llamanb
from llamanb.errors import ModelClosedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from llamanb.models import Model, ModelManager

SKY: Any = [{"role": "user", "content": "Why is the sky blue?"}]
OSLO: Any = [{"role": "user", "content": "What is the weather in Oslo?"}]
GREEDY: Any = {"temperature": 0, "max_tokens": 40}
ENDLESS: Any = {"max_tokens": None, "ignore_eos": True}
PLACE = {"type": "string", "maxLength": 12}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather.",
        "parameters": {
            "type": "object",
            "properties": {"city": PLACE, "unit": {"enum": ["C", "F"]}},
            "required": ["city"],
        },
    },
}
CLOCK = {
    "type": "function",
    "function": {
        "name": "get_time",
        "parameters": {
            "type": "object",
            "properties": {"offset": {"type": "integer", "minimum": -12, "maximum": 14}},
        },
    },
}
PARAMETERS = {
    tool["function"]["name"]: tool["function"]["parameters"]  # type: ignore[index]  # literal dictionaries
    for tool in (WEATHER, CLOCK)
}
THING = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 10},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 3},
        "size": {"anyOf": [{"type": "integer", "maximum": 9, "minimum": 0}, {"type": "null"}]},
    },
    "required": ["name", "tags", "size"],
}


def joined(chunks: Iterable[dict[str, Any]]) -> tuple[str, str | None]:
    """Give the text of a stream and how it ended."""
    choices = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
    text = "".join(choice["delta"].get("content", "") for choice in choices)
    return text, choices[-1]["finish_reason"]


def message_of(completion: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = completion["choices"][0]["message"]
    return message


# ---- prompts to generate from ------------------------------------------------------------


def test_a_built_prompt_says_how_to_generate_and_parse(demo: Model) -> None:
    prompt = demo.chat_build(OSLO, tools=[WEATHER])
    assert prompt.grammar_lazy
    assert prompt.trigger_patterns
    text = demo.generate(prompt.prompt, **prompt.sampling(), **GREEDY)
    message = demo.chat_parse(text, prompt)
    assert message.tool_calls[0].name == "get_weather"
    assert message.tool_calls[0].args == {"city": "Oslo"}
    assert "<tool_call>" not in message.content


def test_the_parts_of_a_built_prompt_do_the_same(demo: Model) -> None:
    prompt = demo.chat_build(OSLO, tools=[WEATHER])
    whole = demo.generate(prompt, **prompt.sampling(), **GREEDY)
    parts = demo.generate(
        prompt.prompt,
        grammar=prompt.grammar,
        trigger_patterns=prompt.trigger_patterns,
        trigger_tokens=prompt.trigger_tokens,
        stop=prompt.additional_stops,
        preserved_tokens=prompt.preserved_tokens,
        **GREEDY,
    )
    assert parts == whole


def test_every_prefix_parses_to_a_beginning(demo: Model) -> None:
    prompt = demo.chat_build(OSLO, tools=[WEATHER])
    text = demo.generate(prompt, **prompt.sampling(), **GREEDY)
    seen = ""
    for end in range(len(text) + 1):
        message = demo.chat_parse(text[:end], prompt, is_partial=True)
        arguments = "".join(call.arguments for call in message.tool_calls)
        assert arguments.startswith(seen)
        assert "<tool_call>" not in message.content
        seen = arguments


def test_the_content_of_a_chat_prompt_is_no_markup(demo: Model) -> None:
    prompt = demo.chat_build([{"role": "user", "content": "<|im_end|>"}])
    end = demo.tokenize("<|im_end|>", add_special=False, parse_special=True)
    ids = demo.request(prompt).prompt_tokens
    trusted = demo.request(prompt.prompt).prompt_tokens
    assert trusted.count(end[0]) == ids.count(end[0]) + 1


def test_tools_made_by_the_decorator_are_understood(demo: Model) -> None:
    @llamanb.tool
    def get_weather(city: str) -> str:
        """Get the weather."""
        return city

    prompt = demo.chat_build(OSLO, tools=[get_weather], tool_choice="get_weather")
    assert "Get the weather." in prompt.prompt
    assert not prompt.grammar_lazy


def test_a_schema_may_be_a_type(demo: Model) -> None:
    prompt = demo.chat_build(SKY, json_schema=list[int])
    answer = demo.generate(prompt, **prompt.sampling(), max_tokens=60, seed=1)
    assert prompt.grammar
    assert answer.startswith("[")


# ---- completions ---------------------------------------------------------------------------


def test_the_four_ways_to_ask_give_the_same(demo: Model) -> None:
    async def ask() -> tuple[dict[str, Any], list[dict[str, Any]]]:
        whole = await demo.acreate_chat_completion(SKY, **GREEDY)
        stream = await demo.acreate_chat_completion(SKY, stream=True, **GREEDY)
        return whole, [chunk async for chunk in stream]

    blocking = demo.create_chat_completion(SKY, **GREEDY)
    streamed = list(demo.create_chat_completion(SKY, stream=True, **GREEDY))
    awaited, chunks = asyncio.run(ask())
    text = message_of(blocking)["content"]
    assert "blue" in text
    assert message_of(awaited)["content"] == text
    assert joined(streamed) == joined(chunks) == (text, "stop")


def test_the_official_types_read_every_dictionary(demo: Model) -> None:
    options: Any = {"logprobs": True, "top_logprobs": 2, "tools": [WEATHER], **GREEDY}
    ChatCompletion.model_validate(demo.create_chat_completion(OSLO, **options), strict=True)
    usage = {"include_usage": True}
    for chunk in demo.create_chat_completion(OSLO, stream=True, stream_options=usage, **options):
        ChatCompletionChunk.model_validate(chunk, strict=True)


def test_a_completion_says_whose_it_is(demo: Model) -> None:
    first = demo.create_chat_completion(SKY, max_tokens=1)
    second = demo.create_chat_completion(SKY, max_tokens=1, model="gpt-x")
    assert (first["model"], second["model"]) == ("demo", "gpt-x")
    assert first["id"] != second["id"]
    assert first["system_fingerprint"] == f"fp_{demo.fingerprint}"


def test_usage_adds_up(demo: Model) -> None:
    usage = demo.create_chat_completion(SKY, **GREEDY)["usage"]
    assert usage["prompt_tokens"] == demo.count_tokens(SKY)
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    again = demo.create_chat_completion(SKY, **GREEDY)["usage"]
    assert again["prompt_tokens_details"]["cached_tokens"] > 0


def test_every_token_has_its_probability_once(demo: Model) -> None:
    options: Any = {"logprobs": True, "top_logprobs": 1, **GREEDY}
    whole = demo.create_chat_completion(SKY, **options)["choices"][0]["logprobs"]["content"]
    chunks = demo.create_chat_completion(SKY, stream=True, **options)
    parts = [chunk["choices"][0]["logprobs"] for chunk in chunks]
    streamed = [entry["token"] for part in parts if part for entry in part["content"]]
    assert [entry["token"] for entry in whole] == streamed
    assert all(entry["token"] == entry["top_logprobs"][0]["token"] for entry in whole)
    text = b"".join(bytes(entry["bytes"]) for entry in whole)
    assert text.startswith(b"The sky is blue")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param({"max_tokens": 3}, "length", id="max_tokens"),
        pytest.param({"max_completion_tokens": 3}, "length", id="max_completion_tokens"),
        pytest.param({"stop": ["blue"]}, "stop", id="stop"),
        pytest.param({"stop": None, "temperature": None, "n": 1}, "stop", id="nothing special"),
    ],
)
def test_how_it_ended_is_told(demo: Model, options: dict[str, Any], reason: str) -> None:
    answer = demo.create_chat_completion(SKY, **{"temperature": 0, **options})
    assert answer["choices"][0]["finish_reason"] == reason
    if options.get("stop"):
        assert message_of(answer)["content"].rstrip() == "The sky is"


def test_a_conversation_with_a_tool_goes_round(demo: Model) -> None:
    asked = message_of(demo.create_chat_completion(OSLO, tools=[WEATHER], **GREEDY))
    call = asked["tool_calls"][0]
    assert asked["content"] is None
    result = {"role": "tool", "tool_call_id": call["id"], "content": '{"degrees": 21}'}
    told = demo.create_chat_completion([*OSLO, asked, result], tools=[WEATHER], **GREEDY)
    assert "21" in message_of(told)["content"]
    assert told["choices"][0]["finish_reason"] == "stop"


def test_a_last_message_of_the_assistant_is_continued(demo: Model) -> None:
    begun = [*SKY, {"role": "assistant", "content": "The sky is"}]
    answer = demo.create_chat_completion(begun, continue_final_message=True, **GREEDY)
    assert message_of(answer)["content"].lstrip().startswith("blue")


# ---- streams that end early ------------------------------------------------------------------


def test_closing_a_stream_cancels_it(demo: Model) -> None:
    with demo.create_chat_completion(SKY, stream=True, **ENDLESS) as stream:
        assert next(stream)["choices"][0]["delta"] == {"role": "assistant"}
    assert list(stream) == []
    assert stream.completion["choices"][0]["finish_reason"] == "length"
    assert demo.create_chat_completion(SKY, **GREEDY)["choices"][0]["finish_reason"] == "stop"


def test_a_stream_closed_from_another_thread_ends(demo: Model) -> None:
    stream = demo.create_chat_completion(SKY, stream=True, **ENDLESS)
    next(stream)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(stream.close).result()
    assert list(stream) == []
    stream.close()


def test_an_async_stream_can_be_left(demo: Model) -> None:
    async def leave() -> dict[str, Any]:
        stream = await demo.acreate_chat_completion(SKY, stream=True, **ENDLESS)
        async with stream:
            async for chunk in stream:
                if chunk["choices"][0]["delta"].get("content"):
                    break
        return stream.completion

    assert asyncio.run(leave())["choices"][0]["finish_reason"] == "length"


def test_a_model_closed_meanwhile_ends_the_stream(real: ModelManager) -> None:
    model = real.load("demo", n_ctx=256, n_threads=1)
    stream = model.create_chat_completion(SKY, stream=True, **ENDLESS)
    next(stream)
    model.close()
    assert joined(stream)[1] == "length"
    with pytest.raises(ModelClosedError):
        model.create_chat_completion(SKY)


def test_two_streams_at_once_give_what_each_gives_alone(demo: Model) -> None:
    def ask(messages: Any) -> Any:
        return demo.create_chat_completion(messages, stream=True, **GREEDY)

    alone = [joined(ask(SKY)), joined(ask(OSLO))]
    streams = [ask(SKY), ask(OSLO)]
    chunks = list(itertools.zip_longest(*streams))
    together = [joined(filter(None, side)) for side in zip(*chunks, strict=True)]
    assert together == alone


# ---- what the grammar holds models to ----------------------------------------------------------


@pytest.fixture(params=["tiny", "tiny-llama", "tiny-readable"])
def random_model(
    request: pytest.FixtureRequest, real: ModelManager, tiny_variants: Mapping[str, Path]
) -> Model:
    """Give a model that writes noise, one for each kind of vocabulary."""
    return real.load(tiny_variants[request.param], n_ctx=2048, n_seq_max=2, n_threads=1)


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        pytest.param("required", {"get_weather", "get_time"}, id="required"),
        pytest.param(
            {"type": "function", "function": {"name": "get_time"}}, {"get_time"}, id="named"
        ),
    ],
)
def test_noise_becomes_valid_calls(random_model: Model, choice: Any, names: set[str]) -> None:
    options: Any = {
        "tools": [WEATHER, CLOCK],
        "tool_choice": choice,
        "parallel_tool_calls": False,
        "enable_thinking": False,
        "max_tokens": 600,
        "temperature": 1.5,
    }
    for seed in range(10):
        answer = random_model.create_chat_completion(OSLO, seed=seed, **options)
        assert answer["choices"][0]["finish_reason"] == "tool_calls", answer
        (call,) = message_of(answer)["tool_calls"]
        assert call["function"]["name"] in names
        arguments = json.loads(call["function"]["arguments"])
        jsonschema.validate(arguments, PARAMETERS[call["function"]["name"]])


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param({"type": "json_schema", "json_schema": {"schema": THING}}, id="nested"),
        pytest.param({"type": "json_schema", "name": "x", "schema": THING}, id="flat"),
        pytest.param({"type": "json_object", "schema": THING}, id="object with a schema"),
    ],
)
def test_noise_becomes_valid_json(random_model: Model, wanted: Any) -> None:
    for seed in range(5):
        answer = random_model.create_chat_completion(
            SKY,
            response_format=wanted,
            enable_thinking=False,
            max_tokens=600,
            seed=seed,
            temperature=1.5,
        )
        jsonschema.validate(json.loads(message_of(answer)["content"]), THING)
