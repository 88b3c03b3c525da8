"""Scores for pairs of query and document, by models with a classifier head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamanb.engine.pooled import PooledEngine, open_pooled
from llamanb.errors import OptionError

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from llamanb.engine.context import NativeContext
    from llamanb.engine.weights import LoadedModel
    from llamanb.settings import ContextSettings

__all__ = ["RerankEngine", "open_rerank_engine"]


def open_rerank_engine(loaded: LoadedModel, settings: ContextSettings) -> RerankEngine:
    """Make a rerank context over loaded weights.

    Raises
    ------
    OptionError
        If neither the GGUF nor ``settings.pooling`` says that it is a reranker: llama.cpp
        would open such a context on any model, and read scores that mean nothing.
    ModelLoadError, EngineDead, ModelClosedError, ForkedProcessError
    """
    if (settings.pooling or loaded.info.pooling) != "rank":
        raise OptionError(f"{loaded.info.name!r} is no reranker: its file says nothing of ranks")
    return open_pooled(RerankEngine, loaded, settings, "rank")


class RerankEngine(PooledEngine):
    """Scores of pairs. Stages: ready → closed, or dead."""

    def __init__(self, loaded: LoadedModel, context: NativeContext) -> None:
        super().__init__(
            loaded, context, int(loaded.native.api.llama_model_n_cls_out(loaded.pointer))
        )

    def score(
        self, token_lists: Sequence[Sequence[int]], *, stop: threading.Event | None = None
    ) -> NDArray[np.float32]:
        """Give one score per pair, shape (n,): the higher, the better the document answers.

        A head with several outputs, such as "yes" and "no", has the score first.

        Raises
        ------
        OptionError, ContextLengthError
            A list is empty, too long or holds unknown ids; nothing was computed.
        EngineError
            ``stop`` was set meanwhile, or the model computed no numbers.
        EngineDead, ModelClosedError
        """
        return self._read(token_lists, stop)[:, 0]
