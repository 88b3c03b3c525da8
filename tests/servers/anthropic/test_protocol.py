"""What goes over the wire, byte by byte."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.servers.anthropic.asking import accumulated, body, events_of, tool, user
from tests.servers.anthropic.claude_code import HEADERS, first_request, next_request

if TYPE_CHECKING:
    from pathlib import Path

    from llamanb.servers import Server
    from tests.servers.conftest import ServeModel

FORCED = {"tools": [tool()], "tool_choice": {"type": "any"}}


def _post(server: Server, request: Any, path: str = "/v1/messages") -> httpx.Response:
    return httpx.post(server.url + path, json=request, headers=HEADERS, timeout=60)


@pytest.mark.parametrize("fields", [{}, FORCED, {"thinking": {"type": "adaptive"}}])
def test_a_stream_is_in_order(demo_server: Server, fields: dict[str, Any]) -> None:
    response = _post(demo_server, body(stream=True, **fields), "/v1/messages?beta=true")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["request-id"]
    names = [name for name, _ in events_of(response.content)]
    assert names[:4] == ["message_start", "content_block_start", "ping", "content_block_delta"]
    assert accumulated(response.content)["content"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/", "/api/hello"])
def test_the_server_says_that_it_is_there(demo_server: Server, method: str, path: str) -> None:
    assert httpx.request(method, demo_server.url + path).status_code == 200


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"{", "JSON", id="no JSON"),
        pytest.param(b'{"max_tokens": 5}', "messages: Field required", id="no messages"),
        pytest.param(b'{"messages": [{"role": "user"}]}', "content", id="no content"),
        pytest.param(
            b'{"max_tokens": 5, "messages": [{"role": "user", "content": [{"type": "text"}]}]}',
            r"messages\[0\].content\[0\].text",
            id="no text",
        ),
    ],
)
def test_wrong_bodies_are_told(demo_server: Server, content: bytes, words: str) -> None:
    headers = {**HEADERS, "content-type": "application/json"}
    response = httpx.post(f"{demo_server.url}/v1/messages", content=content, headers=headers)
    told = response.json()
    assert (response.status_code, told["type"]) == (400, "error")
    assert told["error"]["type"] == "invalid_request_error"
    assert told["request_id"] == response.headers["request-id"]
    assert re.search(words, told["error"]["message"])


def test_another_method_is_refused_in_this_dialect(demo_server: Server) -> None:
    response = httpx.get(f"{demo_server.url}/v1/messages")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert response.json()["type"] == "error"


def test_threads_are_refused_with_a_code(demo_server: Server) -> None:
    response = _post(demo_server, body(thread={"type": "continue", "previous_message_id": "msg_1"}))
    assert response.status_code == 400
    assert response.json()["error"]["details"]["error_code"] == "thread_unsupported_request"


def test_a_prompt_that_is_read_slowly_is_pinged(serve_model: ServeModel, tiny_gguf: Path) -> None:
    server = serve_model(tiny_gguf, load={"n_ctx": 8192}, ping_s=0.01)
    response = _post(server, body(user("Hello " * 500), max_tokens=1, stream=True))
    names = [name for name, _ in events_of(response.content)]
    assert names[:3] == ["message_start", "ping", "ping"]


def test_the_next_turn_of_claude_code_comes_from_the_cache(
    serve_model: ServeModel, demo_path: Path
) -> None:
    server = serve_model(demo_path, load={"n_ctx": 8192}, temperature=0)
    short = {"max_tokens": 16, "thinking": {"type": "disabled"}}
    first = accumulated(_post(server, first_request(**short)).content)
    answered = _post(server, next_request(first["content"], _results(first), **short)).content
    usage = accumulated(answered)["usage"]
    before = first["usage"]["input_tokens"]
    assert before > 1000
    assert usage["cache_read_input_tokens"] >= 0.95 * before


def _results(message: dict[str, Any]) -> list[dict[str, Any]]:
    uses = [block for block in message["content"] if block["type"] == "tool_use"]
    return [{"type": "tool_result", "tool_use_id": use["id"], "content": "1"} for use in uses]
