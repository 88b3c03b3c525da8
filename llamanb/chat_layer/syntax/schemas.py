"""Questions about the JSON Schemas of tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["JSON_TYPES", "closed", "is_text", "lengths_of", "may_be_text", "strict"]

MAX_DEPTH = 100
# integers count as numbers
JSON_TYPES: dict[type, str] = {
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    type(None): "null",
    dict: "object",
    list: "array",
}
_NAMED = ("properties", "$defs", "definitions")
_VALUES = ("const", "enum", "default", "examples")
_FURTHER = frozenset(["anyOf", "oneOf", "$ref", "if", "dependentSchemas"])


def closed(schema: Any) -> Any:
    """Give ``schema`` with nothing but the named properties in its objects.

    A schema that names no properties stays open, and so does one that says what
    else may be there, or puts an object's properties together from several places.
    """
    if not isinstance(schema, dict) or _is_put_together(schema):
        return schema
    return _changed(schema, _close, 0) or {"type": "object"}


def strict(schema: Any) -> Any:
    """Give ``schema`` closed, and with all its properties required.

    That is what OpenAI's ``strict`` means. A property that is nothing but a reference
    stays as it is: it may lead back to its own object, which could then never end.
    """
    if not isinstance(schema, dict) or _is_put_together(schema):
        return schema
    return _changed(schema, _complete, 0) or {"type": "object"}


def _close(schema: dict[str, Any]) -> None:
    schema.setdefault("additionalProperties", False)


def _complete(schema: dict[str, Any]) -> None:
    _close(schema)
    required = schema.get("required")
    known = list(required) if isinstance(required, list) else []
    schema["required"] = known + [
        name
        for name, one in schema["properties"].items()
        if name not in known and not (isinstance(one, dict) and "$ref" in one)
    ]


def _changed(schema: Any, change: Callable[[dict[str, Any]], None], depth: int) -> Any:
    """Copy a schema and change every object in it that names its properties."""
    if isinstance(schema, list):
        return [_changed(one, change, depth + 1) for one in schema]
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return schema
    found = {
        key: value if key in _VALUES else _changed_part(key, value, change, depth + 1)
        for key, value in schema.items()
    }
    if isinstance(found.get("properties"), dict):
        change(found)
    return found


def _changed_part(key: str, part: Any, change: Callable[[dict[str, Any]], None], depth: int) -> Any:
    if key in _NAMED and isinstance(part, dict):
        return {name: _changed(one, change, depth) for name, one in part.items()}
    return _changed(part, change, depth)


def _is_put_together(schema: Any, depth: int = 0) -> bool:
    """Say whether an object's properties are named in more than one place."""
    if isinstance(schema, list):
        return any(_is_put_together(one, depth + 1) for one in schema)
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return False
    if "allOf" in schema or ("properties" in schema and schema.keys() & _FURTHER):
        return True
    parts = [value for key, value in schema.items() if key not in (*_VALUES, *_NAMED)]
    for key in _NAMED:
        parts += schema[key].values() if isinstance(schema.get(key), dict) else ()
    return _is_put_together(parts, depth)


def lengths_of(schema: dict[str, Any]) -> tuple[int, int | None]:
    """Give the least and the greatest length of a string, None for no limit."""
    least, most = schema.get("minLength"), schema.get("maxLength")
    return (
        least if isinstance(least, int) else 0,
        most if isinstance(most, int) else None,
    )


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
