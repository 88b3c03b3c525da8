"""Small stores of documents for the tests of llamanb.rag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from raghilda.chunk import Chunk
from raghilda.document import ChunkedMarkdownDocument
from raghilda.store import DuckDBStore

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HANDBOOK", "add_document", "make_store"]

HANDBOOK = {
    "servers.md": [
        "A server is stopped with srv.stop(); its port is free again at once.",
        "Servers listen on a free port unless you name one.",
        "Each server keeps a log of its requests.",
    ],
    "models.md": [
        "Models are loaded once and stay in memory.",
        "A model that nobody uses leaves the memory after its ttl.",
        "Quantized weights need less memory.",
    ],
    "tools.md": ["A tool is a Python function.", "Every call of a tool is asked for first."],
}


def add_document(store: DuckDBStore, origin: str, texts: list[str], **fields: Any) -> None:
    """Add a document whose chunks are these texts."""
    content = "\n\n".join(texts)
    chunks = []
    for text in texts:
        start = content.index(text)
        chunks.append(
            Chunk(text=text, start_index=start, end_index=start + len(text), char_count=len(text))
        )
    store.upsert(ChunkedMarkdownDocument(origin=origin, content=content, chunks=chunks, **fields))


def make_store(path: Path | str, embed: Any, **options: Any) -> DuckDBStore:
    """Make a store of the handbook."""
    store = DuckDBStore.create(path, embed=embed, **{"name": "docs", **options})
    for origin, texts in HANDBOOK.items():
        add_document(store, origin, texts)
    return store
