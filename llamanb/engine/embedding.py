"""Vectors for texts: a context of its own, run between the steps of generation."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from llamanb.engine.pooled import PooledEngine, open_pooled
from llamanb.errors import OptionError

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from llamanb.engine.context import NativeContext
    from llamanb.engine.weights import LoadedModel
    from llamanb.settings import ContextSettings, Pooling

__all__ = ["EmbeddingEngine", "open_embedding_engine"]


def open_embedding_engine(loaded: LoadedModel, settings: ContextSettings) -> EmbeddingEngine:
    """Make an embedding context over loaded weights.

    Texts are pooled as the GGUF says, or as ``settings.pooling`` says; a model
    that says nothing gets the mean. ``n_ctx`` limits one text (default: what the
    model was trained on, at most 8,192 tokens).

    Raises
    ------
    OptionError
        If the pooling is that of a reranker, which gives scores, not vectors.
    ModelLoadError, EngineDead, ModelClosedError, ForkedProcessError
    """
    said = loaded.info.pooling
    pooling = settings.pooling or (said if said not in ("", "none") else "mean")
    if pooling in ("rank", "none"):
        raise OptionError(
            f"pooling={pooling!r} gives no vector of a text; use 'mean', 'cls' or 'last'"
        )
    return open_pooled(EmbeddingEngine, loaded, settings, cast("Pooling", pooling))


class EmbeddingEngine(PooledEngine):
    """Vectors of texts. Stages: ready → closed, or dead."""

    def __init__(self, loaded: LoadedModel, context: NativeContext) -> None:
        width = int(loaded.native.api.llama_model_n_embd_out(loaded.pointer))
        super().__init__(loaded, context, width)

    @property
    def n_embd(self) -> int:
        """Numbers of one vector."""
        return self.width

    def embed(
        self,
        token_lists: Sequence[Sequence[int]],
        *,
        normalize: bool = True,
        stop: threading.Event | None = None,
    ) -> NDArray[np.float32]:
        """Give one vector per token list, shape (n, n_embd), dtype float32.

        Raises
        ------
        OptionError, ContextLengthError
            A list is empty, too long or holds unknown ids; nothing was computed.
        EngineError
            ``stop`` was set meanwhile, or the model computed no numbers.
        EngineDead, ModelClosedError
        """
        rows = self._read(token_lists, stop)
        return _normalized(rows) if normalize else rows


def _normalized(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths == 0, 1, lengths), np.float32)
