"""Finds the chunks of a store that answer a question, by meaning and by words."""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from llamanb.errors import OptionError
from llamanb.integrations.rag_door import (
    BaseStore,
    DuckDBStore,
    Metric,
    RetrievedChunk,
    duckdb,
)
from llamanb.integrations.rag_text_index import TextIndex

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Retriever", "check_top_k", "fused_ranks"]

RANK_OFFSET = 60  # of reciprocal rank fusion, as its authors chose it
MIN_DEPTH = 20
FIELDS = ("chunk_id", "origin", "start_index", "end_index", "char_count", "context", "text")
STATE = "SELECT count(*), max(chunk_id), sum(hash(chunk_id, origin)) FROM embeddings"
INDEX_IS_CURRENT = "SELECT bm25_index_is_current FROM metadata"


class Retriever:
    """Searches a store; threads may share it.

    A ``DuckDBStore`` is searched by vectors and by words, and the two ranks are joined.
    The words are found by the store's own index if ``store.build_index`` made a current
    one, else by an index in memory, which is built at the first search and again after
    the store has changed. Every other store is asked by its own ``retrieve``.

    Raises
    ------
    OptionError
        If ``store`` is no store of raghilda.

    Examples
    --------
    >>> chunks = llamanb.rag.Retriever(store).retrieve("How do I stop a server?", top_k=2)
    >>> [chunk.origin for chunk in chunks]
    ['servers.md', 'commands.md']
    """

    def __init__(self, store: BaseStore) -> None:
        if not isinstance(store, BaseStore):
            raise OptionError(f"a store of raghilda is needed, not {type(store).__name__}")
        self.store = store
        self.words = TextIndex()

    def retrieve(self, text: str, top_k: int = 3) -> list[RetrievedChunk]:
        """Give the ``top_k`` best chunks for a question, the best first.

        Raises
        ------
        OptionError
            If ``text`` is no text or empty, or ``top_k`` is below 1.
        """
        _check(text, top_k)
        if not isinstance(self.store, DuckDBStore):
            return list(self.store.retrieve(text, top_k, **_kept_apart(self.store)))[:top_k]
        depth = max(3 * top_k, MIN_DEPTH)
        by_meaning = self._by_meaning(text, depth)
        by_words = self._by_words(text, depth)
        known = {chunk.chunk_ids[0]: chunk for chunk in (*by_words, *by_meaning)}
        _join_metrics(known, by_words)
        ranks = [[chunk.chunk_ids[0] for chunk in found] for found in (by_meaning, by_words)]
        return [known[number] for number in fused_ranks(ranks)[:top_k]]

    def _by_meaning(self, text: str, depth: int) -> list[RetrievedChunk]:
        if self.store.metadata.embed is None:
            return []
        return list(self.store.retrieve_vss(text, depth))

    def _by_words(self, text: str, depth: int) -> list[RetrievedChunk]:
        connection = self.store.con.cursor()  # one for each thread, as DuckDB wants it
        try:
            if _index_is_current(connection):
                # without DuckDB's fts extension the index is there but cannot be read
                with suppress(RuntimeError, duckdb.Error):
                    found = self.store.retrieve_bm25(text, depth)
                    return [chunk for chunk in found if chunk.metrics[0].value is not None]
            self.words.refresh(
                connection.execute(STATE).fetchone(),
                lambda: connection.execute("SELECT chunk_id, context, text FROM chunks").fetchall(),
            )
            scores = dict(self.words.search(text, depth))
            return self._chunks(connection, scores)
        finally:
            connection.close()

    def _chunks(self, connection: Any, scores: dict[int, float]) -> list[RetrievedChunk]:
        attributes = tuple(self.store.metadata.attributes_schema)
        columns = ", ".join(f'"{name}"' for name in (*FIELDS, *attributes))
        places = ", ".join("?" * len(scores))
        rows = connection.execute(
            f"SELECT {columns} FROM chunks WHERE chunk_id IN ({places})",  # noqa: S608  # names of its own columns
            list(scores),
        ).fetchall()
        made = {row[0]: _chunk(row, attributes, scores[row[0]]) for row in rows}
        return [made[number] for number in scores if number in made]


def fused_ranks(rankings: Iterable[Sequence[int]]) -> list[int]:
    """Join several rankings into one: what is high in one, or fair in all, comes first."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for place, item in enumerate(ranking):
            scores[item] = scores.get(item, 0.0) + 1 / (RANK_OFFSET + place)
    return sorted(scores, key=lambda item: -scores[item])


def _check(text: Any, top_k: Any) -> None:
    if not isinstance(text, str) or not text.strip():
        raise OptionError(f"a question is a text that is not empty, not {text!r}")
    check_top_k(top_k)


def check_top_k(top_k: Any) -> None:
    """Raise OptionError unless this many chunks can be given."""
    if not isinstance(top_k, int) or isinstance(top_k, bool) or top_k < 1:
        raise OptionError(f"top_k={top_k!r} is not possible: it must be at least 1")


def _kept_apart(store: BaseStore) -> dict[str, Any]:
    """Ask for chunks as they were stored, where a store could join neighbours."""
    return {"deoverlap": False} if "deoverlap" in _parameters(store.retrieve) else {}


def _parameters(function: Any) -> Iterable[str]:
    return inspect.signature(function).parameters


def _index_is_current(connection: Any) -> bool:
    try:
        row = connection.execute(INDEX_IS_CURRENT).fetchone()
    except duckdb.Error:  # a store of an older raghilda does not say
        return False
    return bool(row and row[0])


def _join_metrics(known: dict[int, RetrievedChunk], by_words: list[RetrievedChunk]) -> None:
    for chunk in by_words:
        other = known[chunk.chunk_ids[0]]
        if other is not chunk:
            other.metrics.extend(chunk.metrics)


def _chunk(row: tuple[Any, ...], attributes: tuple[str, ...], score: float) -> RetrievedChunk:
    values = dict(zip((*FIELDS, *attributes), row, strict=True))
    return RetrievedChunk(
        chunk_ids=[values.pop("chunk_id")],
        attributes={name: values.pop(name) for name in attributes},
        metrics=[Metric("bm25", score)],
        **values,
    )
