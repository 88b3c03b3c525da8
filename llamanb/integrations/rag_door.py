"""Where raghilda and DuckDB come in; the other ``rag_*`` files take them from here."""

from __future__ import annotations

from llamanb.errors import MissingExtraError

try:
    import duckdb
    from raghilda.chunk import Metric, RetrievedChunk
    from raghilda.embedding import (
        EmbeddingProvider,
        EmbedInputType,
        register_embedding_provider,
    )
    from raghilda.store import BaseStore, DuckDBStore
except ImportError as error:
    raise MissingExtraError(
        f"llamanb.rag needs raghilda ({error}); install it with: pip install 'llamanb[rag]'"
    ) from error

__all__ = [
    "BaseStore",
    "DuckDBStore",
    "EmbedInputType",
    "EmbeddingProvider",
    "Metric",
    "RetrievedChunk",
    "duckdb",
    "register_embedding_provider",
]
