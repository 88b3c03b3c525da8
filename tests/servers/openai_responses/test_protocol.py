"""The Responses API byte by byte: the order of events, pings, disconnects, addresses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llamanb.servers import Server
    from tests.servers.conftest import ServeModel

EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
TOOL = {
    "type": "function",
    "name": "look",
    "parameters": {
        "type": "object",
        "properties": {"city": {"const": "Oslo"}},
        "required": ["city"],
    },
}
ENDLESS = {"input": "Go on.", "max_output_tokens": 100_000, "stream": True}


@pytest.fixture
def http(demo_server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=demo_server.url, timeout=30) as client:
        yield client


def stream(http: httpx.Client, path: str = "/v1/responses", **body: Any) -> list[dict[str, Any]]:
    """Give the events of a stream, after checking their frames."""
    answer = http.post(path, json={"input": "Hello", "stream": True, **body})
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    events = []
    for one in answer.text.removesuffix("\n\n").split("\n\n"):
        name, data = one.split("\n")
        events.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {events[-1]['type']}"
    return events


def test_events_come_in_order_and_are_numbered(http: httpx.Client) -> None:
    events = stream(http)
    kinds = [event["type"].removeprefix("response.") for event in events]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert kinds[:4] == ["created", "in_progress", "output_item.added", "content_part.added"]
    assert set(kinds[4:-4]) == {"output_text.delta"}
    assert kinds[-4:] == [
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    for event in events:
        EVENTS.validate_python(event)


def test_a_call_is_streamed_in_order(http: httpx.Client) -> None:
    events = stream(http, tools=[TOOL], tool_choice={"type": "function", "name": "look"})
    added, *deltas, done, closed, completed = events[2:]
    assert added["item"]["type"] == "function_call"
    assert "".join(delta["delta"] for delta in deltas) == done["arguments"]
    assert json.loads(done["arguments"]) == {"city": "Oslo"}
    assert completed["response"]["output"] == [closed["item"]]


def test_a_stream_that_is_cut_ends_as_incomplete(http: httpx.Client) -> None:
    assert stream(http, max_output_tokens=1)[-1]["type"] == "response.incomplete"


def test_a_kept_stream_can_be_read_again(http: httpx.Client) -> None:
    response = stream(http)[-1]["response"]
    assert http.get(f"/v1/responses/{response['id']}").json() == response


def test_the_short_address_answers_too(http: httpx.Client) -> None:
    assert stream(http, "/responses")[-1]["type"] == "response.completed"


def test_a_ping_is_an_event_with_a_number(serve_model: ServeModel, tiny_gguf: Path) -> None:
    server = serve_model(tiny_gguf, load={"n_seq_max": 1, "n_ctx": 8192}, ping_s=0.01)
    address = f"{server.url}/v1/responses"
    with (
        httpx.stream("POST", address, json=ENDLESS, timeout=30) as busy,
        httpx.stream("POST", address, json=ENDLESS, timeout=30) as waiting,
    ):
        assert busy.status_code == 200
        events = _events(waiting)
        told = [next(events) for _ in range(3)]
    assert [event["sequence_number"] for event in told] == [0, 1, 2]
    assert [event["type"] for event in told[1:]] == ["response.in_progress"] * 2
    assert told[2]["response"]["status"] == "in_progress"


@pytest.mark.parametrize("is_stream", [True, False])
def test_a_client_that_goes_away_stops_its_answer(
    serve_model: ServeModel, tiny_gguf: Path, *, is_stream: bool
) -> None:
    server = serve_model(tiny_gguf, load={"n_ctx": 4096, "n_seq_max": 1})
    address, body = f"{server.url}/v1/responses", {**ENDLESS, "stream": is_stream}
    if is_stream:
        with httpx.stream("POST", address, json=body, timeout=30) as answer:
            next(_events(answer))
    else:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(address, json=body, timeout=httpx.Timeout(30, read=0.2))
    # the only sequence is free again: a short answer comes through
    answer = httpx.post(address, json={"input": "Hi", "max_output_tokens": 1}, timeout=30)
    assert answer.json()["status"] == "incomplete"


def test_a_stopped_server_tells_its_streams(serve_model: ServeModel, tiny_gguf: Path) -> None:
    server = serve_model(tiny_gguf, load={"n_ctx": 32_768})
    with httpx.stream("POST", f"{server.url}/v1/responses", json=ENDLESS, timeout=30) as answer:
        events = _events(answer)
        next(event for event in events if event["type"] == "response.output_text.delta")
        server.stop()
        rest = list(events)
    assert "error" in [event["type"] for event in rest]
    assert rest[-1]["type"] == "response.failed"


def _events(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    lines = (line for line in answer.iter_lines() if line.startswith("data: "))
    return (json.loads(line.removeprefix("data: ")) for line in lines)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/responses", 405),
        ("PUT", "/v1/responses/resp_0", 405),
        ("GET", "/v1/responses/resp_0", 404),
        ("DELETE", "/v1/responses/resp_0", 404),
        ("GET", "/v1/responses/resp_0/input_items", 404),
        ("GET", "/v1/responses/resp_0/input_items?limit=0", 400),
        ("GET", "/v1/responses/resp_0?stream=true", 400),
        ("POST", "/v1/responses", 400),
        ("POST", "/v1/responses/input_tokens", 400),
    ],
)
def test_errors_have_the_shape_of_the_dialect(
    http: httpx.Client, method: str, path: str, status: int
) -> None:
    answer = http.request(method, path)
    assert answer.status_code == status
    assert set(answer.json()["error"]) >= {"message", "type", "param", "code"}
