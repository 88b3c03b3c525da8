"""Questions about the JSON Schemas of tools."""

from __future__ import annotations

from typing import Any

__all__ = ["closed", "is_text", "may_be_text"]

MAX_DEPTH = 100


def closed(schema: Any, depth: int = 0) -> Any:
    """Give ``schema`` with nothing but the named properties in its objects.

    A schema that names no properties stays open, and so does one that says what
    else may be there.
    """
    if isinstance(schema, list):
        return [closed(one, depth + 1) for one in schema]
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return schema
    found = {
        key: _closed_values(value, depth + 1)
        if key in {"properties", "$defs", "definitions"}
        else value
        if key in {"const", "enum", "default", "examples"}
        else closed(value, depth + 1)
        for key, value in schema.items()
    }
    if isinstance(found.get("properties"), dict):
        found.setdefault("additionalProperties", False)
    return found or {"type": "object"} if depth == 0 else found


def _closed_values(schemas: Any, depth: int) -> Any:
    if not isinstance(schemas, dict):
        return schemas
    return {name: closed(one, depth) for name, one in schemas.items()}


def is_text(schema: Any) -> bool:
    """Say whether only a string fits."""
    return isinstance(schema, dict) and _kinds(schema) == {"string"}


def may_be_text(schema: Any) -> bool:
    """Say whether a string is one of the things that fit."""
    return not isinstance(schema, dict) or "string" in _kinds(schema) or not _kinds(schema)


def _kinds(schema: dict[str, Any]) -> set[str]:
    """Give the types that fit; none if the schema does not say."""
    branches = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(branches, list):
        found = [_kinds(one) if isinstance(one, dict) else set() for one in branches]
        return set().union(*found) if all(found) else set()
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(values, list):
        return {"string" if isinstance(one, str) else "other" for one in values}
    kinds = schema.get("type")
    return {kinds} if isinstance(kinds, str) else set(kinds or ())
