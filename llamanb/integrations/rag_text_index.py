"""A word index of a store's chunks in memory, in SQLite: it needs no DuckDB extension."""

from __future__ import annotations

import re
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["TextIndex"]

MAX_TERMS = 64
WORD = re.compile(r"\w+")
TABLE = (
    "CREATE VIRTUAL TABLE chunk USING fts5(context, text, content='', tokenize='porter unicode61')"
)
FOUND = "SELECT rowid, rank FROM chunk WHERE chunk MATCH ? ORDER BY rank, rowid LIMIT ?"


class TextIndex:
    """Ranks chunks by the words they share with a question (BM25); threads may share it.

    Only the words are kept, not the texts.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: Any = None
        self._database: sqlite3.Connection | None = None
        self.n_builds = 0

    def refresh(
        self, state: Any, rows: Callable[[], Iterable[tuple[int, str | None, str]]]
    ) -> None:
        """Build the index of ``rows`` (id, context, text) unless ``state`` is the last one's."""
        with self._lock:
            if self._database is not None and state == self._state:
                return
            built = sqlite3.connect(":memory:", check_same_thread=False)
            built.execute(TABLE)
            built.executemany("INSERT INTO chunk(rowid, context, text) VALUES (?, ?, ?)", rows())
            if self._database is not None:
                self._database.close()
            self._database, self._state = built, state
            self.n_builds += 1

    def search(self, question: str, limit: int) -> list[tuple[int, float]]:
        """Give the ids of the best chunks and their scores (higher is better)."""
        words = list(dict.fromkeys(WORD.findall(question)))[:MAX_TERMS]
        if not words:
            return []
        # quoted, so that no word of the question is an operator
        wanted = " OR ".join(f'"{word}"' for word in words)
        with self._lock:
            if self._database is None:
                return []
            found = self._database.execute(FOUND, (wanted, limit)).fetchall()
        return [(number, -rank) for number, rank in found]
