"""The filters and tests a chat template may use, each within the budget.

jinja2's own, less those with unbounded width or no use in prompts. The ones in
``_LIGHT`` touch only the outside of their arguments and those in ``_OWN`` check
for themselves; all others weigh their arguments first.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any, cast

from jinja2 import Undefined
from jinja2.filters import FILTERS, do_batch, do_indent, do_join, do_replace, do_slice
from jinja2.tests import TESTS
from jinja2.utils import pass_eval_context

from llamanb.chat_layer.budget import current_budget
from llamanb.errors import TemplateLimitError

__all__ = ["bounded_filters", "bounded_tests", "to_text"]

# fmt: off
_LIGHT = frozenset([
    "length", "count", "first", "last", "default", "d", "items", "list", "select", "reject",
    "selectattr", "rejectattr", "map", "reverse", "abs", "int", "float", "round", "safe",
])
_KEPT = _LIGHT | frozenset([
    "batch", "capitalize", "dictsort", "groupby", "indent", "join", "lower", "max", "min",
    "replace", "slice", "sort", "string", "title", "trim", "truncate", "unique", "upper",
    "wordcount",
])
_HEAVY_TESTS = frozenset([
    "in", "==", "eq", "equalto", "!=", "ne", ">", "gt", "greaterthan", "ge", ">=", "<", "lt",
    "lessthan", "<=", "le",
])
# fmt: on
_TEXT_TESTS = frozenset(["lower", "upper"])
_WIDE_FORMAT = re.compile(r"%[^a-zA-Z%]*(\d{4}|\*)")
MAX_WIDTH = 10_000

Function = Callable[..., Any]


def to_text(value: object) -> str:
    """Give ``str(value)``, weighed first unless it is a string already."""
    if isinstance(value, str):
        return value
    nodes, chars = current_budget().weigh(value)
    current_budget().charge_text(4 * nodes + chars)
    return str(value)


def _materialise(value: object) -> object:
    return list(value) if isinstance(value, Iterator) else value


def _bound(function: Function, *, light: bool) -> Function:
    """Wrap a filter: weigh what goes in, count what comes out."""

    @wraps(function)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        budget = current_budget()
        budget.step()
        if not light:
            args = tuple(_materialise(arg) for arg in args)
            for arg in (*args, *kwargs.values()):
                budget.weigh(arg)
        result = function(*args, **kwargs)
        budget.charge_result(result)
        return result

    return bounded


def _json_default(value: object) -> object:
    if isinstance(value, Undefined):
        return None
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(f"a {type(value).__name__} cannot be written as JSON")


def _tojson(
    value: object,
    indent: int | None = None,
    ensure_ascii: bool = False,  # noqa: FBT001, FBT002  # the templates' own signature
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,  # noqa: FBT001, FBT002  # the templates' own signature
) -> str:
    """Write JSON as Python does (``", "`` and ``": "``), without HTML escapes."""
    nodes, chars = current_budget().weigh(value)
    current_budget().charge_text(nodes * (4 + _checked_width(indent or 0)) + chars)
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=tuple(separators) if separators else None,  # type: ignore[arg-type]  # the template's own two strings
        sort_keys=sort_keys,
        default=_json_default,
    )


def _from_json(value: object) -> object:
    text = to_text(value)
    current_budget().charge(16 * len(text))
    return json.loads(text)


def _checked_width(width: object) -> int:
    n_chars = len(width) if isinstance(width, str) else int(width)  # type: ignore[call-overload]  # a wrong type raises TypeError, as wanted
    if n_chars > MAX_WIDTH:
        raise TemplateLimitError(f"the chat template asks for a width of {n_chars:,}")
    return n_chars


def _safe(value: object) -> object:
    return value


def _escape(value: object) -> str:
    return html.escape(to_text(value))


def _format(value: object, *args: object, **kwargs: object) -> str:
    pattern = to_text(value)
    if _WIDE_FORMAT.search(pattern):
        raise TemplateLimitError("the chat template formats with too large a width")
    weighed = [current_budget().weigh(one) for one in (*args, *kwargs.values())]
    n_fields = max(1, pattern.count("%"))
    current_budget().charge_text(n_fields * sum(4 * n + c for n, c in weighed) + len(pattern))
    return pattern % (kwargs or args)


def _sum(value: Iterable[Any], attribute: str | int | None = None, start: float = 0) -> Any:
    total: Any = start
    for item in value:
        number = item if attribute is None else item[attribute]
        if not isinstance(number, int | float) or not isinstance(total, int | float):
            raise TypeError("the filter `sum` adds numbers only")
        total += number
    return total


def _indent(
    value: str,
    width: int | str = 4,
    first: bool = False,  # noqa: FBT001, FBT002  # the templates' own signature
    blank: bool = False,  # noqa: FBT001, FBT002  # the templates' own signature
) -> str:
    text = to_text(value)
    current_budget().charge_text(len(text) + (text.count("\n") + 1) * _checked_width(width))
    return do_indent(text, width, first, blank)


@pass_eval_context
def _replace(eval_ctx: Any, value: object, old: str, new: str, count: int | None = None) -> str:
    text, new = to_text(value), to_text(new)
    n_places = text.count(old) if old else len(text) + 1
    current_budget().charge_text(len(text) + n_places * len(new))
    return str(do_replace(eval_ctx, text, old, new, count))


@pass_eval_context
def _join(eval_ctx: Any, value: Iterable[Any], d: str = "", attribute: str | None = None) -> str:
    items = list(value)
    nodes, chars = current_budget().weigh(items)
    current_budget().charge_text(chars + nodes * (4 + len(d)))
    return str(do_join(eval_ctx, items, d, attribute))


def _batch(value: Iterable[Any], linecount: int, fill_with: Any = None) -> Any:
    return do_batch(value, _checked_width(linecount), fill_with)


def _slice(value: Any, slices: int, fill_with: Any = None) -> Any:
    return do_slice(value, _checked_width(slices), fill_with)


_OWN: dict[str, Function] = {
    "tojson": _tojson,
    "from_json": _from_json,
    "fromjson": _from_json,
    "safe": _safe,
    "e": _escape,
    "escape": _escape,
    "format": _format,
    "sum": _sum,
    "indent": _indent,
    "replace": _replace,
    "join": _join,
    "batch": _batch,
    "slice": _slice,
}


def bounded_filters() -> dict[str, Function]:
    """Give the table of filters."""
    own = {name: _bound(function, light=True) for name, function in _OWN.items()}
    builtin = {name: _bound(FILTERS[name], light=name in _LIGHT) for name in _KEPT}
    return builtin | own


def bounded_tests() -> dict[str, Function]:
    """Give the table of tests (``is defined`` …)."""
    heavy = _HEAVY_TESTS | _TEXT_TESTS
    functions = cast("dict[str, Function]", TESTS)
    return {
        name: _bound(function, light=False) if name in heavy else function
        for name, function in functions.items()
    }
