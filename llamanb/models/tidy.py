"""JSON Schemas that small models understand: no titles, references written out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic.json_schema import GenerateJsonSchema

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["QuietSchema", "tidy_schema"]

_ONE = ("items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else")
_MANY = ("anyOf", "oneOf", "allOf", "prefixItems")
_NAMED = ("properties", "patternProperties", "$defs")
_DROPPED = ("title", "discriminator")  # what readers of tool schemas have no use for
_PREFIX = "#/$defs/"


class QuietSchema(GenerateJsonSchema):
    """Pydantic's writer; a default that is no JSON is left out without a warning."""

    ignored_warning_kinds: ClassVar[set[Any]] = {"skipped-choice", "non-serializable-default"}  # type: ignore[misc]  # pydantic's own is no ClassVar


def tidy_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Drop titles and write definitions where they are used; recursive ones stay."""
    definitions = schema.get("$defs", {})
    body = {key: value for key, value in schema.items() if key != "$defs"}
    written: dict[str, Any] = _written_out(body, definitions)
    kept: dict[str, Any] = {}
    waiting = _references(written)
    while waiting:
        name = waiting.pop()
        kept[name] = _written_out(definitions[name], definitions)
        waiting |= _references(kept[name]) - kept.keys()
    return written | ({"$defs": dict(sorted(kept.items()))} if kept else {})


def _written_out(schema: Any, definitions: dict[str, Any]) -> Any:
    if not isinstance(schema, dict):
        return schema
    name = _referred(schema)
    if name is not None and not _is_recursive(name, definitions):
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return _written_out({**definitions[name], **rest}, definitions)
    bare = {key: value for key, value in schema.items() if key not in _DROPPED}
    return _map_parts(bare, lambda part: _written_out(part, definitions))


def _is_recursive(name: str, definitions: dict[str, Any]) -> bool:
    seen: set[str] = set()
    waiting = _references(definitions[name])
    while waiting:
        reached = waiting.pop()
        if reached == name:
            return True
        seen.add(reached)
        waiting |= _references(definitions[reached]) - seen
    return False


def _references(schema: Any) -> set[str]:
    """Give the names of all definitions that a schema refers to."""
    found: set[str] = set()

    def visit(part: Any) -> Any:
        if isinstance(part, dict):
            found.update({name} if (name := _referred(part)) else ())
            _map_parts(part, visit)
        return part

    visit(schema)
    return found


def _referred(schema: dict[str, Any]) -> str | None:
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith(_PREFIX):
        return reference.removeprefix(_PREFIX)
    return None


def _map_parts(schema: dict[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """Copy a schema with every schema directly inside it changed."""
    changed = dict(schema)
    for key, value in schema.items():
        if key in _ONE:
            changed[key] = change(value)
        elif key in _MANY:
            changed[key] = [change(part) for part in value]
        elif key in _NAMED:
            changed[key] = {name: change(part) for name, part in value.items()}
    return changed
