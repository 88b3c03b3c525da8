"""The core below the dialects: streams, whole answers, disconnects, stops."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from llamanb.chat_layer import ChatEvent, Finished, TextDelta
from llamanb.errors import QueueFullError
from llamanb.servers.asked import Asked, Told
from llamanb.servers.background import BackgroundServer, bind
from llamanb.servers.event_source import EventSource, frame
from llamanb.servers.recorder import Recorder
from llamanb.servers.request_log import RequestLog
from llamanb.servers.served_models import ServedModels
from llamanb.servers.service import Service
from llamanb.settings import SamplingSettings, ServerSettings
from tests.servers.conftest import loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from llamanb.models import Model
    from llamanb.servers.problems import Problem

HELLO = [{"role": "user", "content": "Hello"}]
LONG = {"sampling": SamplingSettings(max_tokens=100_000, temperature=0, ignore_eos=True)}
SHORT = {"sampling": SamplingSettings(max_tokens=5, temperature=0, ignore_eos=True)}


class Writer:
    """The smallest dialect: one JSON object for each event."""

    ping = b": ping\n\n"

    def __init__(self) -> None:
        self.events: list[ChatEvent] = []

    def begin(self) -> Iterable[bytes]:
        yield frame({"begin": True})

    def write(self, told: Told) -> Iterable[bytes]:
        self.events.append(told.event)
        if isinstance(told.event, TextDelta):
            yield frame({"index": told.index, "text": told.event.text})
        elif isinstance(told.event, Finished):
            yield frame({"index": told.index, "reason": told.event.reason})

    def end(self) -> Iterable[bytes]:
        yield frame("[DONE]")

    def fail(self, problem: Problem) -> Iterable[bytes]:
        yield frame({"status": problem.status, "message": problem.message})

    def whole(self) -> dict[str, Any]:
        text = "".join(e.text for e in self.events if isinstance(e, TextDelta))
        return {"text": text, "n": sum(isinstance(e, Finished) for e in self.events)}


class Bench:
    """A server with one streaming and one blocking route."""

    def __init__(self, model: Model, **options: Any) -> None:
        self.model = model
        self.log = RequestLog()
        self.service = Service(ServerSettings(**options), ServedModels([model]), self.log)
        app = FastAPI()
        app.add_middleware(Recorder, log=self.log)
        app.get("/stream")(self.stream)
        app.get("/whole")(self.whole)
        self.background = BackgroundServer(app, bind("127.0.0.1", 0), on_stop=self.service.stop)
        self.background.start()
        self.url = f"http://127.0.0.1:{self.background.port}"

    def asked(self, request: Request) -> Asked:
        options = LONG if "long" in request.query_params else SHORT
        n = int(request.query_params.get("n", "1"))
        return Asked(model=None, messages=HELLO, options=options, n=n)

    async def stream(self, request: Request) -> Response:
        answer = await self.service.begin(request, self.asked(request))
        return EventSource(answer, Writer(), ping_s=self.service.settings.ping_s)

    async def whole(self, request: Request) -> dict[str, Any]:
        answer = await self.service.begin(request, self.asked(request))
        return await answer.whole(request, Writer())

    def wait_for(self, state: str) -> None:
        """Wait until a request of the log is in a state."""
        seen = threading.Event()
        stop = self.log.subscribe(lambda entry: seen.set() if entry.state == state else None)
        if any(entry.state == state for entry in self.log.entries()):
            seen.set()
        assert seen.wait(10)
        stop()


@pytest.fixture
def bench(tiny_gguf: Path) -> Iterator[Callable[..., Bench]]:
    """Give a function that starts a bench."""
    started: list[Bench] = []

    def start(**options: Any) -> Bench:
        started.append(Bench(loaded(tiny_gguf, chat_template=TEMPLATE), **options))
        return started[-1]

    yield start
    for one in started:
        one.background.stop()
        one.model.close()


TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"


def lines(response: httpx.Response) -> list[Any]:
    """Give the data of a finished stream."""
    texts = [line[6:] for line in response.iter_lines() if line.startswith("data: ")]
    return [text if text == "[DONE]" else json.loads(text) for text in texts]


def test_a_stream_begins_tells_and_ends(bench: Callable[..., Bench]) -> None:
    told = lines(httpx.get(f"{bench().url}/stream"))
    assert told[0] == {"begin": True}
    assert told[-2:] == [{"index": 0, "reason": "length"}, "[DONE]"]


def test_a_whole_answer_has_the_text_of_the_stream(bench: Callable[..., Bench]) -> None:
    one = bench()
    streamed = "".join(
        event["text"] for event in lines(httpx.get(f"{one.url}/stream")) if "text" in event
    )
    assert httpx.get(f"{one.url}/whole").json() == {"text": streamed, "n": 1}


def test_several_answers_come_side_by_side(bench: Callable[..., Bench]) -> None:
    told = lines(httpx.get(f"{bench().url}/stream?n=3"))
    assert {event["index"] for event in told if "reason" in event} == {0, 1, 2}


@pytest.mark.parametrize("path", ["/stream?long", "/whole?long"])
def test_a_client_that_goes_away_cancels_its_answer(bench: Callable[..., Bench], path: str) -> None:
    one = bench()
    with httpx.Client(timeout=1.0) as client:
        if path.startswith("/stream"):
            with client.stream("GET", one.url + path) as response:
                next(response.iter_raw())
        else:
            with pytest.raises(httpx.ReadTimeout):
                client.get(one.url + path)
    one.wait_for("cancelled")
    assert one.service.queue == (0, 0)


def test_stopping_tells_the_clients_of_open_streams(bench: Callable[..., Bench]) -> None:
    one = bench()
    with httpx.stream("GET", f"{one.url}/stream?long") as response:
        received = response.iter_lines()
        next(received)
        one.background.stop()
        rest = [line for line in received if line]
    assert json.loads(rest[-1][6:])["status"] == 503
    assert not one.background.is_alive


def test_a_stream_that_waits_is_pinged(bench: Callable[..., Bench]) -> None:
    one = bench(ping_s=0.01)
    with httpx.stream("GET", f"{one.url}/stream?long&n=4") as busy:
        received_of_busy = busy.iter_raw()
        next(received_of_busy)
        with httpx.stream("GET", f"{one.url}/stream") as waiting:
            received = waiting.iter_lines()
            assert any(line == ": ping" for line in received)


def test_a_full_queue_is_told(bench: Callable[..., Bench]) -> None:
    one = bench(queue_limit=0)
    with httpx.stream("GET", f"{one.url}/stream?long&n=4") as busy:
        received_of_busy = busy.iter_raw()
        next(received_of_busy)
        assert httpx.get(f"{one.url}/stream").status_code == 500  # this app translates no errors
    with pytest.raises(QueueFullError):
        one.service._refuse_if_full(_Full())  # type: ignore[arg-type]  # only perf() is asked


class _Full:
    def perf(self) -> dict[str, int]:
        return {"waiting": 1}


def test_the_log_has_the_tokens_and_no_text(bench: Callable[..., Bench]) -> None:
    one = bench()
    httpx.get(f"{one.url}/whole")
    entry = one.log.entries()[0]
    assert (entry.status, entry.state, entry.completion_tokens) == (200, "done", 5)
    assert entry.prompt_tokens > 0
    assert entry.first_token_s is not None
    assert entry.seconds >= entry.first_token_s
    assert "Hello" not in repr(entry)
    assert one.log.totals.completion_tokens == 5
