"""Clients that go away in the middle, while a neighbour goes on reading.

``LLAMANB_TEST_DISCONNECTS`` sets how many (1,000 for a release).
"""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.support.raw_http import opened, request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from llamanb.servers import Server
    from tests.servers.conftest import ServeModel

Body = dict[str, Any]
N_DISCONNECTS = int(os.environ.get("LLAMANB_TEST_DISCONNECTS", "40"))
ASIDE = {"temperature": 0, "max_tokens": 200, "stream": True}
STORY = {"messages": [{"role": "user", "content": "Tell me a story."}]}
HELLO = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4000}
# Each goes on for thousands of tokens, as the server below never ends an answer by itself.
STREAMS: dict[str, Body] = {
    "/v1/chat/completions": {**HELLO, "stream": True},
    "/v1/messages": {**HELLO, "stream": True},
    "/v1/completions": {"prompt": "Once", "max_tokens": 4000, "stream": True},
    "/v1/responses": {"input": "Hello", "max_output_tokens": 4000, "stream": True},
}
WHOLES = {path: {**body, "stream": False} for path, body in STREAMS.items()}
TWO: dict[str, Body] = {"/v1/chat/completions": {**HELLO, "stream": True, "n": 2}}


@pytest.fixture
def server(demo_path: Path, serve_model: ServeModel) -> Server:
    """Give a server whose answers do not end before they are as long as asked."""
    return serve_model(demo_path, temperature=0, ignore_eos=True)


class _Neighbour:
    """A client that streams the same answer again and again, and keeps every text."""

    def __init__(self, server: Server) -> None:
        self._url = f"{server.base_url}/chat/completions"
        self._is_done = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.texts: list[str] = []

    def __enter__(self) -> _Neighbour:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_done.is_set():
            self.texts.append(self.read())

    def read(self) -> str:
        with httpx.stream("POST", self._url, json={**STORY, **ASIDE}, timeout=60) as answer:
            chunks = [line[6:] for line in answer.iter_lines() if line.startswith("data: {")]
        deltas = [json.loads(chunk)["choices"][0]["delta"] for chunk in chunks]
        return "".join(delta.get("content") or "" for delta in deltas)


def _closed(connection: socket.socket) -> None:
    connection.close()


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _half_closed(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(65536):
        pass


WAYS_TO_GO: tuple[Callable[[socket.socket], None], ...] = (_closed, _reset, _half_closed)


def _leave(server: Server, path: str, body: Body, go: Callable[[socket.socket], None]) -> None:
    """Send a request, wait for the first token if it streams, and go away."""
    with opened(server) as connection:
        connection.sendall(request(path, json.dumps(body).encode(), ends=False))
        if body["stream"]:
            received = b""
            while received.count(b"data: ") < 4:
                received += connection.recv(4096)
        go(connection)


def _turns_until(server: Server, is_so: Callable[[], bool]) -> float:
    """Ask the server for small things until something is so; gives how many seconds."""
    start = time.monotonic()
    while not is_so():
        httpx.get(f"{server.base_url}/models")
        assert time.monotonic() - start < 10, (server.queue, _figures())
    return time.monotonic() - start


def _wait_until_idle(server: Server) -> float:
    return _turns_until(server, lambda: server.queue == (0, 0))


def _figures() -> tuple[int, int]:
    fds = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []  # noqa: PTH208, PTH112
    return len(fds), threading.active_count()


def _open_every_thread(server: Server) -> None:
    """Send more at once than there are threads, so that none is new later."""
    body = {**STORY, "max_tokens": 20}
    with ThreadPoolExecutor(16) as pool:
        urls = [f"{server.base_url}/chat/completions"] * 32
        list(pool.map(lambda url: httpx.post(url, json=body, timeout=60), urls))


def _cases() -> Iterator[tuple[str, Body, Callable[[socket.socket], None]]]:
    kinds = [*STREAMS.items(), *TWO.items(), *STREAMS.items(), *WHOLES.items()]
    for number in range(N_DISCONNECTS):
        path, body = kinds[number % len(kinds)]
        yield path, body, WAYS_TO_GO[number % len(WAYS_TO_GO)]


@pytest.mark.timeout(60 + 2 * N_DISCONNECTS)
def test_clients_that_go_leave_nothing_and_the_neighbour_reads_on(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    lone = _Neighbour(server).read()
    _open_every_thread(server)
    before = _figures()

    with _Neighbour(server) as neighbour:
        for path, body, go in _cases():
            _leave(server, path, body, go)

    assert _wait_until_idle(server) < 1
    assert set(neighbour.texts) == {lone}
    _turns_until(server, lambda: all(map(int.__le__, _figures(), before)))
    assert not caplog.records


@pytest.mark.parametrize("go", WAYS_TO_GO)
@pytest.mark.parametrize("path", STREAMS)
@pytest.mark.parametrize("bodies", [STREAMS, WHOLES], ids=["stream", "whole"])
def test_a_client_that_goes_ends_its_generation_at_once(
    server: Server, path: str, bodies: dict[str, Body], go: Callable[[socket.socket], None]
) -> None:
    _leave(server, path, bodies[path], go)

    assert _wait_until_idle(server) < 1
