"""Rerank over HTTP, in the shapes of Jina, Cohere and text-embeddings-inference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest

import llamanb
from llamanb.models.reading import Readout
from llamanb.servers.native.ranks import rerank_body
from llamanb.servers.native.requests import RerankRequest
from tests.servers.conftest import loaded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llamanb.servers import Server

DOCUMENTS = ["ba be bi", "lo la", "zu zo zi", "ka"]
BODY = {"model": "local", "query": "ba", "documents": DOCUMENTS}
ROUNDING = 1e-3  # of half-precision attention in batches of different shapes


@pytest.fixture(scope="module")
def server(demo_path: Path, reranker_gguf: Path) -> Iterator[Server]:
    """Give a server of a chat model with a reranker beside it."""
    with llamanb.serve([loaded(demo_path), loaded(reranker_gguf)]) as running:
        yield running


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    """Give a plain client."""
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


@pytest.mark.parametrize("path", ["/v1/rerank", "/rerank", "/v1/reranking", "/reranking"])
def test_every_path_gives_the_ranks_of_the_model(
    path: str, http: httpx.Client, reranker_gguf: Path
) -> None:
    answer = http.post(path, json=BODY).json()
    expected = loaded(reranker_gguf).rerank("ba", DOCUMENTS)
    assert (answer["object"], answer["model"]) == ("list", "local")
    assert [row["index"] for row in answer["results"]] == [row.index for row in expected]
    np.testing.assert_allclose(
        [row["relevance_score"] for row in answer["results"]],
        [row.relevance_score for row in expected],
        atol=ROUNDING,
    )
    assert answer["usage"]["prompt_tokens"] == answer["usage"]["total_tokens"] > 0
    assert all(set(row) == {"index", "relevance_score"} for row in answer["results"])


def test_documents_come_back_if_wanted(http: httpx.Client) -> None:
    documents = [DOCUMENTS[0], *({"text": text, "id": 7} for text in DOCUMENTS[1:])]
    body = {**BODY, "documents": documents, "return_documents": True, "top_n": 2}
    results = http.post("/v1/rerank", json=body).json()["results"]
    assert len(results) == 2
    assert all(row["document"] == {"text": DOCUMENTS[row["index"]]} for row in results)


def test_texts_ask_for_the_short_shape(http: httpx.Client) -> None:
    body = {"query": "ba", "texts": DOCUMENTS, "return_text": True}
    rows = http.post("/rerank", json=body).json()
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert all(row["text"] == DOCUMENTS[row["index"]] for row in rows)


def test_equal_scores_keep_their_order() -> None:
    body = RerankRequest(query="a", documents=["x", "y", "z"])
    readout = Readout(rows=np.array([0.5, 1.5, 0.5], np.float32), n_tokens=9)
    results = rerank_body(readout, "name", body)["results"]
    assert [row["index"] for row in results] == [1, 0, 2]


def test_a_chat_model_is_no_reranker(http: httpx.Client) -> None:
    response = http.post("/v1/rerank", json={**BODY, "model": "demo"})
    assert response.status_code == 400
    assert "not a reranker" in response.json()["error"]["message"]


def test_a_reranker_neither_chats_nor_embeds(http: httpx.Client, server: Server) -> None:
    name = server.models[1]
    chat = {"model": name, "messages": [{"role": "user", "content": "a"}]}
    for path, body in (
        ("/v1/chat/completions", chat),
        ("/v1/embeddings", {"model": name, "input": "a"}),
        ("/v1/completions", {"model": name, "prompt": "a"}),
    ):
        response = http.post(path, json=body)
        assert response.status_code == 400, (path, response.text)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        pytest.param({"query": None}, "query", id="no query"),
        pytest.param({"query": ""}, "query", id="empty query"),
        pytest.param({"query": ["a"]}, "query", id="query a list"),
        pytest.param({"documents": None}, "documents", id="no documents"),
        pytest.param({"documents": []}, "documents", id="none of them"),
        pytest.param({"documents": "a"}, "documents", id="one text"),
        pytest.param({"documents": [3]}, "documents[0]", id="a number"),
        pytest.param({"documents": [{}]}, "documents[0].text", id="no text"),
        pytest.param({"top_n": 0}, "top_n", id="top_n 0"),
        pytest.param({"top_n": "2"}, "top_n", id="top_n a text"),
    ],
)
def test_mistakes_are_named(change: dict[str, Any], param: str, http: httpx.Client) -> None:
    response = http.post("/v1/rerank", json={**BODY, **change})
    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"] == param


def test_long_documents_are_cut_unless_that_is_forbidden(http: httpx.Client) -> None:
    body = {**BODY, "documents": ["ba " * 2000]}
    assert http.post("/v1/rerank", json=body).json()["usage"]["prompt_tokens"] == 512
    refused = http.post("/v1/rerank", json={**body, "truncate": False})
    assert refused.json()["error"]["code"] == "context_length_exceeded"
