"""Operators and built-in methods, checked before they allocate.

An allow-list per type: what is not named here does not exist for a template.
"""

from __future__ import annotations

import sys
from string import Formatter
from typing import TYPE_CHECKING, Any

from jinja2 import Undefined
from jinja2.exceptions import SecurityError

from llamanb.chat_layer.budget import current_budget
from llamanb.errors import TemplateLimitError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "FORMAT_METHODS",
    "allowed_method",
    "bounded_format",
    "check_call",
    "check_operator",
    "fill_missing",
]

# fmt: off
_STR = frozenset([
    "capitalize", "casefold", "count", "endswith", "find", "format", "format_map", "index",
    "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "islower", "isnumeric", "isspace",
    "istitle", "isupper", "join", "lower", "lstrip", "partition", "removeprefix",
    "removesuffix", "replace", "rfind", "rindex", "rpartition", "rsplit", "rstrip", "split",
    "splitlines", "startswith", "strip", "swapcase", "title", "upper",
])
# fmt: on
_METHODS: dict[type, frozenset[str]] = {
    str: _STR,
    list: frozenset(["append", "copy", "count", "index", "pop"]),
    tuple: frozenset(["count", "index"]),
    dict: frozenset(["copy", "get", "items", "keys", "values"]),
    int: frozenset(),
    float: frozenset(["is_integer"]),
    bool: frozenset(),
    bytes: frozenset(),
    range: frozenset(["count", "index", "start", "step", "stop"]),
}
FORMAT_METHODS = frozenset(["format", "format_map"])
_JINJA_ARGUMENTS = ("_loop_vars", "_block_vars")
MAX_INT_BITS = 4096
PART_BYTES = 60


def allowed_method(owner: object, name: str) -> bool | None:
    """Say whether a template may use ``owner.name``; None: not a built-in type."""
    names = _METHODS.get(type(owner))
    return None if names is None else name in names


def check_operator(operator: str, left: Any, right: Any) -> None:
    """Refuse an operation whose result would be too large."""
    current_budget().step()
    if operator == "*":
        _check_product(left, right)
        _check_product(right, left)
    elif operator == "**":
        _check_power(left, right)
    elif operator == "+" and isinstance(left, str | list | tuple):
        _check_sum(left, right)
    elif operator == "%" and isinstance(left, str):
        raise SecurityError("the operator % does not format text in chat templates")


def _check_product(sequence: Any, times: Any) -> None:
    if not isinstance(times, int):
        return
    if isinstance(sequence, str | list | tuple):
        current_budget().charge_text(sys.getsizeof(sequence) * max(0, times))
    elif isinstance(sequence, int) and sequence.bit_length() + times.bit_length() > MAX_INT_BITS:
        raise TemplateLimitError("the chat template computes with too large a number")


def _check_power(base: Any, exponent: Any) -> None:
    if not isinstance(base, int) or not isinstance(exponent, int):
        return
    if base.bit_length() * abs(exponent) > MAX_INT_BITS:
        raise TemplateLimitError("the chat template computes with too large a number")


def _check_sum(left: Any, right: Any) -> None:
    if isinstance(right, str | list | tuple):
        item_bytes = 1 if isinstance(left, str) else 8
        current_budget().charge_text(item_bytes * (len(left) + len(right)))


def check_call(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Weigh the arguments of a built-in method before it is called."""
    budget = current_budget()
    budget.step()
    kwargs = {name: kwargs[name] for name in kwargs if name not in _JINJA_ARGUMENTS}
    owner = getattr(function, "__self__", None)
    if type(owner) not in _METHODS and getattr(function, "__name__", "") != "changed":
        return
    for arg in (*args, *kwargs.values()):
        budget.weigh(arg)
    if isinstance(owner, str):
        _TEXT_CHECKS.get(function.__name__, _no_check)(owner, *args, **kwargs)
    elif isinstance(owner, list | tuple) and function.__name__ in ("count", "index"):
        budget.weigh(owner)


def _no_check(*_: object, **__: object) -> None:
    """Every other method gives at most three times the text it has."""


def _check_replace(text: str, old: str = "", new: str = "", count: int = -1) -> None:
    places = text.count(old) if old else len(text) + 1
    places = places if count < 0 else min(places, count)
    current_budget().charge_text(len(text) + places * len(new))


def _check_join(text: str, parts: Any = ()) -> None:
    if not isinstance(parts, list | tuple | dict | str | range):
        raise SecurityError("join needs a list")
    nodes, chars = current_budget().weigh(parts)
    places = chars if isinstance(parts, str) else nodes
    current_budget().charge_text(places * len(text) + chars)


def _check_split(text: str, sep: str | None = None, maxsplit: int = -1) -> None:
    parts = text.count(sep) if sep else sum(map(text.count, " \t\n\r\v\f"))
    parts = parts if maxsplit < 0 else min(parts, maxsplit)
    current_budget().charge(len(text) + parts * PART_BYTES)


def _check_lines(text: str, *_: object, **__: object) -> None:
    parts = sum(map(text.count, "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"))
    current_budget().charge(len(text) + parts * PART_BYTES)


_TEXT_CHECKS: dict[str, Callable[..., None]] = {
    "replace": _check_replace,
    "join": _check_join,
    "split": _check_split,
    "rsplit": _check_split,
    "splitlines": _check_lines,
}


def bounded_format(pattern: str) -> Callable[..., str]:
    """Give ``pattern.format`` without widths, attributes or indices in its fields."""
    for _, name, spec, _ in Formatter().parse(pattern):
        if spec or (name and not name.replace("_", "").isalnum()):
            raise SecurityError(f"the field {{{name}:{spec}}} cannot be formatted in a template")

    def bounded(*args: object, **kwargs: object) -> str:
        return _format(pattern, *args, **kwargs)

    return bounded  # no partial: its .func would take any pattern


def _format(pattern: str, /, *args: object, **kwargs: object) -> str:
    budget = current_budget()
    largest = 0
    for value in (*args, *kwargs.values()):
        nodes, chars = budget.weigh(value)
        largest = max(largest, 4 * nodes + chars)
    budget.charge_text(len(pattern) + pattern.count("{") * largest)
    return pattern.format(*args, **kwargs)


def fill_missing(left: Any, right: Any) -> tuple[Any, Any]:
    """Read None and undefined as "" where text is added to them."""
    if isinstance(left, str) and (right is None or isinstance(right, Undefined)):
        return left, ""
    if isinstance(right, str) and (left is None or isinstance(left, Undefined)):
        return "", right
    return left, right
