"""Vectors for texts: a context of its own, run between the steps of generation."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from llamanb.engine.compute import compute_thread
from llamanb.engine.context import NativeContext
from llamanb.engine.native import float_view
from llamanb.engine.values import EngineStatus
from llamanb.errors import (
    ContextLengthError,
    EngineDead,
    EngineError,
    ModelClosedError,
    OptionError,
)
from llamanb.settings import ContextSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from llamanb.engine.weights import LoadedModel
    from llamanb.engine.worker import Call

__all__ = ["EmbeddingEngine", "open_embedding_engine"]

_MAX_TOKENS = 8192


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
    fitted = _fit(loaded, settings)

    def make() -> EmbeddingEngine:
        # Made and registered in one command: the weights cannot be freed between.
        engine = EmbeddingEngine(loaded, NativeContext(loaded, fitted))
        loaded.add_context(engine)
        return engine

    return compute_thread().call(make)


def _fit(loaded: LoadedModel, settings: ContextSettings) -> ContextSettings:
    trained = loaded.info.n_ctx_train or _MAX_TOKENS
    n_ctx = min(settings.n_ctx or _MAX_TOKENS, trained, _MAX_TOKENS)
    said = loaded.info.pooling
    pooling = settings.pooling or (said if said not in ("", "none") else "mean")
    if pooling in ("rank", "none"):
        raise OptionError(
            f"pooling={pooling!r} gives no vector of a text; use 'mean', 'cls' or 'last'"
        )
    return ContextSettings(
        n_ctx=n_ctx,
        n_seq_max=1,
        n_threads=settings.n_threads,
        n_threads_batch=settings.n_threads_batch,
        # A text must fit into one ubatch: attention is not causal.
        n_batch=n_ctx,
        n_ubatch=n_ctx,
        # Partitioned memory pools the mean wrongly (cosine 0.947 measured).
        kv_unified=True,
        flash_attn=settings.flash_attn,
        embedding=True,
        pooling=pooling,  # type: ignore[arg-type]  # one of the literals, read from a table
    )


class EmbeddingEngine:
    """Stages: ready → closed, or dead. Every text is one command on the compute thread."""

    def __init__(self, loaded: LoadedModel, context: NativeContext) -> None:
        self._loaded, self._context = loaded, context
        self._lock = threading.Lock()
        self._over: Literal["", "dead", "closed"] = ""
        self._freeing: Call[None] | None = None
        self._n_working = 0
        self.n_ctx = context.n_ctx
        self.n_embd = int(loaded.native.api.llama_model_n_embd_out(loaded.pointer))

    @property
    def busy(self) -> bool:
        """Whether a text is being embedded."""
        return self._n_working > 0

    def embed(
        self, token_lists: Sequence[Sequence[int]], *, normalize: bool = True
    ) -> NDArray[np.float32]:
        """Give one vector per token list, shape (n, n_embd), dtype float32.

        Raises
        ------
        OptionError, ContextLengthError
            A list is empty, too long or holds unknown ids; nothing was computed.
        EngineError, EngineDead, ModelClosedError
        """
        for tokens in token_lists:
            self._check(tokens)
        rows = np.empty((len(token_lists), self.n_embd), np.float32)
        self._count(1)
        try:
            for position, tokens in enumerate(token_lists):
                rows[position] = self._call(tokens)
        finally:
            self._count(-1)
        return _normalized(rows) if normalize else rows

    def status(self) -> EngineStatus:
        """Give a snapshot."""
        state: Literal["busy", "ready"] = "busy" if self.busy else "ready"
        return EngineStatus(
            state=self._over or state,
            n_ctx=self.n_ctx,
            n_seq_max=1,
            running=self._n_working,
            waiting=0,
            used=(0,),
            tokens_per_s=0.0,
        )

    def close(self, timeout_s: float = 5.0) -> None:
        """Free the context; harmless when repeated."""
        with self._lock:
            if self._over == "dead":
                return
            if self._freeing is None:
                self._over = "closed"
                self._freeing = compute_thread().submit(self._free)
        compute_thread().finish(self._freeing, timeout_s)

    def _free(self) -> None:
        self._context.free()
        self._loaded.remove_context(self)

    def _count(self, change: int) -> None:
        with self._lock:
            self._n_working += change

    def _call(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        try:
            return compute_thread().call(lambda: self._embed_one(tokens))
        except EngineDead:
            self._over = "dead"
            raise

    def _refuse_if_over(self) -> None:
        if self._over == "dead":
            raise EngineDead(f"native code aborted; load {self._loaded.path} again to go on")
        if self._over:
            raise ModelClosedError(f"{self._loaded.path} was unloaded; load it again")

    def _check(self, tokens: Sequence[int]) -> None:
        self._refuse_if_over()
        self._loaded.vocabulary.check(tokens)
        if not tokens:
            raise OptionError("an empty text has no vector; leave it out")
        if len(tokens) > self.n_ctx:
            raise ContextLengthError(
                f"a text has {len(tokens)} tokens, but this model reads at most {self.n_ctx}; "
                "split it or let it be truncated",
                n_prompt=len(tokens),
                n_ctx=self.n_ctx,
            )

    def _embed_one(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        self._refuse_if_over()
        context = self._context
        context.forget(0)
        context.batch.clear()
        context.batch.add(list(tokens), 0, 0, "all")
        only_encodes = self._loaded.info.has_encoder and not self._loaded.info.has_decoder
        code = context.encode() if only_encodes else context.decode()
        if code != 0:
            raise EngineError(f"llama.cpp could not embed a text: code {code}")
        return self._pooled()

    def _pooled(self) -> NDArray[np.float32]:
        api: Any = self._loaded.native.api
        pointer = api.llama_get_embeddings_seq(self._context.pointer, 0)
        if not pointer:
            raise EngineError("llama.cpp gave no vector; this model cannot embed texts")
        vector = float_view(pointer, self.n_embd).copy()
        if not np.isfinite(vector).all():
            raise EngineError("the model computed a vector that is not finite numbers")
        return vector


def _normalized(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths == 0, 1, lengths), np.float32)
