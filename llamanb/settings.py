"""Plain values that say how to load, sample and serve; the only reader of LLAMANB_*.

Every class here is frozen, checks itself when made (``OptionError``) and can be
pickled, so that it may travel to another process or a Dask worker.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from numbers import Integral, Real
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Self

from llamanb.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "KV_TYPES",
    "Constraint",
    "ContextSettings",
    "Environment",
    "SamplingSettings",
    "Trigger",
    "WeightSettings",
    "plain_number",
    "read_environment",
    "refuse_unknown",
]

KV_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")
KvType = Literal["f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1"]
FlashAttention = Literal["auto", "on", "off"]
Pooling = Literal["none", "mean", "cls", "last", "rank"]
MAX_N_CTX = 1 << 24
MAX_SEQUENCES = 256
MAX_SEED = (1 << 32) - 1
MOST_NAMED = 8
AS_MANY_AS_FIT = ", or None for as many as fit"
# what other programs call these options, too far off for a comparison of spellings
OTHER_NAMES = MappingProxyType(
    {
        "context_length": "n_ctx",
        "gpu_layers": "n_gpu_layers",
        "keep_alive": "ttl",
        "max_length": "max_tokens",
        "max_new_tokens": "max_tokens",
        "n_predict": "max_tokens",
        "num_ctx": "n_ctx",
        "num_predict": "max_tokens",
        "repetition_penalty": "repeat_penalty",
        "response_format": "json_schema",
        "temp": "temperature",
        "verbose": "progress",
    }
)


def _fail(name: str, value: object, expected: str) -> OptionError:
    return OptionError(f"{name}={value!r} is not possible: it must be {expected}")


def refuse_unknown(given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse the first option that nobody knows, and propose the nearest that is known.

    Parameters
    ----------
    known : the names there are, the most used first.

    Raises
    ------
    OptionError
    """
    names = list(known)
    for name in given:
        if name not in names:
            raise OptionError(f"unknown option {name!r}; {_proposal(name, names)}")


def _proposal(name: str, names: list[str]) -> str:
    meant = OTHER_NAMES.get(name, "")
    near = [meant] if meant in names else get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    more = ", …; help() lists all" if len(names) > MOST_NAMED else ""
    return f"known are: {', '.join(names[:MOST_NAMED])}{more}"


def plain_number(value: Any) -> Any:
    """Give a number of NumPy's as Python's; anything else as it is."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else value


def _check_int(name: str, value: object, low: int, high: int, otherwise: str = "") -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _fail(name, value, f"a whole number from {low:,} to {high:,}{otherwise}")


def _check_float(name: str, value: object, low: float, high: float) -> None:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not math.isfinite(float(value)) or not low <= float(value) <= high:  # type: ignore[arg-type]  # checked by `good`
        raise _fail(name, value, f"a number from {low:g} to {high:g}")


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise _fail(name, value, "one of " + ", ".join(map(repr, choices)))


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightSettings:
    """How the weights of a model are put into memory (shared by its contexts).

    Names are llama.cpp's. ``n_gpu_layers=-1`` means all of them.
    """

    n_gpu_layers: int = -1
    split_mode: Literal["none", "layer", "row"] = "layer"
    main_gpu: int = 0
    use_mmap: bool = True
    use_mlock: bool = False

    def __post_init__(self) -> None:
        _check_int("n_gpu_layers", self.n_gpu_layers, -1, 10_000)
        _check_choice("split_mode", self.split_mode, ("none", "layer", "row"))
        _check_int("main_gpu", self.main_gpu, 0, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextSettings:
    """How one context over the weights is made.

    ``n_ctx`` counts tokens *per sequence*; ``None`` leaves it to the model and
    the memory guard. ``n_threads=None`` leaves one core to the kernel.
    """

    n_ctx: int | None = None
    n_seq_max: int = 4
    n_threads: int | None = None
    n_threads_batch: int | None = None
    n_batch: int = 2048
    n_ubatch: int = 512
    kv_unified: bool = False
    flash_attn: FlashAttention = "auto"
    type_k: KvType = "f16"
    type_v: KvType = "f16"
    embedding: bool = False
    pooling: Pooling | None = None

    def __post_init__(self) -> None:
        if self.n_ctx is not None:
            _check_int("n_ctx", self.n_ctx, 8, MAX_N_CTX)
        _check_int("n_seq_max", self.n_seq_max, 1, MAX_SEQUENCES)
        for name in ("n_threads", "n_threads_batch"):
            if getattr(self, name) is not None:
                _check_int(name, getattr(self, name), 1, 1024)
        _check_int("n_batch", self.n_batch, 8, 65_536)
        _check_int("n_ubatch", self.n_ubatch, 8, self.n_batch)
        _check_choice("flash_attn", self.flash_attn, ("auto", "on", "off"))
        _check_choice("type_k", self.type_k, KV_TYPES)
        _check_choice("type_v", self.type_v, KV_TYPES)
        if self.pooling is not None:
            _check_choice("pooling", self.pooling, ("none", "mean", "cls", "last", "rank"))


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
            _check_int("max_tokens", self.max_tokens, 0, MAX_N_CTX, AS_MANY_AS_FIT)
        _check_float("temperature", self.temperature, 0.0, 100.0)
        _check_int("top_k", self.top_k, 0, 1 << 20)
        for name in ("top_p", "min_p", "typical_p"):
            _check_float(name, getattr(self, name), 0.0, 1.0)
        _check_float("repeat_penalty", self.repeat_penalty, 0.01, 100.0)
        _check_int("repeat_last_n", self.repeat_last_n, 0, MAX_N_CTX)
        for name in ("presence_penalty", "frequency_penalty"):
            _check_float(name, getattr(self, name), -100.0, 100.0)
        if self.seed is not None:
            _check_int("seed", self.seed, 0, MAX_SEED, ", or None for a new one each time")
        if self.logprobs is not None:
            _check_int("logprobs", self.logprobs, 0, 64)
        self._check_stop()
        self._check_logit_bias()

    def _check_stop(self) -> None:
        stops: Any = self.stop
        if isinstance(stops, str) or not all(isinstance(s, str) and s for s in stops):
            raise _fail("stop", self.stop, "a sequence of non-empty strings")
        if len(self.stop) > 64 or any(len(s) > 4096 for s in self.stop):
            raise OptionError("stop: at most 64 strings of at most 4,096 characters are possible")

    def _check_logit_bias(self) -> None:
        pairs: Any = self.logit_bias
        for token, bias in pairs:
            _check_int("logit_bias token", token, 0, 1 << 31)
            if not isinstance(bias, int | float) or math.isnan(bias):
                raise _fail("logit_bias", bias, "a number")

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
        raise _fail("stop", stop, "a str or a sequence of them")
    return tuple(stop)


def _read_logit_bias(biases: Any) -> tuple[tuple[int, float], ...]:
    try:
        pairs = biases.items() if hasattr(biases, "items") else biases or ()
        return tuple((int(token), float(bias)) for token, bias in pairs)
    except (TypeError, ValueError):
        raise _fail("logit_bias", biases, "a mapping from token ids to numbers") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """When a constraint starts: at a token or where a pattern matches, whichever is first.

    ``patterns`` are RE2 regular expressions (linear time, no look-around). One that
    starts with ``^`` must match where the answer starts, any other may match
    anywhere. The constraint begins at the pattern's first group, else at its match.
    Between ``thinking_start`` and one of ``thinking_ends`` nothing triggers;
    ``thinking_open`` says that the prompt has opened the thinking already.
    """

    patterns: tuple[str, ...] = ()
    tokens: frozenset[int] = frozenset()
    thinking_start: str = ""
    thinking_ends: tuple[str, ...] = ()
    thinking_open: bool = False

    def __post_init__(self) -> None:
        if not self.patterns and not self.tokens:
            raise OptionError("a trigger needs a pattern or a token to wait for")
        if self.thinking_open and not self.thinking_ends:
            raise OptionError("a trigger inside open thinking needs the tags that end it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """What the generated text must match, enforced by llguidance.

    ``kind`` says how to read ``source``: a Lark grammar (``start: …``), a JSON
    Schema as JSON text, a regular expression, or a GBNF grammar (``root ::= …``).
    With a ``trigger`` nothing is constrained before it. ``begun`` is the beginning of
    the text, which the prompt has written already.
    """

    kind: Literal["lark", "json_schema", "regex", "gbnf"]
    source: str
    trigger: Trigger | None = None
    begun: str = ""

    def __post_init__(self) -> None:
        _check_choice("kind", self.kind, ("lark", "json_schema", "regex", "gbnf"))
        source: Any = self.source
        if not isinstance(source, str) or not source.strip():
            raise OptionError("a constraint needs a non-empty grammar, schema or pattern")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What the ``LLAMANB_*`` environment variables say.

    Attributes
    ----------
    stream : False with ``LLAMANB_STREAM=0``: a cell shows one final display only.
    progress : False with ``LLAMANB_PROGRESS=0``: no progress bars.
    n_threads : ``LLAMANB_N_THREADS``, the default number of compute threads.
    model : ``LLAMANB_MODEL``, what is loaded when nothing is named (else the demo).
    cache_dir : ``LLAMANB_CACHE``, for checked-file notes and test material.
    model_dirs : ``LLAMANB_MODEL_DIRS``, further folders to search (os.pathsep between).
    """

    stream: bool = True
    progress: bool = True
    n_threads: int | None = None
    model: str | None = None
    cache_dir: str | None = None
    model_dirs: tuple[str, ...] = field(default=())


def read_environment() -> Environment:
    """Read every ``LLAMANB_*`` variable, now.

    Raises
    ------
    OptionError
        If a variable has a value that cannot be read.
    """
    raw_threads = os.environ.get("LLAMANB_N_THREADS", "")
    if raw_threads and not raw_threads.isdecimal():
        raise _fail("LLAMANB_N_THREADS", raw_threads, "a whole number")
    folders = os.environ.get("LLAMANB_MODEL_DIRS", "").split(os.pathsep)
    return Environment(
        stream=os.environ.get("LLAMANB_STREAM", "1") not in ("0", "false", "no"),
        progress=os.environ.get("LLAMANB_PROGRESS", "1") not in ("0", "false", "no"),
        n_threads=int(raw_threads) if raw_threads else None,
        model=os.environ.get("LLAMANB_MODEL") or None,
        cache_dir=os.environ.get("LLAMANB_CACHE") or None,
        model_dirs=tuple(folder for folder in folders if folder),
    )
