"""Bodies: how large, how slow, and which JSON; tested without a network."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llamanb.servers.bodies import MAX_DEPTH, MAX_VALUES, BodyGuard, check_json
from llamanb.servers.problems import Refusal
from tests.support.asgi import Answered, Echo, ask

if TYPE_CHECKING:
    from collections.abc import Iterable

LIMIT = 1000
JSON = ("content-type", "application/json")
# values that every JSON reader agrees about
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("ab"), inner),
    max_leaves=10,
)


def _guard(*, max_bytes: int = LIMIT, timeout_s: float = 5.0) -> tuple[BodyGuard, Echo]:
    echo = Echo()
    return BodyGuard(echo, max_bytes=max_bytes, timeout_s=timeout_s), echo


def _send(chunks: Iterable[bytes], *headers: tuple[str, str], **options: Any) -> Answered:
    return ask(_guard()[0], headers=[JSON, *headers], chunks=chunks, **options)


def _object(value: str) -> bytes:
    return b'{"a": ' + value.encode() + b"}"


# ---- what reaches the routes -----------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/vnd.api+json",
        "application/x-www-form-urlencoded",
        "text/plain;charset=UTF-8",
        "",
    ],
)
def test_json_passes_whatever_it_is_called(kind: str) -> None:
    guard, echo = _guard()

    answered = ask(guard, headers=[("content-type", kind)], chunks=[b'{"a"', b": 1}"])

    assert answered.status == 200
    assert echo.bodies == [b'{"a": 1}']
    assert (b"content-type", b"application/json") in echo.scopes[0]["headers"]
    assert (b"content-length", b"8") in echo.scopes[0]["headers"]


def test_after_the_body_the_route_hears_when_the_client_goes() -> None:
    guard, echo = _guard()

    ask(guard, headers=[JSON], chunks=[b"{}"])

    assert echo.after == ["http.disconnect"]


def test_a_byte_order_mark_is_taken_off() -> None:
    guard, echo = _guard()

    ask(guard, headers=[JSON], chunks=[b"\xef\xbb\xbf{}"])

    assert echo.bodies == [b"{}"]


def test_no_body_passes_for_the_route_to_judge() -> None:
    guard, echo = _guard()

    assert ask(guard).status == 200
    assert echo.bodies == [b""]


def test_a_get_is_left_alone() -> None:
    guard, echo = _guard()

    assert ask(guard, method="GET", chunks=[b"nonsense"]).status == 200
    assert echo.bodies == [b"nonsense"]


def test_a_large_body_passes_as_it_is() -> None:
    guard, echo = _guard(max_bytes=1 << 20)
    body = json.dumps({"text": "x" * 500_000}).encode()

    assert ask(guard, headers=[JSON], chunks=[body[:1000], body[1000:]]).status == 200
    assert echo.bodies == [body]


# ---- size, time, kind ------------------------------------------------------------------


def test_a_body_that_says_it_is_too_large_is_413() -> None:
    answered = _send([b"{}"], ("content-length", str(LIMIT + 1)))

    assert (answered.status, answered.headers["connection"]) == (413, "close")


def test_a_body_that_turns_out_to_be_too_large_is_413() -> None:
    assert _send([b"x" * 400] * 3).status == 413


def test_an_endless_body_is_413_as_well() -> None:
    assert _send([b"x" * 400] * 30, ends=False, disconnects=False).status == 413


def test_a_client_that_asks_before_it_sends_is_told_without_reading() -> None:
    headers = [("content-length", str(LIMIT + 1)), ("expect", "100-continue")]

    assert _send([], *headers, ends=False, disconnects=False).status == 413


def test_a_body_of_exactly_the_limit_passes() -> None:
    body = b'{"a": "' + b"x" * (LIMIT - 9) + b'"}'

    assert len(body) == LIMIT
    assert _send([body], ("content-length", str(LIMIT))).status == 200


def test_a_body_that_does_not_come_is_408() -> None:
    guard, _ = _guard(timeout_s=0.05)

    answered = ask(guard, chunks=[b'{"a'], ends=False, disconnects=False)

    assert (answered.status, answered.headers["connection"]) == (408, "close")


def test_a_client_that_goes_in_the_middle_gets_nothing_and_reaches_nobody() -> None:
    guard, echo = _guard()

    assert ask(guard, chunks=[b'{"a'], ends=False).status == 0
    assert echo.scopes == []


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "image/png", "text/html"])
def test_other_kinds_are_415(kind: str) -> None:
    assert ask(_guard()[0], headers=[("content-type", kind)], chunks=[b"{}"]).status == 415


@pytest.mark.parametrize(("encoding", "status"), [("gzip", 415), ("identity", 200), ("", 200)])
def test_compressed_bodies_are_415(encoding: str, status: int) -> None:
    assert _send([b"{}"], ("content-encoding", encoding)).status == status


@pytest.mark.parametrize("length", ["x", "-1", "9" * 40, "1e3", "٣"])
def test_a_strange_length_does_not_hurt(length: str) -> None:
    header = ("content-length", length.encode().decode("latin-1"))

    assert _send([b"{}"], header).status == 200


def test_a_refusal_is_in_the_dialect_of_the_path() -> None:
    answered = ask(_guard()[0], "/v1/messages", headers=[JSON], chunks=[b"x" * 2000])

    assert answered.json["error"]["type"] == "request_too_large"


# ---- which JSON ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{", id="cut"),
        pytest.param(b"{}x", id="more"),
        pytest.param(b"{} {}", id="two"),
        pytest.param(b"{'a': 1}", id="quotes"),
        pytest.param(b'{"a": 1,}', id="comma"),
        pytest.param(b" ", id="blank"),
        pytest.param(b"\x00", id="null-byte"),
        pytest.param(b"a=1&b=2", id="form"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'"text"', id="string"),
        pytest.param(b"5", id="number"),
        pytest.param(b"null", id="null"),
        pytest.param(_object("NaN"), id="nan"),
        pytest.param(_object("Infinity"), id="infinity"),
        pytest.param(_object("-Infinity"), id="minus-infinity"),
        pytest.param(_object("1e999"), id="too-great"),
        pytest.param(_object("[[-1e999]]"), id="too-small"),
        pytest.param(_object("1" * 20), id="20-digits"),
        pytest.param(_object("-" + "9" * 20), id="minus-20-digits"),
        pytest.param(_object("1" * 10_000), id="10000-digits"),
        pytest.param(_object('"\\ud800"'), id="high-surrogate"),
        pytest.param(_object('"\\udc00"'), id="low-surrogate"),
        pytest.param(_object('"\\ud800\\u0041"'), id="surrogate-and-letter"),
        pytest.param(b'{"\\ud800": 1}', id="surrogate-in-a-key"),
        pytest.param(b'{"a": "\xff"}', id="not-utf-8"),
        pytest.param(b'{"a": "\xed\xa0\x80"}', id="surrogate-in-utf-8"),
        pytest.param(b'{"a": "\xc0\x80"}', id="overlong"),
        pytest.param('{"a": 1}'.encode("utf-16"), id="utf-16"),
        pytest.param('{"a": 1}'.encode("utf-32"), id="utf-32"),
        pytest.param(b'{"a": "\x01"}', id="control"),
        pytest.param(_object("[" * 100 + "]" * 100), id="deep-list"),
        pytest.param(b'{"a":' * 101 + b"1" + b"}" * 101, id="deep-object"),
        pytest.param(b"[" * 100_000, id="very-deep"),
        pytest.param(b'{"a":' * 100_000, id="very-deep-objects"),
    ],
)
def test_what_is_not_plain_json_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        check_json(body)

    assert (caught.value.problem.status, caught.value.problem.code) == (400, "invalid_json")


@pytest.mark.parametrize(
    "value",
    ["9" * 19, "-" + "9" * 19, "1.5e300", "0.12345678901234567890123", '"\\ud83d\\ude00"', "-0.0"],
)
def test_plain_values_pass(value: str) -> None:
    check_json(_object(value))


def test_the_deepest_body_that_passes_is_as_deep_as_promised() -> None:
    check_json(b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH)


@pytest.mark.parametrize(("name", "most"), [("messages", 10_000), ("tools", 1024)])
def test_long_lists_are_refused_by_name(name: str, most: int) -> None:
    check_json(json.dumps({name: [0] * most}).encode())

    with pytest.raises(Refusal) as caught:
        check_json(json.dumps({name: [0] * (most + 1)}).encode())

    assert caught.value.problem.param == name


def test_too_many_values_are_refused_before_they_cost_memory() -> None:
    with pytest.raises(Refusal, match="300,000"):
        check_json(_object("[" + "0," * MAX_VALUES + "0]"))


def test_commas_in_texts_are_no_values() -> None:
    check_json(_object('"' + 'a, \\\\\\"b' * MAX_VALUES + '"'))


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text("ab"), PLAIN))
def test_whatever_python_writes_plainly_passes(value: dict[str, Any]) -> None:
    check_json(json.dumps(value).encode())
    check_json(json.dumps(value, ensure_ascii=False).encode())


@settings(deadline=None)
@given(st.binary(max_size=50))
def test_any_bytes_are_json_or_a_refusal(body: bytes) -> None:
    try:
        check_json(body)
    except Refusal:
        return
    assert not body or isinstance(json.loads(body), dict)
