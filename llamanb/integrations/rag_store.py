"""Opens a store of documents again, with the model it was made with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import llamanb.integrations.rag_embedding  # noqa: F401  # raghilda must know the provider
from llamanb.errors import OptionError
from llamanb.integrations.rag_door import DuckDBStore, duckdb

if TYPE_CHECKING:
    import os

__all__ = ["connect"]


def connect(location: str | os.PathLike[str], *, read_only: bool = False) -> DuckDBStore:
    """Open a store that ``DuckDBStore.create`` made; its model is loaded on first use.

    Nothing is fetched: an embedding model and a store on this machine are all it takes.

    Parameters
    ----------
    location : the file.
    read_only : refuse changes; several processes may then read one file.

    Raises
    ------
    OptionError
        If there is no such file, it is no store, or another process has it open.

    Examples
    --------
    >>> store = llamanb.rag.connect("docs.duckdb")
    >>> llamanb.rag.Retriever(store).retrieve("How do I stop a server?")
    """
    path = _existing(location)
    try:
        store = DuckDBStore.connect(str(path), read_only=read_only)
    except (ValueError, duckdb.Error) as error:
        raise OptionError(f"{path} cannot be opened as a store: {error}") from error
    _check_provider(store, path)
    return store


def _existing(location: Any) -> Path:
    try:
        path = Path(location).expanduser()
    except TypeError:
        raise OptionError(f"a store is named by its file, not by {location!r}") from None
    if not path.is_file():  # DuckDB would make an empty one
        raise OptionError(
            f"there is no store at {path}; make one with "
            "raghilda.store.DuckDBStore.create(location, embed=llamanb.rag.EmbeddingLlama(model))"
        )
    return path


def _check_provider(store: DuckDBStore, path: Path) -> None:
    """Refuse a store that has vectors which nobody here can compare with."""
    row = store.con.execute("SELECT embed_config FROM metadata").fetchone()
    if store.metadata.embed is None and row and row[0]:
        store.con.close()
        raise OptionError(
            f"{path} was made with an embedding provider that is not registered here: {row[0]}"
        )
