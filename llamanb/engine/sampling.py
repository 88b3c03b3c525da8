"""How the next token is chosen from a row of logits.

Temperature 0 is numpy's argmax (6 µs). Otherwise a native sampler chain with
top_k first: every later filter then sees a few dozen candidates instead of a
whole vocabulary. Grammars are never in the chain (:mod:`llamanb.engine.constraint`).
"""

from __future__ import annotations

import ctypes
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from llamanb.errors import EngineError, NumericalError
from llamanb.settings import MAX_SEED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from llamanb.engine.context import NativeContext
    from llamanb.engine.native import NativeLibrary
    from llamanb.settings import SamplingSettings

__all__ = ["Sampler"]

_MIN_KEEP = 1
_COLDEST = 1e-6  # dividing by less overflows; it is greedy anyway
LARGEST_FLOAT = 1e30


class Sampler:
    """Chooses tokens for one request. Stages: made → ``sample`` → ``free``."""

    def __init__(
        self,
        native: NativeLibrary,
        settings: SamplingSettings,
        seed: int,
        n_vocab: int,
        history: list[int],
        *,
        n_ctx: int,
    ) -> None:
        # The native ring of past tokens is allocated whole.
        settings = replace(settings, repeat_last_n=min(settings.repeat_last_n, n_ctx))
        self._native = native
        self._bias = dict(settings.logit_bias)
        self._chain: Any = None
        if settings.temperature >= _COLDEST or settings.penalises:
            self._chain = _make_chain(native, settings, seed, n_vocab)
            self._accept_history(settings, history)

    def sample(self, context: NativeContext, row: int, logits: NDArray[np.float32]) -> int:
        """Choose a token from one row.

        Raises
        ------
        NumericalError
            If the logits are not numbers or everything is forbidden.
        """
        if self._chain is not None:
            # The chain asserts that something is possible: one NaN, or no token left,
            # and it would end the engine.
            _check_some_possible(logits.max())
            token = context.sample(self._chain, row)
        else:
            token = int(logits.argmax())
        _check_some_possible(logits[token] if token >= 0 else np.nan)
        return token

    def apply_bias(self, logits: NDArray[np.float32]) -> None:
        """Add the request's logit biases to the row."""
        for token, bias in self._bias.items():
            logits[token] += max(bias, -LARGEST_FLOAT) if bias > -np.inf else bias

    def free(self) -> None:
        """Give the native chain back; harmless when repeated."""
        chain, self._chain = self._chain, None
        if chain is not None:
            self._native.api.llama_sampler_free(chain)

    def _accept_history(self, settings: SamplingSettings, history: list[int]) -> None:
        if settings.penalises and settings.repeat_last_n:
            accept = self._native.held("llama_sampler_accept")
            for token in history[-settings.repeat_last_n :]:
                accept(self._chain, token)


def _check_some_possible(best: np.floating[Any] | float) -> None:
    if best == -np.inf:
        raise EngineError("every token is forbidden by the logit biases or the grammar")
    if not np.isfinite(best):
        raise NumericalError(
            "the model computed logits that are not finite numbers; "
            "its file is damaged or its type is not supported here"
        )


def _make_chain(native: NativeLibrary, settings: SamplingSettings, seed: int, n_vocab: int) -> Any:
    api = native.api
    parameters = api.llama_sampler_chain_default_params()
    parameters.no_perf = True
    chain = api.llama_sampler_chain_init(parameters)
    if not chain:
        raise EngineError("llama.cpp could not make a sampler chain")
    for link in _links(api, settings, seed, n_vocab):
        if not link:
            api.llama_sampler_free(chain)
            raise EngineError("llama.cpp could not make a sampler")
        api.llama_sampler_chain_add(chain, link)
    return chain


def _links(api: Any, settings: SamplingSettings, seed: int, n_vocab: int) -> list[Any]:
    links = []
    if settings.top_k:
        links.append(api.llama_sampler_init_top_k(settings.top_k))
    if settings.penalises:
        links.append(_penalties(api, settings, n_vocab))
    if settings.temperature < _COLDEST:
        return [*links, api.llama_sampler_init_greedy()]
    if settings.typical_p < 1:
        links.append(api.llama_sampler_init_typical(settings.typical_p, _MIN_KEEP))
    if settings.top_p < 1:
        links.append(api.llama_sampler_init_top_p(settings.top_p, _MIN_KEEP))
    if settings.min_p > 0:
        links.append(api.llama_sampler_init_min_p(settings.min_p, _MIN_KEEP))
    links.append(api.llama_sampler_init_temp(settings.temperature))
    # The largest seed means "draw one" to llama.cpp.
    return [*links, api.llama_sampler_init_dist(min(seed, MAX_SEED - 1))]


def _penalties(api: Any, settings: SamplingSettings, n_vocab: int) -> Any:
    init = api.llama_sampler_init_penalties
    values = (
        settings.repeat_last_n,
        ctypes.c_float(settings.repeat_penalty),
        ctypes.c_float(settings.frequency_penalty),
        ctypes.c_float(settings.presence_penalty),
    )
    # llama.cpp added the vocabulary's size in front of the arguments in 2026.
    return init(n_vocab, *values) if len(init.argtypes) == 5 else init(*values)
