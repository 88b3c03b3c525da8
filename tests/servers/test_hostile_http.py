"""What no client library sends: garbage, endless heads, slow bodies, pipelines."""

from __future__ import annotations

import os
import random
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx
import pytest

from llamanb.servers.connections import TimedProtocol
from tests.support.raw_http import opened, request, status_of, talk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llamanb.servers import Server
    from tests.servers.conftest import ServeModel

CHAT = "/v1/chat/completions"
BODY = b'{"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}'
CHUNKED = "transfer-encoding: chunked"
FINE, REFUSED, HUNG_UP = range(200, 300), range(400, 500), range(1)


def _noise(seed: int) -> bytes:
    return random.Random(seed).randbytes(400)  # noqa: S311  # noise, not a secret


GARBAGE = [
    pytest.param(b"\r\n" + request(), id="line-before"),
    pytest.param(b"\r\n" * 100 + b"x\r\n\r\n", id="blank-lines"),
    pytest.param(b"GET\r\n\r\n", id="no-path"),
    pytest.param(b"GET / \r\n\r\n", id="http-0.9"),
    pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="http-2"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), id="tls"),
    pytest.param(b"\x05\x01\x00\r\n\r\n", id="socks"),
    pytest.param(b"GET / HTTP/1.1\r\nhost localhost\r\n\r\n", id="no-colon"),
    pytest.param(b"GET / HTTP/1.1\r\nhost : localhost\r\n\r\n", id="space-before-colon"),
    pytest.param(b"GET / HTTP/1.1\r\nhost: a\x00b\r\n\r\n", id="null-byte"),
    pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no-host"),
    pytest.param(request() + request(), id="after-close"),
    pytest.param(request("/" + "x" * 70_000), id="long-path"),
    pytest.param(request("/v1/models", b"", "x: " + "y" * 100_000), id="long-header"),
    pytest.param(request("/v1/models", b"", *["x: y"] * 20_000), id="many-headers"),
    pytest.param(request(CHAT, BODY, "content-length: -1"), id="negative-length"),
    pytest.param(request(CHAT, BODY, "content-length: 1e3"), id="no-length"),
    pytest.param(request(CHAT, BODY, "content-length: 5", "content-length: 6"), id="two-lengths"),
    pytest.param(request(CHAT, b"zz\r\n{}", CHUNKED), id="no-chunk-size"),
    pytest.param(request(CHAT, b"f" * 30 + b"\r\n{}", CHUNKED), id="huge-chunk-size"),
    pytest.param(request(CHAT, b"2\r\n{}0\r\n\r\n", CHUNKED), id="chunk-without-end"),
    pytest.param(request(CHAT, BODY, "transfer-encoding: gzip"), id="other-encoding"),
    pytest.param(request("/%00%ff/../../etc/passwd"), id="path-bytes"),
    pytest.param(request("//evil.test/v1/models"), id="two-slashes"),
    pytest.param(request("/v1/models/" + "%2e%2e%2f" * 50), id="dots"),
    pytest.param(request("*", method="OPTIONS"), id="options-star"),
    pytest.param(request("evil.test:443", method="CONNECT"), id="connect"),
    pytest.param(request("/", method="TRACE"), id="trace"),
    pytest.param(request("/v1/models", method="BREW"), id="unknown-method"),
    pytest.param(request(CHAT, BODY, method="post"), id="small-method"),
    pytest.param(request("http://evil.test/nothing", host="evil.test"), id="foreign-absolute"),
    *[pytest.param(_noise(seed) + b"\r\n\r\n", id=f"noise-{seed}") for seed in range(10)],
]
STRANGE = [
    pytest.param(request().replace(b"HTTP/1.1", b"HTTP/9.9"), id="http-9.9"),
    pytest.param(request().replace(b"HTTP/1.1", b"HTTP/1.0"), id="http-1.0"),
    pytest.param(request("/v1/models", b"", *["x: y"] * 500), id="500-headers"),
    pytest.param(request().replace(b"\r\n", b"\n"), id="bare-line-feeds"),
    pytest.param(request("/v1/models?" + "a=b&" * 1000), id="long-query"),
    pytest.param(request("/v1/models", b"", "accept: \xff\xfe"), id="header-bytes"),
    pytest.param(request("/v1/models", b"", "upgrade: websocket"), id="upgrade"),
    pytest.param(request(CHAT, BODY, "expect: 100-continue"), id="expect"),
    pytest.param(request(CHAT, b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY), CHUNKED), id="chunks"),
    pytest.param(
        request(CHAT, b"%x;a=b\r\n%s\r\n0\r\nx: y\r\n\r\n" % (len(BODY), BODY), CHUNKED),
        id="chunks-with-more",
    ),
]


@pytest.fixture
def hasty_server(
    demo_path: Path, serve_model: ServeModel, monkeypatch: pytest.MonkeyPatch
) -> Server:
    """Give a server that waits for next to nothing."""
    monkeypatch.setattr(TimedProtocol, "head_timeout_s", 0.2)
    return serve_model(demo_path, body_timeout_s=0.2, max_body_bytes=100_000)


def _assert_well(server: Server) -> None:
    answer = httpx.post(server.url + CHAT, content=BODY)
    assert answer.status_code == 200


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_refused_or_hung_up_on(demo_server: Server, garbage: bytes) -> None:
    answer = talk(demo_server, garbage)

    assert status_of(answer) not in range(500, 600)
    assert status_of(answer) in (*REFUSED, *HUNG_UP) or answer.count(b"HTTP/1.1") == 1
    assert b"Traceback" not in answer
    _assert_well(demo_server)


@pytest.mark.parametrize("strange", STRANGE)
def test_strange_but_valid_requests_are_answered(demo_server: Server, strange: bytes) -> None:
    *_, answer = talk(demo_server, strange).split(b"HTTP/1.1 ")  # the first may be 100 Continue

    assert int(answer[:3]) in FINE


def test_a_pipeline_is_answered_in_its_order(demo_server: Server) -> None:
    pipeline = [
        request("/v1/models", ends=False),
        request(CHAT, BODY, ends=False),
        request("/v1/nothing", ends=False),
        request("/v1/models"),
    ]

    answers = talk(demo_server, b"".join(pipeline)).split(b"HTTP/1.1 ")[1:]

    assert [int(answer[:3]) for answer in answers] == [200, 200, 404, 200]


def test_a_request_that_comes_byte_by_byte_is_answered(demo_server: Server) -> None:
    text = request(CHAT, BODY)

    assert status_of(talk(demo_server, *[text[i : i + 1] for i in range(len(text))])) in FINE


def test_a_head_that_never_ends_is_hung_up_on(hasty_server: Server) -> None:
    assert talk(hasty_server, b"GET / HTTP/1.1\r\nx: y\r\n") == b""


def test_a_client_that_says_nothing_is_hung_up_on(hasty_server: Server) -> None:
    assert talk(hasty_server) == b""


@pytest.mark.parametrize("apart", [True, False])
def test_a_second_head_that_never_ends_is_hung_up_on(hasty_server: Server, apart: bool) -> None:
    first = request("/v1/models", ends=False)

    answer = talk(hasty_server, *([first, b"GET / HT"] if apart else [first + b"GET / HT"]))

    assert answer.count(b"HTTP/1.1 200") == 1


def test_a_body_that_never_ends_is_408(hasty_server: Server) -> None:
    text = request(CHAT, b"{", "content-length: 100", ends=False)

    assert status_of(talk(hasty_server, text)) == 408


@pytest.mark.parametrize("n_bytes", [100_001, 5_000_000])
def test_a_client_gets_to_read_that_its_body_is_too_large(
    hasty_server: Server, n_bytes: int
) -> None:
    told = httpx.post(hasty_server.url + CHAT, content=b" " * n_bytes)

    assert told.status_code == 413
    assert told.json()["error"]["code"] == "request_too_large"


def test_an_endless_body_is_cut_off(hasty_server: Server) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b" " * 65536

    with suppress(httpx.TransportError):  # hung up on in the middle of sending: fine as well
        assert httpx.post(hasty_server.url + CHAT, content=endless()).status_code == 413
    _assert_well(hasty_server)


def test_connections_that_were_given_up_leave_nothing_behind(demo_server: Server) -> None:
    _assert_well(demo_server)
    before = _open_files(), threading.active_count()

    for path in (CHAT, "/v1/messages", "/v1/responses"):
        for _ in range(20):
            with opened(demo_server) as connection:
                connection.sendall(request(path, BODY, "content-length: 5000"))

    # each turn of the loop sees more of the ends; the last ones may need a few
    for _ in range(50):
        _assert_well(demo_server)
        after = _open_files(), threading.active_count()
        if after[0] <= before[0] and after[1] <= before[1]:
            break
    else:
        pytest.fail(f"open files and threads: {before} before, {after} after")


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0  # noqa: PTH208, PTH112
