"""The Responses API through OpenAI's own client, against a real server."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Literal

import openai
import pytest
from openai.types.responses import Response
from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llamanb.servers import Server

WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "Gives the weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "enum": ["Oslo", "Rome"]}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
AGENTS: Any = {
    "type": "namespace",
    "name": "agents",
    "description": "Agents.",
    "tools": [{"type": "function", "name": "close", "parameters": {"type": "object"}}],
}
QUESTION = "What is the capital of France?"


class Place(BaseModel):
    """A small typed answer."""

    is_known: bool
    kind: Literal["city", "country"]


@pytest.fixture
def client(demo_server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=demo_server.base_url,
        api_key="local",
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


def test_a_question_is_answered(client: openai.OpenAI) -> None:
    response = client.responses.create(model="gpt-6", input=QUESTION, instructions="Be short.")
    assert response.status == "completed"
    assert "Paris" in response.output_text
    assert response.model == "gpt-6"
    assert response.instructions == "Be short."


def test_every_body_is_what_the_client_expects(client: openai.OpenAI) -> None:
    raw = client.responses.with_raw_response.create(
        model="demo",
        input=QUESTION,
        tools=[WEATHER, AGENTS],
        metadata={"a": "b"},
        reasoning={"effort": "none"},
        text={"format": {"type": "text"}, "verbosity": "low"},
    )
    Response.model_validate(json.loads(raw.text))


def test_the_stream_helper_gathers_the_same_answer(client: openai.OpenAI) -> None:
    with client.responses.stream(model="demo", input=QUESTION) as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert final.output_text == "".join(deltas)
    whole = client.responses.create(model="demo", input=QUESTION)
    assert final.output_text == whole.output_text
    assert final.usage is not None
    assert whole.usage is not None
    assert final.usage.output_tokens == whole.usage.output_tokens


def test_the_async_client_streams(demo_server: Server) -> None:
    async def streamed() -> list[str]:
        async with openai.AsyncOpenAI(base_url=demo_server.base_url, api_key="local") as client:
            events = await client.responses.create(model="demo", input=QUESTION, stream=True)
            return [event.type async for event in events]

    kinds = asyncio.run(streamed())
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")


def test_a_typed_answer_is_parsed(client: openai.OpenAI) -> None:
    response = client.responses.parse(model="demo", input="Is Oslo a city?", text_format=Place)
    assert isinstance(response.output_parsed, Place)


def test_a_typed_answer_is_parsed_from_a_stream(client: openai.OpenAI) -> None:
    with client.responses.stream(
        model="demo", input="Is Oslo a city?", text_format=Place
    ) as stream:
        final = stream.get_final_response()
    assert isinstance(final.output_parsed, Place)


def test_a_tool_is_called_and_its_result_answered(client: openai.OpenAI) -> None:
    items: list[Any] = [{"role": "user", "content": "What is the weather in Oslo?"}]
    choice: Any = {"type": "function", "name": "get_weather"}
    first = client.responses.create(
        model="demo", input=items, tools=[WEATHER], tool_choice=choice, store=False
    )
    (call,) = [item for item in first.output if item.type == "function_call"]
    assert call.name == "get_weather"
    assert set(json.loads(call.arguments)) == {"city"}
    items += first.output
    items.append({"type": "function_call_output", "call_id": call.call_id, "output": "21 °C"})
    second = client.responses.create(model="demo", input=items, tools=[WEATHER], store=False)
    assert second.status == "completed"
    assert second.usage is not None
    assert second.usage.input_tokens_details.cached_tokens > 0


def test_arguments_are_streamed(client: openai.OpenAI) -> None:
    with client.responses.stream(
        model="demo", input="Weather in Rome?", tools=[WEATHER], tool_choice="required"
    ) as stream:
        kinds = {event.type for event in stream}
        (call,) = [
            item for item in stream.get_final_response().output if item.type == "function_call"
        ]
    assert "response.function_call_arguments.delta" in kinds
    assert json.loads(call.arguments)["city"] in {"Oslo", "Rome"}


def test_a_tool_of_a_namespace_is_called_by_its_own_name(client: openai.OpenAI) -> None:
    choice: Any = {"type": "function", "name": "close"}
    response = client.responses.create(
        model="demo", input="Close it.", tools=[AGENTS], tool_choice=choice
    )
    call = response.output[0]
    assert call.type == "function_call"
    assert (call.namespace, call.name) == ("agents", "close")


def test_a_custom_tool_is_called_with_a_text(client: openai.OpenAI) -> None:
    choice: Any = {"type": "custom", "name": "note"}
    response = client.responses.create(
        model="demo",
        input="Note: buy milk.",
        tools=[{"type": "custom", "name": "note", "description": "Notes a text."}],
        tool_choice=choice,
        max_output_tokens=400,
    )
    call = response.output[0]
    assert call.type == "custom_tool_call"
    assert call.name == "note"


def test_none_means_no_call(client: openai.OpenAI) -> None:
    response = client.responses.create(
        model="demo", input="Weather in Rome?", tools=[WEATHER], tool_choice="none"
    )
    assert {item.type for item in response.output} == {"message"}


def test_a_response_goes_on_from_the_one_before(client: openai.OpenAI) -> None:
    first = client.responses.create(model="demo", input=QUESTION)
    second = client.responses.create(
        model="demo", input="And of Norway?", previous_response_id=first.id
    )
    assert second.previous_response_id == first.id
    items: list[Any] = [
        {"role": "user", "content": QUESTION},
        *first.output,
        {"role": "user", "content": "And of Norway?"},
    ]
    assert client.responses.create(model="demo", input=items).output_text == second.output_text


def test_a_response_is_kept_listed_and_deleted(client: openai.OpenAI) -> None:
    made = client.responses.create(model="demo", input=QUESTION)
    assert client.responses.retrieve(made.id).output_text == made.output_text
    (item,) = client.responses.input_items.list(made.id)
    assert item.type == "message"
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_a_response_that_is_not_to_be_kept_is_not(client: openai.OpenAI) -> None:
    made = client.responses.create(model="demo", input=QUESTION, store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="demo", input="And?", previous_response_id=made.id)
    assert refused.value.code == "previous_response_not_found"


def test_tokens_are_counted_as_they_are_used(client: openai.OpenAI) -> None:
    asked: Any = {
        "model": "demo",
        "input": QUESTION,
        "instructions": "Be short.",
        "tools": [WEATHER],
    }
    counted = client.responses.input_tokens.count(**asked)
    used = client.responses.create(**asked).usage
    assert used is not None
    assert counted.input_tokens == used.input_tokens


def test_an_answer_that_is_cut_says_why(client: openai.OpenAI) -> None:
    response = client.responses.create(model="demo", input=QUESTION, max_output_tokens=2)
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert response.usage is not None
    assert response.usage.output_tokens == 2


def test_a_cut_answer_can_be_gone_on_with(client: openai.OpenAI) -> None:
    whole = client.responses.create(model="demo", input=QUESTION).output_text
    begun = client.responses.create(model="demo", input=QUESTION, max_output_tokens=4)
    rest = client.responses.create(model="demo", input=[], previous_response_id=begun.id)
    assert begun.output_text + rest.output_text == whole


def test_log_probabilities_are_told(client: openai.OpenAI) -> None:
    response = client.responses.create(
        model="demo",
        input=QUESTION,
        top_logprobs=2,
        include=["message.output_text.logprobs"],
    )
    message = response.output[0]
    assert message.type == "message"
    part = message.content[0]
    assert part.type == "output_text"
    assert part.logprobs
    assert "".join(one.token for one in part.logprobs).startswith(part.text)
    assert len(part.logprobs[0].top_logprobs) == 2


def test_a_prompt_that_is_too_long_is_refused_as_such(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="demo", input="word " * 20_000, stream=True)
    assert refused.value.code == "context_length_exceeded"


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        pytest.param({"background": True}, "background", id="background"),
        pytest.param({"input": [{"role": "nobody"}]}, "input[0].role", id="item"),
        pytest.param({"temperature": "hot"}, "temperature", id="type"),
        pytest.param({"text": {"format": {"type": "yaml"}}}, None, id="format"),
    ],
)
def test_a_wrong_request_is_a_400_that_names_it(
    client: openai.OpenAI, wrong: dict[str, Any], param: str | None
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(**{"model": "demo", "input": QUESTION, **wrong})
    assert refused.value.param == param
