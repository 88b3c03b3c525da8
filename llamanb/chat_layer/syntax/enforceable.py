"""JSON Schemas as a grammar can enforce them.

Clients send schemas with keywords that no grammar can keep, or that llguidance does
not know. Those are left out: an answer may break them, but there is an answer.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["enforceable"]

MAX_DEPTH = 100
_NOT_ENFORCED = frozenset(
    [
        *("not", "if", "then", "else", "contains", "minContains", "maxContains", "uniqueItems"),
        *("propertyNames", "dependentRequired", "dependentSchemas", "dependencies"),
        *("unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$dynamicAnchor", "$schema"),
    ]
)
# https://github.com/guidance-ai/llguidance/blob/main/docs/json_schema.md
_FORMATS = frozenset(
    [
        "date-time",
        "time",
        "date",
        "duration",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "uuid",
        "uri",
        "unknown",
    ]
)
_NAMED = ("properties", "patternProperties", "$defs", "definitions")
_NO_SCHEMAS = ("const", "enum", "default", "examples", "required")
# look-around, word borders and back references
_ODD_PATTERN = re.compile(r"(?<!\\)(?:\\\\)*(?:\(\?(?:[=!>]|<[=!])|\\[bBGZ1-9])")


def enforceable(schema: Any, depth: int = 0) -> Any:
    """Give ``schema`` without what a grammar cannot enforce."""
    if isinstance(schema, list):
        return [enforceable(one, depth + 1) for one in schema]
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return schema
    kept = {
        key: _kept(key, value, depth + 1)
        for key, value in schema.items()
        if _is_enforced(key, value)
    }
    return _any_of(kept)


def _kept(key: str, value: Any, depth: int) -> Any:
    if key in _NO_SCHEMAS:
        return value
    if key in _NAMED and isinstance(value, dict):
        return {name: enforceable(one, depth) for name, one in value.items()}
    return enforceable(value, depth)


def _is_enforced(key: str, value: Any) -> bool:
    if key == "format":
        return value in _FORMATS
    if key == "pattern":
        return isinstance(value, str) and _ODD_PATTERN.search(value) is None
    return key not in _NOT_ENFORCED


def _any_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Write ``oneOf`` as ``anyOf``: a grammar cannot tell that only one branch fits."""
    branches = schema.get("oneOf")
    if branches is None:
        return schema
    rest = {key: value for key, value in schema.items() if key != "oneOf"}
    if "anyOf" not in rest:
        return {**rest, "anyOf": branches}
    return {**rest, "allOf": [*rest.get("allOf", ()), {"anyOf": branches}]}
