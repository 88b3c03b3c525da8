"""Checks that every option goes through, and what an unknown one is told."""

from __future__ import annotations

import math
from difflib import get_close_matches
from numbers import Integral, Real
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from llamanb.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "AS_MANY_AS_FIT",
    "MAX_N_CTX",
    "check_choice",
    "check_float",
    "check_int",
    "fail",
    "plain_number",
    "refuse_unknown",
]

MAX_N_CTX = 1 << 24
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


def fail(name: str, value: object, expected: str) -> OptionError:
    """Say that an option cannot have this value, and what it may have."""
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


def check_int(name: str, value: object, low: int, high: int, otherwise: str = "") -> None:
    """Refuse what is no whole number in the range."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise fail(name, value, f"a whole number from {low:,} to {high:,}{otherwise}")


def check_float(name: str, value: object, low: float, high: float) -> None:
    """Refuse what is no finite number in the range."""
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not math.isfinite(float(value)) or not low <= float(value) <= high:  # type: ignore[arg-type]  # checked by `good`
        raise fail(name, value, f"a number from {low:g} to {high:g}")


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse what is none of the choices."""
    if value not in choices:
        raise fail(name, value, "one of " + ", ".join(map(repr, choices)))
