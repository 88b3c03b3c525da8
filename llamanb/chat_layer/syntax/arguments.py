"""The arguments of a tool one by one, for families that tag each of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.syntax.elements import Choice, Element, Json, Literal, Schema
from llamanb.chat_layer.syntax.schemas import JSON_TYPES, closed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llamanb.chat_layer.syntax.description import ToolShape

__all__ = ["Argument", "Kind", "arguments_of", "json_of", "kinds_of", "standalone", "words_of"]

MAX_REFERENCES = 20
_DEFINITIONS = ("$defs", "definitions")
_ALL = ("string", "number", "boolean", "null", "object", "array")


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument: its JSON Schema stands by itself, with the definitions it refers to."""

    name: str
    schema: dict[str, Any]
    is_required: bool


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value that an argument may have.

    ``name`` is a JSON type, integers counted as numbers; ``schemas`` say which of
    them fit.
    """

    name: str
    schemas: tuple[dict[str, Any], ...]


def arguments_of(tool: ToolShape) -> tuple[Argument, ...]:
    """Give the arguments of ``tool``, in the order of its schema."""
    root = tool.parameters
    required = root.get("required")
    needed = required if isinstance(required, list) else ()
    properties = root.get("properties")
    items = properties.items() if isinstance(properties, dict) else ()
    return tuple(
        Argument(name=name, schema=standalone(schema, root), is_required=name in needed)
        for name, schema in items
    )


def standalone(schema: Any, root: dict[str, Any]) -> dict[str, Any]:
    """Give ``schema`` without references at its top, and what the others refer to."""
    found = _resolved(schema, root)
    for key in ("anyOf", "oneOf"):
        if isinstance(found.get(key), list):
            found = {**found, key: [_resolved(one, root) for one in found[key]]}
    return {**{key: root[key] for key in _DEFINITIONS if key in root}, **found}


def _resolved(schema: Any, root: dict[str, Any]) -> dict[str, Any]:
    for _ in range(MAX_REFERENCES):
        match schema:
            case {"$ref": path, **others}:
                schema = {**_target(root, path), **others}
            case {"allOf": [only], **others}:
                schema = {**_dictionary(only), **others}
            case _:
                break
    return _dictionary(schema)


def _target(root: Any, path: Any) -> dict[str, Any]:
    for part in str(path).removeprefix("#").strip("/").split("/"):
        root = root.get(part) if isinstance(root, dict) and part else root
    return root if isinstance(root, dict) else {}


def kinds_of(schema: dict[str, Any]) -> tuple[Kind, ...]:
    """Give the kinds of values that fit, all six if the schema does not say."""
    found: dict[str, list[dict[str, Any]]] = {}
    for kind, one in _alternatives(schema):
        found.setdefault(kind, []).append(one)
    return tuple(Kind(name, tuple(schemas)) for name, schemas in found.items())


def _alternatives(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    branches = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(branches, list) and "type" not in schema:
        return [pair for one in branches for pair in _alternatives(_dictionary(one))]
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(values, list) and values:
        return [(JSON_TYPES.get(type(value), "object"), {"enum": [value]}) for value in values]
    kinds = schema.get("type") or ("object" if "properties" in schema else _ALL)
    listed = kinds if isinstance(kinds, list | tuple) else (kinds,)
    names = [name for name in listed if isinstance(name, str)] or _ALL
    return [
        ("number" if name == "integer" else name, {**_plain(schema), "type": name})
        for name in names
    ]


def _dictionary(schema: Any) -> dict[str, Any]:
    return schema if isinstance(schema, dict) else {}


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in _DEFINITIONS}


def words_of(kind: Kind) -> Choice | None:
    """Give the texts that a string may be, None if there is no list of them."""
    words = [value for one in kind.schemas for value in one.get("enum", (None,))]
    if not all(isinstance(word, str) for word in words):
        return None
    return Choice(tuple(Literal(word) for word in words))


def json_of(kinds: Iterable[Kind], schema: dict[str, Any]) -> Element:
    """Give the JSON of any of ``kinds``; ``schema`` holds the definitions for it."""
    schemas = [one for kind in kinds for one in kind.schemas]
    if len(schemas) == len(_ALL) and all(set(one) == {"type"} for one in schemas):
        return Json()
    body = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    named = _DEFINITIONS if "$ref" in json.dumps(body) else ()
    return Schema(closed({**{key: schema[key] for key in named if key in schema}, **body}))
