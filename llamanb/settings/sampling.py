"""How the next token is chosen and when to stop."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from llamanb.errors import OptionError
from llamanb.settings.checks import (
    AS_MANY_AS_FIT,
    MAX_N_CTX,
    check_float,
    check_int,
    fail,
    plain_number,
    refuse_unknown,
)

__all__ = ["MAX_SEED", "SamplingSettings"]

MAX_SEED = (1 << 32) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """How the next token is chosen and when to stop.

    ``temperature=0`` is greedy. ``top_k=0``, ``top_p=1``, ``min_p=0`` switch that
    filter off. ``max_tokens=None`` means until the context is full. ``seed=None``
    draws one; the seed used is always reported. ``logprobs`` is the number of
    alternatives reported for each token (0: only the chosen one; None: nothing).
    """

    max_tokens: int | None = 256
    temperature: float = 0.8
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    typical_p: float = 1.0
    repeat_penalty: float = 1.0
    repeat_last_n: int = 64
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    logit_bias: tuple[tuple[int, float], ...] = ()
    ignore_eos: bool = False

    def __post_init__(self) -> None:
        if self.max_tokens is not None:
            check_int("max_tokens", self.max_tokens, 0, MAX_N_CTX, AS_MANY_AS_FIT)
        check_float("temperature", self.temperature, 0.0, 100.0)
        check_int("top_k", self.top_k, 0, 1 << 20)
        for name in ("top_p", "min_p", "typical_p"):
            check_float(name, getattr(self, name), 0.0, 1.0)
        check_float("repeat_penalty", self.repeat_penalty, 0.01, 100.0)
        check_int("repeat_last_n", self.repeat_last_n, 0, MAX_N_CTX)
        for name in ("presence_penalty", "frequency_penalty"):
            check_float(name, getattr(self, name), -100.0, 100.0)
        if self.seed is not None:
            check_int("seed", self.seed, 0, MAX_SEED, ", or None for a new one each time")
        if self.logprobs is not None:
            check_int("logprobs", self.logprobs, 0, 64)
        self._check_stop()
        self._check_logit_bias()

    def _check_stop(self) -> None:
        stops: Any = self.stop
        if isinstance(stops, str) or not all(isinstance(s, str) and s for s in stops):
            raise fail("stop", self.stop, "a sequence of non-empty strings")
        if len(self.stop) > 64 or any(len(s) > 4096 for s in self.stop):
            raise OptionError("stop: at most 64 strings of at most 4,096 characters are possible")

    def _check_logit_bias(self) -> None:
        pairs: Any = self.logit_bias
        for token, bias in pairs:
            check_int("logit_bias token", token, 0, 1 << 31)
            if not isinstance(bias, int | float) or math.isnan(bias):
                raise fail("logit_bias", bias, "a number")

    @property
    def penalises(self) -> bool:
        """Whether any repetition penalty is switched on."""
        return (
            self.repeat_penalty != 1.0
            or self.presence_penalty != 0.0
            or self.frequency_penalty != 0.0
        )

    @classmethod
    def from_options(cls, base: Self | None = None, /, **options: Any) -> Self:
        """Make settings from user options, on top of ``base``.

        ``stop`` may be one string or several; ``logit_bias`` a mapping. An
        unknown name raises ``OptionError`` that proposes the nearest known one.
        """
        refuse_unknown(options, [field.name for field in fields(cls)])
        chosen = {name: plain_number(value) for name, value in options.items()}
        if "stop" in chosen:
            chosen["stop"] = _read_stop(chosen["stop"])
        if "logit_bias" in chosen:
            chosen["logit_bias"] = _read_logit_bias(chosen["logit_bias"])
        return replace(base, **chosen) if base is not None else cls(**chosen)


def _read_stop(stop: Any) -> tuple[str, ...]:
    if stop is None or isinstance(stop, str):
        return () if stop is None else (stop,)
    if isinstance(stop, bytes) or not hasattr(stop, "__iter__"):
        raise fail("stop", stop, "a str or a sequence of them")
    return tuple(stop)


def _read_logit_bias(biases: Any) -> tuple[tuple[int, float], ...]:
    try:
        pairs = biases.items() if hasattr(biases, "items") else biases or ()
        return tuple((int(token), float(bias)) for token, bias in pairs)
    except (TypeError, ValueError):
        raise fail("logit_bias", biases, "a mapping from token ids to numbers") from None
