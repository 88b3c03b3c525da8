"""Chat completions through the official SDK, on the demo model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import openai
import pytest
from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai.types.chat import ChatCompletion, ChatCompletionChunk

    from llamanb.servers import Server

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
ASK: list[Any] = [{"role": "user", "content": "What is the weather in Oslo?"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER: Any = {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}
NOW: Any = {
    "type": "function",
    "function": {"name": "now", "parameters": {"type": "object", "properties": {}}},
}
WILD: dict[str, Any] = {
    "temperature": 3,
    "top_p": 1,
    "max_tokens": 12,
    "extra_body": {"top_k": 0, "min_p": 0},
}


@pytest.fixture(scope="module")
def client(demo_server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=demo_server.base_url, api_key="local", max_retries=0) as made:
        yield made


def ask(client: openai.OpenAI, messages: list[Any] = HELLO, **options: Any) -> ChatCompletion:
    answer: ChatCompletion = client.chat.completions.create(
        model="demo", messages=messages, **options
    )
    return answer


def stream(
    client: openai.OpenAI, messages: list[Any] = HELLO, **options: Any
) -> list[ChatCompletionChunk]:
    return list(
        client.chat.completions.create(model="demo", messages=messages, stream=True, **options)
    )


def text_of(chunks: list[ChatCompletionChunk], index: int = 0) -> str:
    return "".join(
        choice.delta.content or ""
        for chunk in chunks
        for choice in chunk.choices
        if choice.index == index
    )


# ---- plain turns ---------------------------------------------------------------------------


def test_a_stream_says_the_same_as_the_whole(client: openai.OpenAI) -> None:
    whole = ask(client).choices[0]
    chunks = stream(client)
    assert text_of(chunks) == whole.message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == whole.finish_reason == "stop"
    assert len({(one.id, one.model, one.created, one.system_fingerprint) for one in chunks}) == 1


def test_usage_tells_what_was_cached(client: openai.OpenAI) -> None:
    messages = [{"role": "user", "content": "Tell me something about the sea, please."}]
    ask(client, messages, max_tokens=2)
    last = stream(client, messages, max_tokens=2, stream_options={"include_usage": True})[-1]
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.prompt_tokens_details is not None
    cached = last.usage.prompt_tokens_details.cached_tokens
    assert cached is not None
    assert cached >= last.usage.prompt_tokens - 1


def test_a_content_in_parts_makes_the_same_prompt(client: openai.OpenAI) -> None:
    parts = [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]
    whole, same = ask(client), ask(client, parts)
    assert same.choices == whole.choices
    assert same.usage is not None
    assert whole.usage is not None
    assert same.usage.prompt_tokens == whole.usage.prompt_tokens


def test_the_name_of_the_model_is_the_clients(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=HELLO, max_tokens=1)
    assert answer.model == "gpt-4o-mini"


def test_max_tokens_cuts(client: openai.OpenAI) -> None:
    for answer in (ask(client, max_tokens=2), ask(client, max_completion_tokens=2)):
        assert answer.usage is not None
        assert (answer.usage.completion_tokens, answer.choices[0].finish_reason) == (2, "length")


def test_a_stop_string_ends_the_answer_and_is_not_in_it(client: openai.OpenAI) -> None:
    whole = ask(client).choices[0].message.content or ""
    stop = whole.split()[1][:3]
    chunks = stream(client, stop=[stop])
    assert text_of(chunks) == whole[: whole.index(stop)]
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_a_banned_token_is_not_chosen(client: openai.OpenAI) -> None:
    first = ask(client, logprobs=True, max_tokens=1).choices[0]
    assert first.logprobs is not None
    assert first.logprobs.content is not None
    token = demo_token(client, first.logprobs.content[0].token)
    other = ask(client, logit_bias={str(token): -100}, max_tokens=1).choices[0]
    assert other.message.content != first.message.content


def demo_token(client: openai.OpenAI, text: str) -> int:
    import llamanb

    (token,) = llamanb.load("demo").tokenize(text, add_special=False)
    return token


def test_a_begun_answer_is_gone_on_with(client: openai.OpenAI) -> None:
    whole = ask(client).choices[0].message.content or ""
    begun = " ".join(whole.split()[:3])
    rest = ask(client, [*HELLO, {"role": "assistant", "content": begun}])
    assert begun + (rest.choices[0].message.content or "") == whole


# ---- several answers -----------------------------------------------------------------------


def test_each_of_several_answers_has_a_seed_of_its_own(client: openai.OpenAI) -> None:
    options = WILD
    three = ask(client, n=3, seed=7, **options)
    alone = [ask(client, seed=7 + index, **options).choices[0] for index in range(3)]
    assert [one.index for one in three.choices] == [0, 1, 2]
    assert [one.message.content for one in three.choices] == [one.message.content for one in alone]
    assert len({one.message.content for one in three.choices}) > 1


def test_several_answers_are_streamed_by_their_index(client: openai.OpenAI) -> None:
    options = {**WILD, "n": 3, "seed": 7}
    whole = ask(client, **options)
    chunks = stream(client, stream_options={"include_usage": True}, **options)
    assert [text_of(chunks, index) for index in range(3)] == [
        one.message.content for one in whole.choices
    ]
    assert whole.usage is not None
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens
    assert whole.usage.prompt_tokens == (ask(client).usage or whole.usage).prompt_tokens


# ---- log probabilities ---------------------------------------------------------------------


def test_log_probabilities_are_those_of_the_text(client: openai.OpenAI) -> None:
    choice = ask(client, logprobs=True, top_logprobs=3).choices[0]
    assert choice.logprobs is not None
    assert choice.logprobs.content is not None
    shown = b"".join(bytes(one.bytes or ()) for one in choice.logprobs.content)
    assert (choice.message.content or "").encode() in shown
    for one in choice.logprobs.content:
        values = [other.logprob for other in one.top_logprobs]
        assert len(values) == 3
        assert values == sorted(values, reverse=True)
        assert one.logprob == values[0] <= 0


def test_streamed_log_probabilities_are_the_same(client: openai.OpenAI) -> None:
    whole = ask(client, logprobs=True).choices[0]
    streamed = [
        one
        for chunk in stream(client, logprobs=True)
        for one in (chunk.choices[0].logprobs and chunk.choices[0].logprobs.content) or ()
    ]
    assert whole.logprobs is not None
    assert whole.logprobs.content is not None
    assert [one.token for one in streamed] == [one.token for one in whole.logprobs.content]


# ---- tools ---------------------------------------------------------------------------------


def test_a_required_call_and_its_result_make_a_round(client: openai.OpenAI) -> None:
    first = ask(client, ASK, tools=[WEATHER, NOW], tool_choice="required").choices[0]
    assert first.finish_reason == "tool_calls"
    assert first.message.tool_calls
    call: Any = first.message.tool_calls[0]
    assert set(json.loads(call.function.arguments)) <= {"city"}
    result = {"role": "tool", "tool_call_id": call.id, "content": "12 degrees and sunny"}
    second = ask(client, [*ASK, first.message.model_dump(), result], tools=[WEATHER, NOW]).choices[
        0
    ]
    assert second.finish_reason in {"stop", "tool_calls"}
    assert second.message.content or second.message.tool_calls


def test_a_named_tool_is_the_one_that_is_called(client: openai.OpenAI) -> None:
    named: Any = {"type": "function", "function": {"name": "now"}}
    chunks = stream(client, ASK, tools=[WEATHER, NOW], tool_choice=named)
    calls = [c for chunk in chunks for c in chunk.choices[0].delta.tool_calls or ()]
    assert [call.function.name for call in calls if call.function and call.id] == ["now"]
    assert "".join(c.function.arguments or "" for c in calls if c.function) == "{}"
    assert text_of(chunks) == ""


def test_no_tool_is_called_if_none_may_be(client: openai.OpenAI) -> None:
    choice = ask(client, ASK, tools=[WEATHER], tool_choice="none").choices[0]
    assert choice.message.tool_calls is None
    assert choice.finish_reason in {"stop", "length"}


def test_old_functions_are_called_in_the_old_words(client: openai.OpenAI) -> None:
    functions = [WEATHER["function"]]
    choice = ask(client, ASK, functions=functions, function_call={"name": "get_weather"}).choices[0]
    assert choice.finish_reason == "function_call"
    assert choice.message.function_call is not None
    assert "city" in json.loads(choice.message.function_call.arguments)


def test_the_stream_helper_of_the_sdk_gathers_a_call(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model="demo", messages=ASK, tools=[WEATHER], tool_choice="required"
    ) as events:
        kinds = [event.type for event in events]
        final = events.get_final_completion()
    assert "tool_calls.function.arguments.done" in kinds
    assert final.choices[0].message.tool_calls


# ---- typed answers -------------------------------------------------------------------------


class Place(BaseModel):
    name: Annotated[str, Field(max_length=12)]


class Visit(BaseModel):
    place: Place
    kind: Literal["business", "holiday"]
    is_far: bool | None


def test_a_typed_answer_is_parsed_by_the_sdk(client: openai.OpenAI) -> None:
    answer = client.chat.completions.parse(
        model="demo", messages=ASK, response_format=Visit, max_tokens=400
    )
    visit = answer.choices[0].message.parsed
    assert visit is not None
    assert visit.kind in {"business", "holiday"}


def test_a_json_object_is_one(client: openai.OpenAI) -> None:
    schema = {"type": "object", "properties": {"far": {"type": "boolean"}}, "required": ["far"]}
    wanted = {"type": "json_object", "schema": {**schema, "additionalProperties": False}}
    answer = ask(client, extra_body={"response_format": wanted})
    assert isinstance(json.loads(answer.choices[0].message.content or ""), dict)


# ---- what goes wrong -----------------------------------------------------------------------


def test_a_prompt_that_does_not_fit_says_so_in_openais_words(client: openai.OpenAI) -> None:
    long = [{"role": "user", "content": "word " * 6000}]
    for is_stream in (False, True):
        with pytest.raises(openai.BadRequestError) as caught:
            ask(client, long, stream=is_stream)
        assert caught.value.code == "context_length_exceeded"


def test_an_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="nobody", messages=HELLO)
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("options", "param"),
    [
        pytest.param({"temperature": "warm"}, "temperature", id="wrong type"),
        pytest.param({"tool_choice": "required"}, "tool_choice", id="no tools"),
        pytest.param({"response_format": {"type": "xml"}}, "response_format", id="format"),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content[0]",
            id="image",
        ),
        pytest.param({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", id="5"),
    ],
)
def test_a_wrong_field_is_named(client: openai.OpenAI, options: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, extra_body=options, stream=True)
    assert caught.value.param == param
