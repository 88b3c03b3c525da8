"""Tokenize, detokenize and apply-template, as llama-server's clients use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.servers.conftest import loaded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llamanb.servers import Server
    from tests.servers.conftest import ServeModel

TURN = [{"role": "user", "content": "Hi"}]
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


@pytest.fixture
def http(demo_server: Server) -> Iterator[httpx.Client]:
    """Give a plain client."""
    with httpx.Client(base_url=demo_server.url, timeout=30) as client:
        yield client


@pytest.fixture
def post(http: httpx.Client) -> Any:
    """Give a function that posts a body and reads the answer."""

    def ask(path: str, **body: Any) -> Any:
        response = http.post(path, json=body)
        assert response.status_code == 200, response.text
        return response.json()

    return ask


@pytest.mark.parametrize("text", ["", "Hello world", "naïve 🎉\nline", "<|im_start|>user"])
def test_tokens_become_the_text_again(text: str, post: Any) -> None:
    tokens = post("/tokenize", content=text)["tokens"]
    assert post("/detokenize", tokens=tokens) == {"content": text}


def test_tokens_are_those_of_the_model(post: Any, demo_path: Path) -> None:
    model = loaded(demo_path)
    for options in ({}, {"parse_special": False}, {"parse_special": True, "add_special": True}):
        expected = model.tokenize(
            "<|im_end|> x", **{"add_special": False, "parse_special": True, **options}
        )
        assert post("/tokenize", content="<|im_end|> x", **options)["tokens"] == expected


def test_special_tokens_are_added_if_wanted(serve_model: ServeModel, tiny_variants: Any) -> None:
    server = serve_model(tiny_variants["tiny-llama"])
    ids = [
        httpx.post(f"{server.url}/tokenize", json={"content": "ba", "add_special": wanted}).json()
        for wanted in (False, True)
    ]
    assert ids[1]["tokens"] == [server.model.vocab.bos, *ids[0]["tokens"]]


def test_pieces_are_text_or_bytes(post: Any) -> None:
    pieces = post("/tokenize", content="a 🎉", with_pieces=True)["tokens"]
    assert pieces[0]["piece"] == "a"
    raw = b"".join(
        one["piece"].encode() if isinstance(one["piece"], str) else bytes(one["piece"])
        for one in pieces
    )
    assert raw.decode() == "a 🎉"
    assert any(isinstance(one["piece"], list) for one in pieces)


def test_text_and_tokens_may_be_mixed(post: Any) -> None:
    (end,) = post("/tokenize", content="<|im_end|>")["tokens"]
    mixed = post("/tokenize", content=["Hi", end])["tokens"]
    assert mixed == [*post("/tokenize", content="Hi")["tokens"], end]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/tokenize", {}, id="no content"),
        pytest.param("/tokenize", {"content": 3}, id="a number"),
        pytest.param("/tokenize", {"content": [99_999_999]}, id="no such token"),
        pytest.param("/tokenize", {"content": "a", "add_special": "yes"}, id="no flag"),
        pytest.param("/detokenize", {}, id="no tokens"),
        pytest.param("/detokenize", {"tokens": ["a"]}, id="text"),
        pytest.param("/detokenize", {"tokens": [-1]}, id="negative"),
        pytest.param("/detokenize", {"tokens": [1 << 40]}, id="too large"),
        pytest.param("/detokenize", {"tokens": [99_999_999]}, id="unknown"),
        pytest.param("/apply-template", {}, id="no messages"),
        pytest.param("/apply-template", {"messages": []}, id="none of them"),
        pytest.param("/apply-template", {"messages": [{"role": "x"}]}, id="no such role"),
    ],
)
def test_mistakes_are_refused(path: str, body: Any, http: httpx.Client) -> None:
    response = http.post(path, json=body)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["type"] == "invalid_request_error"


# ---- templates -----------------------------------------------------------------------------


def test_the_template_gives_the_prompt_that_is_generated_from(post: Any) -> None:
    rendered = post("/apply-template", messages=TURN)
    assert rendered["prompt"].startswith("<|im_start|>user\nHi<|im_end|>\n")
    tokens = post("/tokenize", content=rendered["prompt"])["tokens"]
    assert rendered["n_tokens"] == len(tokens)
    usage = post("/v1/chat/completions", messages=TURN, max_tokens=1)["usage"]
    assert usage["prompt_tokens"] == rendered["n_tokens"]


def test_the_template_shows_tools_and_their_grammar(post: Any) -> None:
    plain = post("/apply-template", messages=TURN)
    with_tools = post("/apply-template", messages=TURN, tools=[TOOL], tool_choice="required")
    assert "look" in with_tools["prompt"]
    assert (plain["grammar"], with_tools["grammar"] != "") == ("", True)


def test_the_template_goes_on_with_a_begun_answer(post: Any) -> None:
    begun = [*TURN, {"role": "assistant", "content": "Once upon"}]
    assert post("/apply-template", messages=begun)["prompt"].endswith("Once upon")
