"""Anthropic's own Python package talks to a real server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import pytest
from anthropic import Anthropic, BadRequestError, NotFoundError, beta_tool
from pydantic import BaseModel

from tests.servers.anthropic.asking import body, text, tool, user

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anthropic.types import Message, Usage

    from llamanb.servers import Server
    from tests.servers.conftest import ServeModel

WEATHER = {
    "name": "get_weather",
    "description": "Tells the weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
PARIS: Any = user("What's the weather in Paris?")
ENABLED = {"type": "enabled", "budget_tokens": 1024}


class City(BaseModel):
    """What is to be found out."""

    kind: Literal["town", "city"]
    count: Literal[1, 2]


@beta_tool
def get_weather(city: str) -> str:
    """Tell the weather of a city.

    Args:
        city: its name
    """
    return json.dumps({"city": city, "sky": "clear"})


@pytest.fixture(scope="module")
def client(demo_server: Server) -> Iterator[Anthropic]:
    with Anthropic(base_url=demo_server.url, api_key="local", max_retries=0) as made:
        yield made


def _create(client: Anthropic, *messages: Any, **fields: Any) -> Message:
    made: Message = client.messages.create(**body(*messages, **fields))
    return made


def _streamed(client: Anthropic, *messages: Any, **fields: Any) -> Message:
    request: Any = body(*messages, **fields)
    with client.messages.stream(**request) as stream:
        made: Message = stream.get_final_message()
    return made


def _content(message: Message) -> list[dict[str, Any]]:
    return [block.model_dump(exclude_none=True) for block in message.content]


def _n_prompt(usage: Usage) -> int:
    return usage.input_tokens + (usage.cache_read_input_tokens or 0)


def test_a_message_is_answered(client: Anthropic) -> None:
    message = _create(client)
    assert (message.role, message.type, message.stop_reason) == ("assistant", "message", "end_turn")
    assert message.model == "claude-local"
    assert message.content[0].type == "text"
    assert message.id.startswith("msg_")
    assert message.usage.output_tokens > 0
    assert message._request_id is not None


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="plain"),
        pytest.param({"thinking": ENABLED}, id="thinking"),
        pytest.param({"thinking": {**ENABLED, "display": "omitted"}}, id="hidden thinking"),
        pytest.param({"tools": [tool()], "tool_choice": {"type": "any"}}, id="tool"),
        pytest.param({"max_tokens": 3}, id="cut off"),
        pytest.param({"max_tokens": 0}, id="nothing"),
    ],
)
def test_a_stream_tells_the_same_as_the_whole(client: Anthropic, fields: dict[str, Any]) -> None:
    whole, streamed = _create(client, **fields), _streamed(client, **fields)
    assert _without_ids(whole) == _without_ids(streamed)


def _without_ids(message: Message) -> dict[str, Any]:
    content = [{**block, "id": "", "parsed_output": None} for block in _content(message)]
    n_prompt, n_written = _n_prompt(message.usage), message.usage.output_tokens
    ends = (message.stop_reason, message.stop_sequence)
    return {"content": content, "ends": ends, "counts": (n_prompt, n_written)}


def test_a_tool_is_called_and_its_result_is_read(client: Anthropic) -> None:
    call = _create(client, PARIS, tools=[WEATHER])
    use = next(block for block in call.content if block.type == "tool_use")
    assert (call.stop_reason, use.name, use.input) == ("tool_use", "get_weather", {"city": "Paris"})
    result = {"type": "tool_result", "tool_use_id": use.id, "content": '{"sky": "clear"}'}
    answered = {"role": "assistant", "content": _content(call)}
    last = _create(client, PARIS, answered, user(result), tools=[WEATHER])
    assert last.stop_reason == "end_turn"
    assert "clear" in _content(last)[0]["text"]


def test_the_tool_runner_comes_to_an_end(client: Anthropic) -> None:
    runner = client.beta.messages.tool_runner(
        model="claude-local", max_tokens=64, tools=[get_weather], messages=[PARIS]
    )
    said = [block.type for message in runner for block in message.content]
    assert said == ["tool_use", "text"]


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "add"}])
def test_a_forced_call_comes_first(client: Anthropic, choice: dict[str, Any]) -> None:
    fields = {"tools": [WEATHER, tool()], "tool_choice": choice, "thinking": ENABLED}
    (use, *_) = _create(client, user("Hello"), **fields).content
    assert use.type == "tool_use"
    assert use.name in {"add", choice.get("name", "get_weather")}


def test_a_schema_holds_the_answer(client: Anthropic) -> None:
    parsed = client.messages.parse(
        model="claude-local", max_tokens=64, messages=[PARIS], output_format=City
    )
    assert isinstance(parsed.parsed_output, City)


def test_thoughts_come_first_and_go_back(client: Anthropic) -> None:
    message = _create(client, PARIS, thinking=ENABLED)
    thinking, words = message.content
    assert thinking.type == "thinking"
    assert thinking.signature
    assert words.type == "text"
    talk = [PARIS, {"role": "assistant", "content": _content(message)}, user("Thank you")]
    assert _create(client, *talk, thinking=ENABLED).content


def test_nothing_is_thought_unless_asked(client: Anthropic) -> None:
    assert [block.type for block in _create(client, PARIS).content] == ["text"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"system": "Be brief."},
        {"tools": [WEATHER]},
        {"tools": [WEATHER], "tool_choice": {"type": "any"}},
        {"thinking": ENABLED},
    ],
)
def test_tokens_are_counted_as_usage_tells(client: Anthropic, fields: dict[str, Any]) -> None:
    asked: Any = body(PARIS, **fields)
    counted = client.messages.count_tokens(**{k: v for k, v in asked.items() if k != "max_tokens"})
    assert counted.input_tokens == _n_prompt(_create(client, PARIS, **fields).usage)


def test_a_stop_sequence_is_told(client: Anthropic) -> None:
    message = _create(client, user("Say pear dashboard"), stop_sequences=["dash"])
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "dash")
    assert "dash" not in _content(message)[0]["text"]


def test_an_answer_goes_on_from_its_beginning(client: Anthropic) -> None:
    whole = _content(_create(client, user("Say pear dashboard")))[0]["text"]
    first, space, rest = whole.partition(" ")
    begun = {"role": "assistant", "content": first}
    assert _content(_create(client, user("Say pear dashboard"), begun))[0]["text"] == space + rest


def test_a_prompt_can_be_read_beforehand(client: Anthropic) -> None:
    long = user("Say pear " + "dashboard " * 50)
    warm = _create(client, long, max_tokens=0)
    assert (warm.stop_reason, _content(warm)) == ("max_tokens", [text("")])
    usage = _create(client, long).usage
    assert usage.input_tokens < 10 < (usage.cache_read_input_tokens or 0)


def test_a_prompt_that_is_too_long_is_told_in_known_words(client: Anthropic) -> None:
    with pytest.raises(BadRequestError, match=r"prompt is too long: \d+ tokens > \d+ maximum"):
        _create(client, user("pear " * 20_000))


def test_a_model_that_is_not_there_is_told(client: Anthropic) -> None:
    with pytest.raises(NotFoundError) as told:
        _create(client, model="mistral-large")
    assert told.value.body["error"]["type"] == "not_found_error"  # type: ignore[index]


def test_pictures_are_refused_in_words(client: Anthropic) -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
    with pytest.raises(BadRequestError, match="this model reads text alone"):
        _create(client, user("Look", image))


def test_a_key_may_come_in_either_header(serve_model: ServeModel, demo_path: Path) -> None:
    server = serve_model(demo_path, api_key="secret")
    for key in ({"api_key": "secret"}, {"auth_token": "secret"}):
        given: Any = {"api_key": None, "auth_token": None, **key}
        with Anthropic(base_url=server.url, max_retries=0, **given) as client:
            assert _create(client, max_tokens=1).content


def test_a_full_window_is_told(serve_model: ServeModel, tiny_gguf: Path) -> None:
    server = serve_model(tiny_gguf, load={"n_ctx": 256})
    with Anthropic(base_url=server.url, api_key="local", max_retries=0) as client:
        message = _streamed(client, max_tokens=128_000)
        usage = message.usage
    assert message.stop_reason == "model_context_window_exceeded"
    assert _n_prompt(usage) + usage.output_tokens in {256, 257}
