"""Bounds for what JSON leaves without any: white space, and the digits of whole numbers.

A weak model may write either for ever. The bounds are set when a constraint is
compiled, so that grammars stay readable where users see them.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["bounded_lark", "bounded_schema"]

# one space, or a new line with its indentation
_SPACE = {"whitespace_pattern": r"( |\r?\n[ \t]{0,20})?"}
_LEAST, _GREATEST = -(1 << 62), 1 << 62  # near what llguidance can compare
_LIMITS = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "enum", "const"}
)
_NO_SCHEMAS = frozenset({"const", "enum", "default", "examples", "required"})
_JSON_IN_LARK = re.compile(
    r'"(?:\\.|[^"\\\n])*"'  # texts, patterns and comments are passed over
    r"|(?<![\w)\]])/(?:\\.|[^/\\\n])+/"
    r"|//[^\n]*|\#[^\n]*"
    r"|%json\s*(?=\{)"
)


def bounded_schema(schema: Any) -> Any:
    """Give a JSON Schema whose values are bounded where it says nothing."""
    if not isinstance(schema, dict):
        return schema
    bounded = _bounded(schema)
    return {**bounded, "x-guidance": {**_SPACE, **(schema.get("x-guidance") or {})}}


def bounded_lark(source: str) -> str:
    """Give a Lark grammar with every ``%json`` schema in it bounded; lines stay lines."""
    return "".join(_pieces(source))


def _pieces(source: str) -> Iterator[str]:
    done, decoder = 0, json.JSONDecoder()
    for found in _JSON_IN_LARK.finditer(source):
        if not found.group().startswith("%json") or found.start() < done:
            continue
        try:
            schema, end = decoder.raw_decode(source, found.end())
        except (ValueError, RecursionError):
            continue  # llguidance says what is wrong with it
        yield source[done : found.end()]
        yield json.dumps(bounded_schema(schema))
        yield "\n" * source.count("\n", found.end(), end)
        done = end
    yield source[done:]


def _bounded(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_bounded(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        key: value if key in _NO_SCHEMAS else _inner(key, value) for key, value in schema.items()
    }
    if schema.get("type") == "integer" and _LIMITS.isdisjoint(schema):
        kept |= {"minimum": _LEAST, "maximum": _GREATEST}
    return kept


def _inner(key: str, value: Any) -> Any:
    """Bound what a keyword holds; the names of properties are no keywords."""
    if key in {"properties", "patternProperties", "$defs", "definitions"} and isinstance(
        value, dict
    ):
        return {name: _bounded(one) for name, one in value.items()}
    return _bounded(value)
