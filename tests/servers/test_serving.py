"""The life of a server: started once, told apart, stopped, and gone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import llamanb
from llamanb.errors import OptionError, ServerError
from llamanb.models import manager
from llamanb.servers import registry
from llamanb.servers.background import bind
from tests.servers.conftest import loaded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llamanb.models import Model
    from llamanb.servers import Server

LONG = {
    "messages": [{"role": "user", "content": "Hello"}],
    "stream": True,
    "max_tokens": 100_000,
    "ignore_eos": True,
}


@pytest.fixture
def demo(demo_path: Path) -> Model:
    """Give the demo model."""
    return loaded(demo_path)


@pytest.fixture(autouse=True)
def _all_stopped() -> Iterator[None]:
    yield
    registry().stop()


def free_port() -> int:
    """Give a port that nobody has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_the_same_call_gives_the_same_server(demo: Model) -> None:
    assert llamanb.serve(demo) is llamanb.serve(demo)
    assert llamanb.serve(demo, max_tokens=5) is not llamanb.serve(demo)


def test_starting_again_is_quick(demo: Model) -> None:
    llamanb.serve(demo)
    begun = time.perf_counter()
    for _ in range(20):
        llamanb.serve(demo)
    assert (time.perf_counter() - begun) / 20 < 0.05


def test_a_server_is_kept_without_anybody_holding_it(demo: Model) -> None:
    port = llamanb.serve(demo).port
    assert httpx.get(f"http://127.0.0.1:{port}/v1/models").status_code == 200
    assert registry()[port].port == port
    assert list(registry()) == [port]


def test_a_stopped_server_is_forgotten_and_started_anew(demo: Model) -> None:
    first = llamanb.serve(demo)
    first.stop()
    first.stop()
    assert (first.status, len(registry())) == ("stopped", 0)
    assert llamanb.serve(demo) is not first


def test_other_options_on_the_same_port_need_replace(demo: Model) -> None:
    port = free_port()
    first = llamanb.serve(demo, port=port)
    with pytest.raises(ServerError, match="replace=True"):
        llamanb.serve(demo, port=port, max_tokens=7)
    second = llamanb.serve(demo, port=port, max_tokens=7, replace=True)
    assert (first.status, second.status, second.port) == ("stopped", "running", port)


def test_a_server_whose_model_was_unloaded_makes_way(demo: Model, demo_path: Path) -> None:
    port = free_port()
    first = llamanb.serve(demo, port=port)
    demo.unload()
    second = llamanb.serve(loaded(demo_path), port=port)
    assert (first.status, second.status) == ("stopped", "running")


def test_a_port_that_another_program_has_is_an_error_here(demo: Model) -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match="already in use; choose another port="):
            llamanb.serve(demo, port=port)
    assert len(registry()) == 0


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"port": 70_000}, "port=70000"),
        ({"apis": ("grpc",)}, "apis="),
        ({"temprature": 1}, "did you mean 'temperature'"),
        ({"max_tokens": 0}, "max_tokens=0"),
        ({"host": "nowhere.invalid"}, "host|cannot listen"),
    ],
)
def test_impossible_options_are_refused(demo: Model, options: dict[str, Any], what: str) -> None:
    with pytest.raises((OptionError, ServerError), match=what):
        llamanb.serve(demo, **options)


def test_no_model_at_all_is_refused() -> None:
    with pytest.raises(OptionError, match="at least one model"):
        llamanb.serve([])


def test_two_models_answer_to_their_names(demo: Model, tiny_gguf: Path) -> None:
    tiny = loaded(tiny_gguf, name="tiny")
    server = llamanb.serve([demo, tiny], max_tokens=3)
    body = {"messages": [{"role": "user", "content": "Hello"}]}
    answers = [
        httpx.post(f"{server.base_url}/chat/completions", json={**body, "model": name}).json()
        for name in ("tiny", "gpt-5", demo.name)
    ]
    assert [answer["model"] for answer in answers] == ["tiny", "gpt-5", demo.name]
    assert len({answer["system_fingerprint"] for answer in answers}) == 2


def test_a_with_block_stops_it(demo: Model) -> None:
    with llamanb.serve(demo) as server:
        assert server.status == "running"
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url)


def test_stopping_with_open_streams_takes_little_time_and_frees_the_port(demo: Model) -> None:
    server = llamanb.serve(demo)
    clients = [_OpenStream(server) for _ in range(8)]
    for client in clients:
        assert client.has_begun.wait(20)
    begun = time.perf_counter()
    server.stop()
    assert time.perf_counter() - begun < 1.5
    bind("127.0.0.1", server.port).close()
    for client in clients:
        client.thread.join(5)
    assert not demo.busy


class _OpenStream:
    """A client that reads a stream for as long as it comes."""

    def __init__(self, server: Server) -> None:
        self.url = f"{server.base_url}/chat/completions"
        self.has_begun = threading.Event()
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self) -> None:
        with httpx.stream("POST", self.url, json=LONG, timeout=30) as response:
            for _ in response.iter_lines():
                self.has_begun.set()


def test_many_starts_and_stops_leave_nothing(demo: Model) -> None:
    llamanb.serve(demo).stop()
    before = threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # no path is wanted
    for _ in range(20):
        with llamanb.serve(demo) as server:
            httpx.get(f"{server.url}/v1/models")
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == before  # noqa: PTH208


PROGRAM = """
import httpx, llamanb, threading
server = llamanb.serve("demo", port={port})
ready = threading.Event()
def read():
    body = {{"messages": [{{"role": "user", "content": "Hello"}}], "stream": True,
            "ignore_eos": True, "max_tokens": 100000}}
    with httpx.stream("POST", server.base_url + "/chat/completions", json=body) as stream:
        for _ in stream.iter_lines():
            ready.set()
threading.Thread(target=read, daemon=True).start()
ready.wait(20)
"""


def test_a_program_ends_quietly_while_its_server_streams() -> None:
    port = free_port()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(port=port)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
    bind("127.0.0.1", port).close()


def test_a_longer_context_shares_the_weights(demo_path: Path) -> None:
    demo = loaded(demo_path, n_ctx=512, name="small")
    server = llamanb.serve(demo, n_ctx=8192)
    assert (server.n_ctx, server.models, demo.n_ctx) == (8192, ["small"], 512)
    assert manager().default is demo
    server.stop()
    assert "small-8192" not in manager()


def test_servers_that_share_a_longer_context_stop_one_by_one(demo_path: Path) -> None:
    demo = loaded(demo_path, n_ctx=512, name="small")
    first = llamanb.serve(demo, n_ctx=4096)
    second = llamanb.serve(demo, n_ctx=4096, max_tokens=3)
    assert first.model is second.model
    first.stop()
    body = {"messages": [{"role": "user", "content": "Hello"}]}
    assert httpx.post(f"{second.base_url}/chat/completions", json=body).status_code == 200
    second.stop()
    assert "small-4096" not in manager()


def test_a_context_longer_than_the_training_is_lowered(tiny_gguf: Path) -> None:
    tiny = loaded(tiny_gguf, n_ctx=256, name="short")
    with pytest.warns(UserWarning, match="was trained on"):
        server = llamanb.serve(tiny, n_ctx=1_000_000)
    assert server.n_ctx == tiny.header.n_ctx_train


def test_it_says_where_it_is(demo: Model) -> None:
    server = llamanb.serve(demo, api_key="sesame")
    assert server.base_url == f"{server.url}/v1"
    assert server.env() == {
        "OPENAI_BASE_URL": server.base_url,
        "OPENAI_API_KEY": "sesame",
        "ANTHROPIC_BASE_URL": server.url,
        "ANTHROPIC_API_KEY": "sesame",
    }
    assert server.url in repr(server)
    assert "sesame" not in repr(server) + server._repr_html_()


def test_an_interrupt_ends_the_waiting(demo: Model) -> None:
    server = llamanb.serve(demo)
    assert not server.wait(0.05)
    server.stop()
    assert server.wait()
