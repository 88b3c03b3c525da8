"""Embeddings through the official clients and over plain HTTP."""

from __future__ import annotations

import base64
import json
import socket
import threading
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import openai
import pytest
import tiktoken
import tiktoken.model
import tiktoken.registry
from langchain_openai import OpenAIEmbeddings

import llamanb
from llamanb.models.reading import Readout
from llamanb.servers.native.vectors import embeddings_json
from tests.servers.conftest import loaded
from tests.support import random_gguf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llamanb.models import Model
    from llamanb.servers import Server
    from llamanb.servers.request_log import LogEntry
    from tests.servers.conftest import ServeModel

TEXTS = ["a cat sat", "the moon", "stock market"]
ROUNDING = 1e-5  # of batches of different shapes


@pytest.fixture(scope="module")
def server(demo_path: Path, demo_embed_path: Path) -> Iterator[Server]:
    """Give a server of a chat model with an embedding model beside it."""
    models = [loaded(demo_path), loaded(demo_embed_path)]
    with llamanb.serve(models) as running:
        yield running


@pytest.fixture
def embedder(server: Server, demo_embed_path: Path) -> Model:
    """Give the embedding model that is served."""
    assert server.status == "running"
    return loaded(demo_embed_path)


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    """Give a plain client."""
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


def _vectors(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return np.array([row["embedding"] for row in response.json()["data"]])


# ---- official clients ----------------------------------------------------------------------


def test_openai_sdk_gets_the_vectors_of_the_model(server: Server, embedder: Model) -> None:
    with openai.OpenAI(base_url=server.base_url, api_key="local") as client:
        answer = client.embeddings.create(model="text-embedding-3-small", input=TEXTS)
    assert (answer.object, answer.model) == ("list", "text-embedding-3-small")
    assert [row.index for row in answer.data] == [0, 1, 2]
    np.testing.assert_allclose(
        [row.embedding for row in answer.data], embedder.embed(TEXTS), atol=ROUNDING
    )
    n_tokens = sum(len(embedder.tokenize(text)) for text in TEXTS)
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (n_tokens, n_tokens)


def test_openai_sdk_sends_token_ids(server: Server, embedder: Model) -> None:
    ids = [embedder.tokenize(text) for text in TEXTS]
    with openai.OpenAI(base_url=server.base_url, api_key="local") as client:
        several = client.embeddings.create(model="local", input=ids).data
        single = client.embeddings.create(model="local", input=ids[0], encoding_format="float").data
    expected = embedder.embed(TEXTS)
    np.testing.assert_allclose([row.embedding for row in several], expected, atol=ROUNDING)
    np.testing.assert_allclose(single[0].embedding, expected[0], atol=ROUNDING)


def test_langchain_sends_texts(server: Server, embedder: Model) -> None:
    client = OpenAIEmbeddings(
        model="local",
        base_url=server.base_url,
        api_key="local",  # type: ignore[arg-type]  # langchain reads a str as a secret
        check_embedding_ctx_length=False,
    )
    np.testing.assert_allclose(client.embed_documents(TEXTS), embedder.embed(TEXTS), atol=ROUNDING)
    np.testing.assert_allclose(client.embed_query("a"), embedder.embed("a"), atol=ROUNDING)


def test_langchain_sends_token_ids_of_its_own_tokenizer(
    server: Server, embedder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = tiktoken.Encoding(
        "letters",
        pat_str=r"\S+|\s+",
        mergeable_ranks={bytes([byte]): byte for byte in range(256)},
        special_tokens={},
    )
    monkeypatch.setitem(tiktoken.registry.ENCODINGS, "letters", letters)
    monkeypatch.setitem(tiktoken.model.MODEL_TO_ENCODING, "local", "letters")
    client = OpenAIEmbeddings(
        model="local",
        base_url=server.base_url,
        api_key="local",  # type: ignore[arg-type]  # langchain reads a str as a secret
    )
    expected = embedder.read_vectors([list(b"moon")]).rows
    np.testing.assert_allclose(client.embed_documents(["moon"]), expected, atol=ROUNDING)


# ---- shapes --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/embeddings", "/embeddings"])
def test_numbers_are_the_default(path: str, http: httpx.Client, embedder: Model) -> None:
    response = http.post(path, json={"input": "a cat sat"})
    np.testing.assert_allclose(_vectors(response), [embedder.embed("a cat sat")], atol=ROUNDING)
    assert response.json()["model"] == embedder.name


def test_base64_holds_the_same_numbers(http: httpx.Client) -> None:
    body = {"input": TEXTS, "model": "local"}
    numbers = _vectors(http.post("/v1/embeddings", json=body))
    written = http.post("/v1/embeddings", json={**body, "encoding_format": "base64"}).json()
    decoded = [np.frombuffer(base64.b64decode(row["embedding"]), "<f4") for row in written["data"]]
    np.testing.assert_allclose(decoded, numbers, atol=ROUNDING)


def test_texts_and_ids_may_be_mixed(http: httpx.Client, embedder: Model) -> None:
    ids = embedder.tokenize("the moon")
    rows = _vectors(http.post("/v1/embeddings", json={"input": ["the moon", ids]}))
    np.testing.assert_allclose(rows[0], rows[1], atol=ROUNDING)


def test_an_input_type_brings_the_prefix_of_the_model(
    tmp_path: Path, serve_model: ServeModel
) -> None:
    path = tmp_path / "prefixed.gguf"
    random_gguf.write_model(path, random_gguf.RECIPES["tiny-embedding"], name="nomic-embed-x")
    server = serve_model(path)
    rows = {
        kind: _vectors(
            httpx.post(f"{server.base_url}/embeddings", json={"input": "ba", "input_type": kind})
        )
        for kind in (None, "query", "search_document")
    }
    for kind, prefix in (
        (None, ""),
        ("query", "search_query: "),
        ("search_document", "search_document: "),
    ):
        expected = server.model.read_vectors([f"{prefix}ba"]).rows
        np.testing.assert_allclose(rows[kind], expected, atol=ROUNDING)


def test_long_texts_are_refused_or_cut(serve_model: ServeModel, embedding_gguf: Path) -> None:
    server = serve_model(embedding_gguf)
    body = {"input": ["ba", "ba " * 1000]}
    refused = httpx.post(f"{server.base_url}/embeddings", json=body)
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "context_length_exceeded"
    cut = httpx.post(f"{server.base_url}/embeddings", json={**body, "truncate": True})
    assert _vectors(cut).shape == (2, 128)
    assert cut.json()["usage"]["prompt_tokens"] == 512 + len(server.model.tokenize("ba"))


def test_a_chat_model_embeds_through_a_context_of_its_own(http: httpx.Client) -> None:
    rows = _vectors(http.post("/v1/embeddings", json={"model": "demo", "input": TEXTS}))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=ROUNDING)


def test_written_numbers_are_read_back_exactly() -> None:
    rows = np.array([[0.1, -1e-30], [3.0, 1 / 3]], np.float32)
    body = json.loads(embeddings_json(Readout(rows=rows, n_tokens=5), 'a "b"', None))
    assert body["model"] == 'a "b"'
    np.testing.assert_array_equal(
        np.array([row["embedding"] for row in body["data"]], np.float32), rows
    )


# ---- mistakes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "param"),
    [
        pytest.param({}, "input", id="no input"),
        pytest.param({"input": None}, "input", id="null"),
        pytest.param({"input": []}, "input", id="empty list"),
        pytest.param({"input": [[]]}, "input[0]", id="empty ids"),
        pytest.param({"input": 3}, "input", id="number"),
        pytest.param({"input": [1.5]}, "input[0]", id="fraction"),
        pytest.param({"input": [True]}, "input[0]", id="bool"),
        pytest.param({"input": [-1]}, "input[0]", id="negative id"),
        pytest.param({"input": [1, "a"]}, "input[1]", id="ids and text in one list"),
        pytest.param({"input": [[99999]]}, "input[0]", id="id of another model"),
        pytest.param({"input": ["a"] * 3000}, "input", id="too many"),
        pytest.param({"input": "a", "encoding_format": "hex"}, "encoding_format", id="format"),
        pytest.param({"input": "a", "dimensions": 3}, "dimensions", id="dimensions"),
        pytest.param({"input": "a", "dimensions": 0}, "dimensions", id="no dimensions"),
        pytest.param({"input": "a", "input_type": "x"}, "input_type", id="input_type"),
    ],
)
def test_mistakes_are_named(body: dict[str, Any], param: str, http: httpx.Client) -> None:
    response = http.post("/v1/embeddings", json=body)
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert len(response.text) < 1000


def test_the_own_dimensions_are_accepted(http: httpx.Client, embedder: Model) -> None:
    body = {"input": "a", "dimensions": embedder.header.n_embd, "input_type": "query"}
    assert _vectors(http.post("/v1/embeddings", json=body)).shape == (1, embedder.header.n_embd)


def test_an_unknown_model_is_not_found(http: httpx.Client) -> None:
    response = http.post("/v1/embeddings", json={"input": "a", "model": "nomic"})
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")


def test_a_million_wrong_items_are_refused_at_once(http: httpx.Client) -> None:
    response = http.post("/v1/embeddings", json={"input": [1.5] * 500_000}, timeout=5)
    assert response.status_code == 400


# ---- beside each other ---------------------------------------------------------------------


def test_many_clients_get_their_own_vectors(server: Server, embedder: Model) -> None:
    texts = [f"text number {number}" for number in range(12)]
    expected = embedder.embed(texts)
    failures: list[BaseException] = []

    def ask(number: int) -> None:
        try:
            with openai.OpenAI(base_url=server.base_url, api_key="local") as client:
                row = client.embeddings.create(model="local", input=texts[number]).data[0]
            np.testing.assert_allclose(row.embedding, expected[number], atol=ROUNDING)
        except BaseException as error:  # noqa: BLE001  # raised below
            failures.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_the_log_counts_tokens_and_holds_no_text(server: Server, http: httpx.Client) -> None:
    before = server.requests["prompt_tokens"]
    used = http.post("/v1/embeddings", json={"input": TEXTS}).json()["usage"]["prompt_tokens"]
    http.get("/health")
    entry = next(one for one in server.log(50) if one.path == "/v1/embeddings")
    assert (entry.prompt_tokens, entry.status, entry.model) == (used, 200, "demo-embed")
    assert server.requests["prompt_tokens"] == before + used
    assert "moon" not in repr(server.log(50))


def test_a_client_that_goes_away_stops_the_reading(
    serve_model: ServeModel, embedding_gguf: Path
) -> None:
    server = serve_model(embedding_gguf)
    begun, ended = threading.Event(), threading.Event()
    states: list[str] = []

    def watch(entry: LogEntry) -> None:
        begun.set()
        if entry.state != "running":
            states.append(entry.state)
            ended.set()

    server.subscribe(watch)
    body = json.dumps({"input": ["ba " * 400] * 2000}).encode()
    with socket.create_connection((server.host, server.port)) as client:
        head = f"POST /v1/embeddings HTTP/1.1\r\nHost: {server.host}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        client.sendall(head.encode() + body)
        assert begun.wait(30)
    assert ended.wait(30)
    assert states == ["cancelled"]
    assert server.requests["prompt_tokens"] == 0
    assert not server.model.busy
