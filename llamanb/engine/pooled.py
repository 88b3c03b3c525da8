"""One row of numbers for each text: what embedding and rerank contexts share."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

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
    NumericalError,
    OptionError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from llamanb.engine.weights import LoadedModel
    from llamanb.engine.worker import Call
    from llamanb.settings import ContextSettings, Pooling

    Rows = NDArray[np.float32]

__all__ = ["PooledEngine", "open_pooled"]

MAX_TOKENS = 8192
TEXTS_AT_ONCE = 32
TOKENS_AT_ONCE = 256  # measured: short texts take half the time together, long ones do not
N_UBATCH = 512
POOLED_AT_THE_END = ("last", "rank")  # rank: where attention is causal
P = TypeVar("P", bound="PooledEngine")


def open_pooled(
    kind: Callable[[LoadedModel, NativeContext], P],
    loaded: LoadedModel,
    settings: ContextSettings,
    pooling: Pooling,
) -> P:
    """Make a context of this kind over loaded weights."""
    fitted = _fit(loaded, settings, pooling)

    def make() -> P:
        # Made and registered in one command: the weights cannot be freed between.
        engine = kind(loaded, _context(loaded, fitted))
        loaded.add_context(engine)
        return engine

    return compute_thread().call(make)


def _context(loaded: LoadedModel, settings: ContextSettings) -> NativeContext:
    """Make the context in small micro-batches if the model can be read in them.

    llama.cpp reserves the logits of a whole one: 4.6 GiB for 8,192 tokens of Qwen3.
    """
    whole = replace(settings, n_ubatch=settings.n_batch)
    if settings.pooling not in POOLED_AT_THE_END:
        return NativeContext(loaded, whole)
    context = NativeContext(loaded, replace(settings, n_ubatch=min(N_UBATCH, settings.n_batch)))
    if context.can_split:
        return context
    context.free()
    return NativeContext(loaded, whole)


def _fit(loaded: LoadedModel, settings: ContextSettings, pooling: Pooling) -> ContextSettings:
    trained = loaded.info.n_ctx_train or MAX_TOKENS
    n_ctx = min(settings.n_ctx or MAX_TOKENS, trained, MAX_TOKENS)
    return replace(
        settings,
        n_ctx=n_ctx,
        n_seq_max=TEXTS_AT_ONCE,
        n_batch=n_ctx,
        n_ubatch=min(settings.n_ubatch, n_ctx),
        # Partitioned memory pools the mean wrongly (cosine 0.947 measured).
        kv_unified=True,
        type_k="f16",
        type_v="f16",
        embedding=True,
        pooling=pooling,
    )


class PooledEngine:
    """Stages: ready → closed, or dead. Every batch is one command on the compute thread.

    Attributes
    ----------
    n_ctx : tokens that one text may have.
    width : numbers that each text gives.
    """

    def __init__(self, loaded: LoadedModel, context: NativeContext, width: int) -> None:
        self._loaded, self._context = loaded, context
        self._lock = threading.Lock()
        self._over: Literal["", "dead", "closed"] = ""
        self._freeing: Call[None] | None = None
        self._n_working = self._n_decodes = self._n_parts = 0
        self.n_ctx = context.n_ctx
        self.width = width

    @property
    def busy(self) -> bool:
        """Whether texts are being read."""
        return self._n_working > 0

    def status(self) -> EngineStatus:
        """Give a snapshot."""
        state: Literal["busy", "ready"] = "busy" if self.busy else "ready"
        return EngineStatus(
            state=self._over or state,
            n_ctx=self.n_ctx,
            n_seq_max=1,  # texts of several requests are read one request after the other
            running=min(1, self._n_working),
            waiting=max(0, self._n_working - 1),
            used=(0,),
            tokens_per_s=0.0,
            answering=(self.busy,),
            n_decodes=self._n_decodes,
            n_parts=self._n_parts,
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

    def _read(
        self, token_lists: Sequence[Sequence[int]], stop: threading.Event | None = None
    ) -> Rows:
        """Give one row per token list, shape (n, width), dtype float32.

        Raises
        ------
        OptionError, ContextLengthError
            A list is empty, too long or holds unknown ids; nothing was computed.
        EngineError
            ``stop`` was set between two batches.
        EngineDead, ModelClosedError
        """
        for tokens in token_lists:
            self._check(tokens)
        rows = np.empty((len(token_lists), self.width), np.float32)
        self._count(1)
        try:
            for batch in _batches(token_lists, self.n_ctx):
                if stop is not None and stop.is_set():
                    raise EngineError("reading was stopped before its end")
                rows[batch] = self._call([token_lists[position] for position in batch])
        finally:
            self._count(-1)
        return rows

    def _free(self) -> None:
        self._context.free()
        self._loaded.remove_context(self)

    def _count(self, change: int) -> None:
        with self._lock:
            self._n_working += change

    def _call(self, texts: Sequence[Sequence[int]]) -> Rows:
        try:
            return compute_thread().call(lambda: self._read_batch(texts))
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

    def _read_batch(self, texts: Sequence[Sequence[int]]) -> Rows:
        self._refuse_if_over()
        context = self._context
        context.batch.clear()
        for sequence, tokens in enumerate(texts):
            context.forget(sequence)
            context.batch.add(list(tokens), 0, sequence, "all")
        only_encodes = self._loaded.info.has_encoder and not self._loaded.info.has_decoder
        code = context.encode() if only_encodes else context.decode()
        self._n_decodes += 1
        self._n_parts += len(texts)
        for sequence in range(len(texts)):  # a later batch must not find them
            context.forget(sequence)
        if code != 0:
            raise EngineError(f"llama.cpp could not read a text: code {code}")
        return np.stack([self._row(sequence) for sequence in range(len(texts))])

    def _row(self, sequence: int) -> Rows:
        api: Any = self._loaded.native.api
        pointer = api.llama_get_embeddings_seq(self._context.pointer, sequence)
        if not pointer:
            raise EngineError("llama.cpp gave no vector; this model cannot embed texts")
        row = float_view(pointer, self.width).copy()
        if not np.isfinite(row).all():
            raise NumericalError("the model computed a vector that is not finite numbers")
        return row


def _batches(token_lists: Sequence[Sequence[int]], n_ctx: int) -> Iterator[list[int]]:
    """Give the positions of texts that are read together, the short ones first."""
    room = min(TOKENS_AT_ONCE, n_ctx)
    batch: list[int] = []
    n_tokens = 0
    for position in sorted(range(len(token_lists)), key=lambda i: len(token_lists[i])):
        added = len(token_lists[position])
        if batch and (n_tokens + added > room or len(batch) == TEXTS_AT_ONCE):
            yield batch
            batch, n_tokens = [], 0
        batch.append(position)
        n_tokens += added
    if batch:
        yield batch
