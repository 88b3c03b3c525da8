"""Stores of documents with a model of this kernel: made, searched, opened again."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from raghilda.chunk import RetrievedChunk
from raghilda.chunker import MarkdownChunker
from raghilda.document import MarkdownDocument
from raghilda.embedding import EmbedInputType, embedding_from_config
from raghilda.store import BaseStore, DuckDBStore

import llamanb
from llamanb.errors import MissingExtraError, ModelNotFoundError, OptionError
from llamanb.integrations.rag_retrieval import fused_ranks
from llamanb.integrations.rag_text_index import TextIndex
from tests.integrations.rag_cases import HANDBOOK, add_document, make_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llamanb.models import Model

QUESTION = "How is a server stopped?"
STOPPED = HANDBOOK["servers.md"][0]
REOPEN = """
import sys
import llamanb
from tests.support import network_guard
with network_guard.watched() as attempts:
    store = llamanb.rag.connect(sys.argv[1], read_only=True)
    found = llamanb.rag.Retriever(store).retrieve("How is a server stopped?", top_k=1)
print(found[0].origin, store.metadata.embed.model.name, attempts)
"""
WITHOUT = """
import sys
sys.modules["raghilda"] = None
import llamanb
from llamanb import *
try:
    llamanb.rag
except ImportError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture(scope="module")
def embed_model(demo_embed_path: Path) -> Iterator[Model]:
    """Give the toy that matches words."""
    model = llamanb.load("demo-embed", n_threads=1)
    assert model.path == str(demo_embed_path)
    yield model
    model.close()


@pytest.fixture
def embed(embed_model: Model) -> Any:
    """Give a provider of it."""
    return llamanb.rag.EmbeddingLlama(embed_model)


@pytest.fixture
def store(tmp_path: Path, embed: Any) -> Iterator[DuckDBStore]:
    """Give a store of the handbook."""
    made = make_store(tmp_path / "docs.duckdb", embed)
    yield made
    made.con.close()


def texts_of(found: list[Any]) -> list[str]:
    return [chunk.text for chunk in found]


def python(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- the provider ------------------------------------------------------------------------


def test_texts_become_vectors_of_length_1(embed: Any) -> None:
    vectors = np.array(embed.embed(["stop a server", "load a model", ""]))
    assert np.allclose(np.linalg.norm(vectors[:2], axis=1), 1, atol=1e-5)
    assert embed.embed([]) == []
    assert all(type(number) is float for number in embed.embed(["a"])[0])


def test_batches_change_nothing(embed_model: Model) -> None:
    texts = [f"text {number} about servers" for number in range(7)]
    whole, parts = (llamanb.rag.EmbeddingLlama(embed_model, batch_size=n) for n in (32, 2))
    assert np.allclose(whole.embed(texts), parts.embed(texts), atol=1e-5)


def test_prefixes_come_before_questions_and_documents(embed_model: Model) -> None:
    given = llamanb.rag.EmbeddingLlama(
        embed_model, query_prefix="query: ", document_prefix="passage: "
    )
    plain = llamanb.rag.EmbeddingLlama(embed_model)
    assert np.allclose(
        given.embed(["ports"], EmbedInputType.QUERY), plain.embed(["query: ports"]), atol=1e-6
    )
    assert np.allclose(given.embed(["ports"]), plain.embed(["passage: ports"]), atol=1e-6)


def test_threads_share_one(embed: Any) -> None:
    texts = [f"server number {number}" for number in range(12)]
    expected = embed.embed(texts)
    got: dict[int, Any] = {}

    def work(number: int) -> None:
        got[number] = embed.embed(texts)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 4
    assert all(np.allclose(vectors, expected, atol=1e-5) for vectors in got.values())


def test_a_config_makes_the_same_again(embed_model: Model) -> None:
    made = llamanb.rag.EmbeddingLlama(embed_model, query_prefix="q: ", batch_size=5)
    config = json.loads(json.dumps(made.get_config()))
    assert config["model"] == "demo-embed"
    again = embedding_from_config(config)
    assert again.get_config() == config
    assert np.allclose(again.embed(["x y"]), made.embed(["x y"]))


def test_a_model_may_be_named_by_path_or_by_its_name(demo_embed_path: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copied.gguf"
    copied.write_bytes(demo_embed_path.read_bytes())
    with llamanb.load(copied, name="my-embedder", n_threads=1):
        by_name = llamanb.rag.EmbeddingLlama("my-embedder")
        assert by_name.get_config()["model"] == str(copied)
        assert llamanb.rag.EmbeddingLlama(copied).get_config() == by_name.get_config()


def test_a_closed_model_is_loaded_again(demo_embed_path: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copied.gguf"
    copied.write_bytes(demo_embed_path.read_bytes())
    provider = llamanb.rag.EmbeddingLlama(copied)
    before = provider.embed(["a server"])
    provider.model.close()
    assert np.allclose(provider.embed(["a server"]), before)
    provider.model.close()


# ---- searching ----------------------------------------------------------------------------


def test_what_was_put_in_is_found(store: DuckDBStore) -> None:
    found = llamanb.rag.Retriever(store).retrieve(QUESTION, top_k=2)
    assert len(found) == 2
    assert found[0].text == STOPPED
    assert found[0].origin == "servers.md"
    assert {metric.name for metric in found[0].metrics} == {"cosine_distance", "bm25"}


def test_a_chunked_markdown_file_is_found(tmp_path: Path, embed: Any) -> None:
    store = DuckDBStore.create(tmp_path / "m.duckdb", embed=embed)
    content = (
        "# Servers\n\n" + "Ports are free. " * 30 + "\n\n## Stopping\n\nUse srv.stop() for it."
    )
    chunked = MarkdownChunker(chunk_size=200).chunk(
        MarkdownDocument(origin="guide.md", content=content)
    )
    store.ingest([chunked], max_workers=2)
    best = llamanb.rag.Retriever(store).retrieve("stop", top_k=1)[0]
    assert "srv.stop()" in best.text
    store.con.close()


def test_the_word_index_is_built_once_and_again_after_a_change(store: DuckDBStore) -> None:
    retriever = llamanb.rag.Retriever(store)
    for question in (QUESTION, "quantized weights", "tools"):
        retriever.retrieve(question)
    assert retriever.words.n_builds == 1
    add_document(store, "servers.md", ["A zebrafish stops every server."])
    assert texts_of(retriever.retrieve("zebrafish", 1)) == ["A zebrafish stops every server."]
    assert retriever.words.n_builds == 2
    assert STOPPED not in texts_of(retriever.retrieve(QUESTION, 20))


def test_threads_search_while_the_store_changes(store: DuckDBStore) -> None:
    retriever = llamanb.rag.Retriever(store)
    found: list[str] = []
    errors: list[Exception] = []

    def search() -> None:
        try:
            found.extend(retriever.retrieve(QUESTION, 1)[0].text for _ in range(8))
        except Exception as error:  # noqa: BLE001  # shown by the assertion
            errors.append(error)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(6):
        add_document(store, f"new-{number}.md", [f"A note about bread, number {number}."])
    for thread in threads:
        thread.join()
    assert errors == []
    assert set(found) == {STOPPED}
    assert len(found) == 32


def test_a_store_without_vectors_is_searched_by_words(tmp_path: Path) -> None:
    store = make_store(tmp_path / "w.duckdb", None)
    retriever = llamanb.rag.Retriever(store)
    assert texts_of(retriever.retrieve("quantizing", 3)) == ["Quantized weights need less memory."]
    assert retriever.retrieve("?!", 3) == []
    store.con.close()


def test_attributes_come_along_whoever_finds_a_chunk(tmp_path: Path, embed: Any) -> None:
    for provider, name in ((embed, "both"), (None, "words")):
        store = make_store(tmp_path / f"{name}.duckdb", provider, attributes={"part": str | None})
        add_document(store, "more.md", ["Zebrafish swim."], attributes={"part": "animals"})
        found = llamanb.rag.Retriever(store).retrieve("zebrafish", 1)[0]
        assert (found.text, found.attributes) == ("Zebrafish swim.", {"part": "animals"})
        store.con.close()


def test_an_index_that_cannot_be_read_is_replaced_by_ours(store: DuckDBStore) -> None:
    # as on a machine without DuckDB's extension, after another one has built the index
    store.con.execute("UPDATE metadata SET bm25_index_is_current = true")
    assert llamanb.rag.Retriever(store).retrieve(QUESTION, 1)[0].text == STOPPED


class ListStore(BaseStore):  # type: ignore[misc]  # raghilda has no types
    """A store of another kind: a list, in the order of the words shared."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts

    @staticmethod
    def connect(*_: Any, **__: Any) -> BaseStore:
        return ListStore([])

    create = connect

    def upsert(self, document: Any, *, skip_if_unchanged: bool = True) -> Any:
        raise NotImplementedError

    def retrieve(self, text: str, top_k: int, *_: Any, **__: Any) -> list[RetrievedChunk]:
        words = set(text.split())
        ranked = sorted(self.texts, key=lambda one: -len(words & set(one.split())))
        return [
            RetrievedChunk(text=one, start_index=0, end_index=len(one), char_count=len(one))
            for one in ranked[:top_k]
        ]

    def size(self) -> int:
        return len(self.texts)


def test_every_other_store_is_asked_itself() -> None:
    retriever = llamanb.rag.Retriever(ListStore(["a b", "b c d", "e"]))
    assert texts_of(retriever.retrieve("c d", 1)) == ["b c d"]


def test_ranks_are_joined() -> None:
    assert fused_ranks([[1, 2, 3], [3, 9, 1]])[:2] == [1, 3]
    assert fused_ranks([[], [4, 5]]) == [4, 5]
    assert fused_ranks([]) == []


@pytest.mark.parametrize(
    "question",
    ['"; DROP TABLE chunk', "a AND OR NOT (", "col:x *", "NEAR(a b)", "\x00 ü 漢字", "'"],
)
def test_no_word_of_a_question_is_an_operator(question: str) -> None:
    index = TextIndex()
    index.refresh(1, lambda: [(7, None, "a text with ü and 漢字"), (8, "x", "nothing")])
    assert {number for number, _ in index.search(question, 5)} <= {7, 8}


# ---- opening again, and errors ---------------------------------------------------------


def test_a_fresh_process_opens_the_store_and_asks_nobody(tmp_path: Path, embed: Any) -> None:
    path = tmp_path / "docs.duckdb"
    make_store(path, embed).con.close()
    assert python(REOPEN, str(path)).split() == ["servers.md", "demo-embed", "[]"]


def test_without_raghilda_an_error_says_what_to_install() -> None:
    said = python(WITHOUT)
    assert said.startswith(MissingExtraError.__name__)
    assert "pip install 'llamanb[rag]'" in said


def test_a_moved_model_is_named(tmp_path: Path, demo_embed_path: Path) -> None:
    model = tmp_path / "mine.gguf"
    model.write_bytes(demo_embed_path.read_bytes())
    provider = llamanb.rag.EmbeddingLlama(model)
    make_store(tmp_path / "docs.duckdb", provider).con.close()
    provider.model.close()
    model.unlink()
    store = llamanb.rag.connect(tmp_path / "docs.duckdb")
    with pytest.raises(ModelNotFoundError, match=r"mine\.gguf") as raised:
        llamanb.rag.Retriever(store).retrieve(QUESTION)
    assert "store.metadata.embed" in raised.value.__notes__[0]
    store.metadata.embed = llamanb.rag.EmbeddingLlama("demo-embed")
    assert llamanb.rag.Retriever(store).retrieve(QUESTION, 1)[0].text == STOPPED
    store.con.close()


def test_what_is_no_store_is_not_opened(tmp_path: Path) -> None:
    missing = tmp_path / "missing.duckdb"
    with pytest.raises(OptionError, match="there is no store at"):
        llamanb.rag.connect(missing)
    assert not missing.exists()
    (tmp_path / "text.duckdb").write_text("no database " * 999)
    with pytest.raises(OptionError, match="cannot be opened as a store"):
        llamanb.rag.connect(tmp_path / "text.duckdb")
    with pytest.raises(OptionError, match="named by its file"):
        llamanb.rag.connect(None)  # type: ignore[arg-type]  # as users may


def test_a_store_of_an_unknown_provider_is_not_opened(tmp_path: Path, embed: Any) -> None:
    store = make_store(tmp_path / "docs.duckdb", embed)
    store.con.execute("""UPDATE metadata SET embed_config = '{"type": "Somebody"}'""")
    store.con.close()
    with pytest.raises(OptionError, match="Somebody"):
        llamanb.rag.connect(tmp_path / "docs.duckdb")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": True}, "batch_size=True"),
        ({"query_prefix": None}, "query_prefix=None"),
        ({"document_prefix": 3}, "document_prefix=3"),
    ],
)
def test_options_are_checked(embed_model: Model, options: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        llamanb.rag.EmbeddingLlama(embed_model, **options)


def test_a_model_must_give_vectors(reranker_gguf: Path) -> None:
    with pytest.raises(OptionError, match="reranker"):
        llamanb.rag.EmbeddingLlama(reranker_gguf)
    with pytest.raises(ModelNotFoundError):
        llamanb.rag.EmbeddingLlama("no-such-model.gguf")


def test_questions_are_checked(store: DuckDBStore, embed: Any) -> None:
    retriever = llamanb.rag.Retriever(store)
    questions: list[Any] = ["", "  ", None, ["a"]]
    for question in questions:
        with pytest.raises(OptionError, match="question"):
            retriever.retrieve(question)
    with pytest.raises(OptionError, match="top_k=0"):
        retriever.retrieve(QUESTION, 0)
    with pytest.raises(OptionError, match="needed, not str"):
        llamanb.rag.Retriever("docs.duckdb")
    with pytest.raises(OptionError, match="embed takes several texts"):
        embed.embed("one text")
    with pytest.raises(OptionError, match=r"texts\[1\]"):
        embed.embed(["a", 3])
