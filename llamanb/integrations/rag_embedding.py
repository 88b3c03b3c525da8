"""A local embedding model as raghilda's embedding provider."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from llamanb.errors import ModelError, OptionError
from llamanb.integrations.rag_door import (
    EmbeddingProvider,
    EmbedInputType,
    register_embedding_provider,
)
from llamanb.models import Model, load
from llamanb.models.embedding import input_prefix
from llamanb.models.kernel import manager

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

__all__ = ["EmbeddingLlama"]

REGISTERED_AS = "llamanb"


class EmbeddingLlama(EmbeddingProvider):  # type: ignore[misc]  # raghilda has no types
    """Turns documents and questions into vectors with a model of this kernel.

    A store that was made with it finds its model again when it is opened by
    :func:`connect`, or by raghilda's own ``connect`` once ``llamanb.rag`` is imported.
    Threads may share it; several stores of one model share its memory.

    Parameters
    ----------
    model : a :class:`~llamanb.Model`, the name of a loaded one, or what ``llamanb.load``
        takes: a path, ``"org/repo:Q8_0"``, ``"demo-embed"``.
    query_prefix : what the model expects before a question; empty for what the authors
        of well-known models ask for.
    document_prefix : the same before a document.
    batch_size : how many texts are handed to the model at a time.

    Raises
    ------
    OptionError
        If an option is impossible or the model gives no vectors.
    ModelNotFoundError
        If there is no such model.

    Examples
    --------
    >>> embed = llamanb.rag.EmbeddingLlama("all-MiniLM-L6-v2.Q8_0.gguf")
    >>> store = DuckDBStore.create("docs.duckdb", embed=embed, name="docs")
    """

    def __init__(
        self,
        model: Model | str | os.PathLike[str],
        *,
        query_prefix: str = "",
        document_prefix: str = "",
        batch_size: int = 32,
    ) -> None:
        # loaded here, so that a wrong name cannot leave a half-made store behind
        self._model: Model | None = _checked(_found(model))
        self._spec = _lasting_name(self._model)
        self._prefixes = _checked_prefixes(query_prefix, document_prefix)
        self.batch_size = _checked_batch_size(batch_size)

    @property
    def model(self) -> Model:
        """The model, loaded again if it was closed or if the store was just opened."""
        if self._model is None or self._model.state == "closed":
            try:
                self._model = _checked(_found(self._spec))
            except ModelError as error:
                error.add_note(
                    "the documents were read with that model; if its file has moved, set "
                    "store.metadata.embed = llamanb.rag.EmbeddingLlama(<new path>)"
                )
                raise
        return self._model

    def embed(
        self, x: Sequence[str], input_type: EmbedInputType = EmbedInputType.DOCUMENT
    ) -> list[list[float]]:
        """Give a vector of length 1 for each text; texts that are too long are cut.

        Raises
        ------
        OptionError
            If ``x`` is not several texts, or ``input_type`` is unknown.
        """
        texts = _checked_texts(x)
        model, prefix = self.model, self._prefix(str(input_type))
        vectors: list[list[float]] = []
        with model.lease():
            for start in range(0, len(texts), self.batch_size):
                batch = texts[start : start + self.batch_size]
                vectors += model.read_vectors(batch, prefix=prefix).rows.tolist()
        return vectors

    def get_config(self) -> dict[str, Any]:
        """Give what a store keeps, so that ``from_config`` can make the same again."""
        return {
            "type": REGISTERED_AS,
            "model": self._spec,
            "query_prefix": self._prefixes["query"],
            "document_prefix": self._prefixes["document"],
            "batch_size": self.batch_size,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make one of what ``get_config`` gave; the model is loaded when it is first needed."""
        spec = config.get("model")
        if not isinstance(spec, str) or not spec:
            raise OptionError(f"the store does not say which model it was made with: {config!r}")
        made = cls.__new__(cls)
        made._model, made._spec = None, spec  # noqa: SLF001  # its own class
        made._prefixes = _checked_prefixes(  # noqa: SLF001
            config.get("query_prefix", ""), config.get("document_prefix", "")
        )
        made.batch_size = _checked_batch_size(config.get("batch_size", 32))
        return made

    def _prefix(self, input_type: str) -> str:
        # unknown types end in input_prefix's error
        known = input_prefix(self.model.header.name, input_type)  # type: ignore[arg-type]
        return self._prefixes[input_type] or known

    def __repr__(self) -> str:
        return f"EmbeddingLlama({self._spec!r}, batch_size={self.batch_size})"


def _found(model: Any) -> Model:
    if isinstance(model, Model):
        return model
    if isinstance(model, str) and model in manager():
        return manager()[model]
    return load(model)


def _checked(model: Model) -> Model:
    if model.is_reranker:
        raise OptionError(f"{model.name} is a reranker: it gives scores, not vectors")
    return model


def _lasting_name(model: Model) -> str:
    """Give a name that finds the model in another kernel and folder, too."""
    spec = str(model.load_request.spec).strip()
    if model.is_toy:
        return model.header.path if Path(spec).expanduser().is_file() else spec
    if spec in manager().aliases or Path(spec).expanduser().is_file():
        return str(Path(model.path).resolve())
    return spec


def _checked_prefixes(query: Any, document: Any) -> dict[str, str]:
    for name, prefix in (("query_prefix", query), ("document_prefix", document)):
        if not isinstance(prefix, str):
            raise OptionError(f"{name}={prefix!r} is not possible: it must be a str")
    return {"query": query, "document": document}


def _checked_batch_size(size: Any) -> int:
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise OptionError(f"batch_size={size!r} is not possible: it must be at least 1")
    return size


def _checked_texts(texts: Any) -> list[str]:
    if isinstance(texts, str | bytes) or not hasattr(texts, "__iter__"):
        raise OptionError(f"embed takes several texts, not {type(texts).__name__}: embed([text])")
    return list(texts)


register_embedding_provider(REGISTERED_AS)(EmbeddingLlama)
