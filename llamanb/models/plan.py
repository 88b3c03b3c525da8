"""What ``load`` was asked for, checked, and which file answers it."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from llamanb.errors import OptionError
from llamanb.settings import ContextSettings, WeightSettings, plain_number

if TYPE_CHECKING:
    import os

    from llamanb.models.preflight import FileIdentity, GgufHeader, ModelKind
    from llamanb.models.progress import Progress
    from llamanb.models.sources import ModelSource

__all__ = ["LoadPlan", "LoadRequest", "check_kind", "read_bytes", "read_count", "read_seconds"]

NOT_YET = ("mmproj", "lora", "devices")
MAX_NAME_LENGTH = 200
TIME_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
SIZE_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRequest:
    """The options of one ``load`` call.

    ``n_seq_is_given`` is False when the number of sequences may be lowered to
    save memory. ``ttl_s`` and ``timeout_s`` count seconds, the latter from ``started``.
    """

    spec: str | os.PathLike[str]
    name: str | None
    weights: WeightSettings
    context: ContextSettings
    n_seq_is_given: bool
    embedding: bool | None
    chat_template: str | None
    ttl_s: float | None
    pin: bool | None
    revision: str | None
    token: str | None
    progress: Progress
    timeout_s: float | None
    started: float
    reload: bool
    trust: str

    @property
    def seconds_left(self) -> float | None:
        """What is left of the time that loading may take; None if it may take any."""
        if self.timeout_s is None:
            return None
        return max(0.0, self.started + self.timeout_s - time.monotonic())

    @classmethod
    def read(cls, spec: str | os.PathLike[str], options: dict[str, Any]) -> LoadRequest:
        """Check the keyword options of ``load``.

        Raises
        ------
        OptionError
            Naming the option and what it may be.
        """
        for option in NOT_YET:
            if options.pop(option, None) is not None:
                raise OptionError(f"{option}= is not available yet; load without it")
        options |= {name: plain_number(value) for name, value in options.items()}
        _check_kinds(options)
        n_seq_is_given = options["n_seq_max"] is not None
        if not n_seq_is_given:
            del options["n_seq_max"]
        embedding = options.pop("embedding")
        return cls(
            spec=spec,
            weights=_settings(WeightSettings, options),
            context=_settings(ContextSettings, options),
            n_seq_is_given=n_seq_is_given,
            embedding=embedding,
            ttl_s=read_seconds("ttl", options.pop("ttl")),
            timeout_s=read_seconds("timeout", options.pop("timeout")),
            started=time.monotonic(),
            **options,
        )


def _settings(kind: Any, options: dict[str, Any]) -> Any:
    """Make settings of the options that belong to them, and take those out."""
    names = [field.name for field in fields(kind) if field.name in options]
    return kind(**{name: options.pop(name) for name in names})


def _check_kinds(options: dict[str, Any]) -> None:
    for option in ("use_mmap", "use_mlock", "kv_unified", "reload"):
        if not isinstance(options[option], bool):
            raise OptionError(f"{option}={options[option]!r} is not possible: it must be a bool")
    progress = options["progress"]
    if not isinstance(progress, bool) and not callable(progress):
        raise OptionError(f"progress={progress!r} must be True, False or a function")
    for option in ("embedding", "pin"):
        if not isinstance(options[option], bool | None):
            raise OptionError(f"{option}={options[option]!r} must be True, False or None")
    for option in ("name", "chat_template", "revision", "token"):
        if not isinstance(options[option], str | None):
            raise OptionError(f"{option}={options[option]!r} is not possible: it must be a str")
    _check_name(options["name"])
    if options["trust"] not in ("check", "trusted"):
        raise OptionError(f"trust={options['trust']!r} must be 'check' or 'trusted'")


def _check_name(name: str | None) -> None:
    if name is None:
        return
    if not name.strip() or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise OptionError(f"name={name[:80]!r} is not possible: it must be a short printable text")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """One model to be: a checked file and how to open it.

    Plans with the same ``key`` are the same model; those with the same
    ``weights_key`` share their weights.
    """

    source: ModelSource
    header: GgufHeader
    identity: FileIdentity
    request: LoadRequest

    @property
    def weights_key(self) -> tuple[FileIdentity, WeightSettings]:
        """What makes weights the same."""
        return self.identity, self.request.weights

    @property
    def key(self) -> tuple[object, ...]:
        """What makes models the same."""
        request = self.request
        return (
            *self.weights_key,
            request.context,
            request.n_seq_is_given,
            request.embedding,
            request.chat_template,
        )

    @property
    def kind(self) -> ModelKind:
        """What the model is loaded for: what its file says, unless the options say else."""
        asked, pooling = self.request.embedding, self.request.context.pooling
        if asked is False:
            return "text"
        if pooling == "rank" or (pooling is None and self.header.kind == "rerank"):
            return "rerank"
        return "embedding" if asked or self.header.is_embedding_model else "text"

    @property
    def pooling(self) -> str:
        """How a text becomes one row of numbers; "" if nothing says so."""
        return self.request.context.pooling or self.header.pooling


CANNOT = {
    ("embedding", "text"): "is an embedding model: it cannot write text. Use embed(), or load a chat model.",
    ("rerank", "text"): "is a reranker: it cannot write text. Use rerank(), or load a chat model.",
    ("rerank", "embedding"): "is a reranker: it gives scores, not vectors. Use rerank(), or load an embedding model.",
    ("embedding", "rerank"): "is an embedding model, not a reranker. Use embed(), or load a reranker.",
    ("text", "rerank"): "is a chat model, not a reranker: its scores would mean nothing. Load a reranker.",
}  # fmt: skip


def check_kind(name: str, plan: LoadPlan, kind: ModelKind) -> None:
    """Refuse to use a model for what it cannot do.

    Raises
    ------
    OptionError
        Naming what it can do instead.
    """
    reason = CANNOT.get((plan.kind, kind))
    if reason is not None:
        raise OptionError(f"{name!r} {reason}")
    if kind == "rerank" and not plan.header.has_classifier:
        raise OptionError(f"{name!r} is no reranker: pooling='rank' needs a classifier head")


def read_seconds(name: str, value: float | str | None) -> float | None:
    """Read a time such as ``300``, ``"90s"``, ``"5m"`` or ``"1h"`` in seconds.

    Raises
    ------
    OptionError
        If it is none, or not positive.
    """
    if value is None:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd]?)\s*", _written_out(value))
    if isinstance(value, bool) or match is None or float(match[1]) <= 0:
        raise OptionError(f"{name}={value!r} is not possible: give seconds, or such as '5m', '1h'")
    return float(match[1]) * TIME_UNITS[match[2] or "s"]


def _written_out(value: object) -> str:
    """Write a number without an exponent; anything else as ``str`` does."""
    return f"{value:.9f}" if isinstance(value, float) else str(value)


def read_count(name: str, count: int | None) -> int | None:
    """Read a number of models, at least 1, or None.

    Raises
    ------
    OptionError
        If it is none.
    """
    count = plain_number(count)
    if count is not None and (type(count) is not int or count < 1):
        raise OptionError(f"{name}={count!r} is not possible: it must be at least 1, or None")
    return count


def read_bytes(name: str, value: float | str, whole: int) -> int:
    """Read a size such as ``8_000_000_000``, ``"8GiB"`` or ``"80%"`` of ``whole`` bytes.

    Raises
    ------
    OptionError
        If it is none of these.
    """
    text = _written_out(value).strip()
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:(%)|([KMGT]?)(?:i?B)?)", text, re.IGNORECASE)
    if isinstance(value, bool) or match is None or float(match[1]) <= 0:
        raise OptionError(f"{name}={value!r} is not possible: give bytes, or such as '8GiB', '80%'")
    if match[2]:
        if float(match[1]) > 100:
            raise OptionError(f"{name}={value!r} is not possible: a share is at most 100%")
        return int(whole * float(match[1]) / 100)
    return int(float(match[1]) * SIZE_UNITS[match[3].upper()])
