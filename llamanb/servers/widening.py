"""A longer context for a server: the same weights, another window."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from llamanb.errors import InsufficientMemoryError
from llamanb.models.kernel import manager

if TYPE_CHECKING:
    from llamanb.models import Model

__all__ = ["widened"]

SEQUENCES = 4


def widened(model: Model, n_ctx: int | None) -> tuple[Model, bool]:
    """Give a model with room for ``n_ctx`` tokens, and whether it was made for this.

    It is the model itself if that has the room; else a second context over the same
    weights, whose sequences share one cache, so that one giant prompt and small side
    requests fit together. Less is taken, with a warning that names the figure, where
    the model was trained on less or memory is short.

    Raises
    ------
    InsufficientMemoryError
        If not even as much as the model's own context fits.
    """
    if n_ctx is None or not model.can_write or model.n_ctx >= n_ctx:
        return model, False
    trained = model.header.n_ctx_train
    if trained < n_ctx:
        _warn(f"{model.name!r} was trained on {trained:,} tokens; n_ctx={n_ctx:,} is lowered to it")
        n_ctx = trained
        if model.n_ctx >= n_ctx:
            return model, False
    try:
        return _opened(model, n_ctx), True
    except InsufficientMemoryError as error:
        largest = error.largest_n_ctx
        if largest <= model.n_ctx:
            _warn(f"n_ctx={n_ctx:,} does not fit into memory; {model.n_ctx:,} is served")
            return model, False
        _warn(f"n_ctx={n_ctx:,} does not fit into memory; {largest:,} is served")
        return _opened(model, largest), True


def _opened(model: Model, n_ctx: int) -> Model:
    known = manager()
    writes = any(one.can_write for one in known.values())
    before = known.default if writes else None
    try:
        return known.load(
            model.path, name=f"{model.name}-{n_ctx}", trust="trusted", **_options(model, n_ctx)
        )
    finally:
        if before is not None:
            known.default = before


def _options(model: Model, n_ctx: int) -> dict[str, Any]:
    request = model.load_request
    context = asdict(request.context) | {"n_ctx": n_ctx, "kv_unified": True}
    context.pop("embedding")
    context["n_seq_max"] = max(SEQUENCES, request.context.n_seq_max)
    return {**asdict(request.weights), **context, "chat_template": request.chat_template}


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=5)
