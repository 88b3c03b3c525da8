"""The bytes on the wire: order of chunks, headers, errors before and inside a stream."""

from __future__ import annotations

import json
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llamanb.servers import Server
    from tests.servers.conftest import ServeModel

CHAT = "/v1/chat/completions"
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 8}}}
THINKING = (
    "{% for m in messages %}{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<think>{% endif %}{# </think> #}"
)
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}


@pytest.fixture(scope="module")
def http(demo_server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=demo_server.url, timeout=30) as client:
        yield client


def streamed(http: httpx.Client, path: str = CHAT, **body: Any) -> tuple[httpx.Response, list[Any]]:
    """Give the response and the data of its events."""
    response = http.post(path, json={**HELLO, "stream": True, **body})
    frames = response.text.split("\n\n")
    assert frames.pop() == ""
    bodies = [one.removeprefix("data: ") for one in frames if not one.startswith(":")]
    return response, [one if one == "[DONE]" else json.loads(one) for one in bodies]


@pytest.mark.parametrize("path", [CHAT, "/chat/completions"])
def test_a_stream_of_text(http: httpx.Client, path: str) -> None:
    response, chunks = streamed(http, path)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-request-id"].startswith("req_")
    *deltas, last = [chunk["choices"][0] for chunk in chunks[:-1]]
    assert deltas[0]["delta"] == {"role": "assistant"}
    assert all(set(one["delta"]) == {"content"} for one in deltas[1:])
    assert (last["delta"], last["finish_reason"]) == ({}, "stop")
    assert chunks[-1] == "[DONE]"


def test_a_stream_of_a_call(http: httpx.Client) -> None:
    _, chunks = streamed(
        http, tools=[WEATHER], tool_choice="required", stream_options={"include_usage": True}
    )
    role, start, *fragments, last = [one["choices"][0] for one in chunks[:-2]]
    (call,) = start["delta"]["tool_calls"]
    assert role["delta"] == {"role": "assistant"}
    assert (call["index"], call["type"], call["function"]) == (
        0,
        "function",
        {"name": "get_weather", "arguments": ""},
    )
    assert all(set(one["delta"]["tool_calls"][0]) == {"index", "function"} for one in fragments)
    text = "".join(one["delta"]["tool_calls"][0]["function"]["arguments"] for one in fragments)
    assert isinstance(json.loads(text), dict)
    assert (last["delta"], last["finish_reason"]) == ({}, "tool_calls")
    assert chunks[-2]["choices"] == []
    assert chunks[-2]["usage"]["completion_tokens"] > 0


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param(CHAT, {}, id="no messages"),
        pytest.param(CHAT, {"messages": "Hello"}, id="messages are no list"),
        pytest.param(CHAT, {"messages": [{"role": "user", "content": "word " * 9000}]}, id="long"),
        pytest.param(CHAT, {**HELLO, "temperature": {}}, id="temperature"),
        pytest.param(CHAT, {**HELLO, "response_format": {"type": {}}}, id="response_format"),
        pytest.param(CHAT, {**HELLO, "regex": "("}, id="broken regex"),
        pytest.param(
            CHAT, {**HELLO, "json_schema": {"type": "object", "$ref": "#/nowhere"}}, id="schema"
        ),
        pytest.param(
            CHAT,
            {**HELLO, "tools": [WEATHER], "tool_choice": {"function": {"name": {}}}},
            id="tool_choice",
        ),
        pytest.param("/v1/completions", {}, id="no prompt"),
        pytest.param("/v1/completions", {"prompt": "x", "suffix": "y"}, id="suffix"),
    ],
)
def test_what_is_wrong_is_said_before_the_first_byte(
    http: httpx.Client, path: str, body: dict[str, Any], is_stream: bool
) -> None:
    response = http.post(path, json={**body, "stream": is_stream})
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()["error"]) >= {"message", "type", "param", "code"}


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"x"', "{'a': 1}"])
def test_a_body_that_is_no_object_is_refused(http: httpx.Client, body: str) -> None:
    response = http.post(CHAT, content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_curl_needs_no_content_type(http: httpx.Client) -> None:
    kind = {"content-type": "application/x-www-form-urlencoded"}
    response = http.post(CHAT, content=json.dumps(HELLO), headers=kind)
    assert response.status_code == 200


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_client_that_goes_stops_its_answer(
    serve_model: ServeModel, tiny_gguf: Path, is_stream: bool
) -> None:
    server = serve_model(tiny_gguf, load={"n_ctx": 60_000, "n_seq_max": 1})
    begun, cancelled = threading.Event(), threading.Event()
    server.subscribe(lambda entry: begun.set() if entry.first_token_s else None)
    server.subscribe(lambda entry: cancelled.set() if entry.state == "cancelled" else None)
    endless = {**HELLO, "stream": is_stream, "ignore_eos": True}

    def leave() -> None:
        with (
            httpx.Client(base_url=server.url, timeout=0.5) as client,
            client.stream("POST", CHAT, json=endless),
        ):
            begun.wait(20)

    with nullcontext() if is_stream else pytest.raises(httpx.ReadTimeout):
        leave()
    assert cancelled.wait(20)


def test_reasoning_is_told_apart_and_can_be_left_out(
    serve_model: ServeModel, readable_gguf: Path
) -> None:
    server = serve_model(readable_gguf, load={"chat_template": THINKING}, max_tokens=8)
    with httpx.Client(base_url=server.url, timeout=30) as client:
        shown = client.post(CHAT, json={**HELLO, "seed": 1}).json()["choices"][0]["message"]
        hidden = client.post(CHAT, json={**HELLO, "seed": 1, "include_reasoning": False}).json()
    assert set(shown) == {"role", "content", "reasoning_content"}
    assert hidden["choices"][0]["message"] == {"role": "assistant", "content": ""}


def test_a_server_that_strips_thinking_tells_no_token_of_it(
    serve_model: ServeModel, readable_gguf: Path
) -> None:
    server = serve_model(
        readable_gguf, load={"chat_template": THINKING}, max_tokens=8, strip_thinking=True
    )
    with httpx.Client(base_url=server.url, timeout=30) as client:
        choice = client.post(CHAT, json={**HELLO, "logprobs": True}).json()["choices"][0]
        _, chunks = streamed(client, logprobs=True)
    assert choice["message"] == {"role": "assistant", "content": ""}
    assert choice["logprobs"] is None
    assert [one["choices"][0]["logprobs"] for one in chunks[:-1]] == [None, None]
