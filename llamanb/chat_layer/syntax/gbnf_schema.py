"""Writes JSON Schemas as GBNF rules: the subset that a context-free grammar can say."""

from __future__ import annotations

import json
import re
from typing import Any

from llamanb.chat_layer.syntax.gbnf_text import quote
from llamanb.errors import GrammarError

__all__ = ["SchemaWriter"]

MAX_REPEATS = 2_000
MAX_DEPTH = 64
_IGNORED = frozenset(
    {
        *("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"),
        *("$schema", "$id", "$comment", "$defs", "definitions", "nullable", "strict"),
    }
)
_KNOWN = {
    "string": {"minLength", "maxLength"},
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "minItems", "maxItems"},
}
_SPACE = '(" " | "\\n" [ \\t]{0,20})?'
_BASICS = {
    "json-char": r'[^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4})',
    "json-string": r'"\"" json-char* "\""',
    "json-integer": r'"-"? ("0" | [1-9] [0-9]*)',
    "json-number": r'"-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)? ([eE] [-+]? [0-9]+)?',
    "json-boolean": '"true" | "false"',
    "json-null": '"null"',
    "json-space": _SPACE,
    "json-object": '"{" json-space (json-member (json-space "," json-space json-member)*)?'
    ' json-space "}"',
    "json-member": 'json-string json-space ":" json-space json-value',
    "json-array": '"[" json-space (json-value (json-space "," json-space json-value)*)?'
    ' json-space "]"',
    "json-value": "json-object | json-array | json-string | json-number | json-boolean | json-null",
}
_NEEDS = {
    "json-string": ("json-char",),
    "json-object": ("json-space", "json-member"),
    "json-member": ("json-string", "json-space", "json-value"),
    "json-array": ("json-space", "json-value"),
    "json-value": (
        *("json-object", "json-array", "json-string", "json-number"),
        *("json-boolean", "json-null"),
    ),
}


class SchemaWriter:
    """Adds the rules of schemas to ``rules``; each schema is written once."""

    def __init__(self, rules: dict[str, str]) -> None:
        self._rules = rules
        self._written: dict[str, str] = {}
        self._root: dict[str, Any] = {}

    def any_value(self) -> str:
        """Give the rule of any JSON value."""
        return self._basic("json-value")

    def write(self, schema: dict[str, Any]) -> str:
        """Give the rule of ``schema``.

        Raises
        ------
        GrammarError
            If it says something that GBNF cannot express; names what and where.
        """
        self._root = schema
        return self._rule(schema, "", "schema")

    def _basic(self, name: str) -> str:
        if name not in self._rules:
            self._rules[name] = _BASICS[name]
            for needed in _NEEDS.get(name, ()):
                self._basic(needed)
        return name

    def _rule(self, schema: Any, place: str, name: str) -> str:
        key = json.dumps([self._root, schema], sort_keys=True)
        if key not in self._written:
            self._written[key] = found = self._free_name(name)
            self._rules[found] = ""
            self._rules[found] = self._body(schema, place or "the schema", found)
        return self._written[key]

    def _free_name(self, name: str) -> str:
        base, number = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"), 1
        while (found := base if number == 1 else f"{base}-{number}") in self._rules:
            number += 1
        return found

    def _body(self, schema: Any, place: str, name: str) -> str:
        if place.count(".") > MAX_DEPTH:
            raise GrammarError(f"{place[:80]}: the schema is nested more than {MAX_DEPTH} deep")
        if schema is True or schema == {}:
            return self._basic("json-value")
        if not isinstance(schema, dict):
            raise GrammarError(f"{place}: {schema!r} cannot be written as GBNF")
        for write in (self._fixed, self._reference, self._union):
            body = write(schema, place, name)
            if body:
                return body
        return self._typed(schema, place, name)

    def _fixed(self, schema: dict[str, Any], _place: str, _name: str) -> str:
        values = [schema["const"]] if "const" in schema else schema.get("enum", [])
        return " | ".join(quote(json.dumps(one, ensure_ascii=False)) for one in values)

    def _reference(self, schema: dict[str, Any], place: str, name: str) -> str:
        path = schema.get("$ref")
        if path is None:
            return ""
        target: Any = self._root
        for part in str(path).removeprefix("#").strip("/").split("/") if path != "#" else ():
            target = target.get(part) if isinstance(target, dict) else None
        if target is None or not str(path).startswith("#"):
            raise GrammarError(f"{place}: $ref {path!r} points to nothing in this schema")
        return self._rule(target, place, f"{name}-ref")

    def _union(self, schema: dict[str, Any], place: str, name: str) -> str:
        branches = schema.get("anyOf") or schema.get("oneOf")
        kinds = schema.get("type")
        if branches is None and isinstance(kinds, list):
            branches = [_narrowed(schema, kind) for kind in kinds]
        elif branches is not None:
            _refuse_others(schema, {"anyOf", "oneOf", "type"}, place)
        rules = [
            self._rule(branch, f"{place}.{number}", f"{name}-{number}")
            for number, branch in enumerate(branches or ())
        ]
        return " | ".join(rules)

    def _typed(self, schema: dict[str, Any], place: str, name: str) -> str:
        kind = schema.get("type") or _implied_type(schema)
        _refuse_others(schema, {"type", *_KNOWN.get(str(kind), ())}, place)
        match kind:
            case "string":
                return self._string(schema, place)
            case "array":
                return self._array(schema, place, name)
            case "object":
                return self._object(schema, place, name)
            case "number" | "integer" | "boolean" | "null":
                return self._basic(f"json-{kind}")
        raise GrammarError(f"{place}: type {kind!r} cannot be written as GBNF")

    def _string(self, schema: dict[str, Any], place: str) -> str:
        times = _repeats(schema, "minLength", "maxLength", place)
        self._basic("json-char")
        return f'"\\"" json-char{times} "\\""'

    def _array(self, schema: dict[str, Any], place: str, name: str) -> str:
        item = self._rule(schema.get("items", True), f"{place}.items", f"{name}-item")
        self._basic("json-space")
        least, most = _bounds(schema, "minItems", "maxItems", place)
        if most == 0:
            return '"[" json-space "]"'
        upper = "" if most is None else most - 1
        more = f'(json-space "," json-space {item}){{{max(least - 1, 0)},{upper}}}'
        some = f"{item} {more}" if least else f"({item} {more})?"
        return f'"[" json-space {some} json-space "]"'

    def _object(self, schema: dict[str, Any], place: str, name: str) -> str:
        self._basic("json-space")
        properties = schema.get("properties") or {}
        if not properties:
            closed = schema.get("additionalProperties") is False
            return '"{" json-space "}"' if closed else self._basic("json-object")
        required = schema.get("required") or ()
        members = []
        for key, value in properties.items():
            rule = self._rule(value, f"{place}.{key}", f"{name}-{key}")
            label = quote(json.dumps(key, ensure_ascii=False))
            members.append((f'{label} json-space ":" json-space {rule}', key in required))
        return f'"{{" json-space {_members(members)} json-space "}}"'


def _members(members: list[tuple[str, bool]]) -> str:
    """Give members in their order, those not required optional, commas between them.

    Each way to begin is one alternative: with the first, or without it if it may
    be missing.
    """
    comma = 'json-space "," json-space '
    starts, may_be_empty = [], True
    for number, (member, is_required) in enumerate(members):
        rest = (
            f" {comma}{one}" if needed else f" ({comma}{one})?"
            for one, needed in members[number + 1 :]
        )
        starts.append(member + "".join(rest))
        if is_required:
            may_be_empty = False
            break
    return f"({' | '.join(starts)}){'?' if may_be_empty else ''}"


def _implied_type(schema: dict[str, Any]) -> str | None:
    return next((kind for kind, words in _KNOWN.items() if words & schema.keys()), None)


def _narrowed(schema: dict[str, Any], kind: Any) -> dict[str, Any]:
    """Give ``schema`` for one of its types, with the words of that type only."""
    others = {word for name, words in _KNOWN.items() if name != kind for word in words}
    return {**{key: one for key, one in schema.items() if key not in others}, "type": kind}


def _refuse_others(schema: dict[str, Any], known: set[str], place: str) -> None:
    unknown = sorted(schema.keys() - known - _IGNORED)
    if unknown:
        raise GrammarError(
            f"{place}: {unknown[0]!r} cannot be written as GBNF; "
            "leave it out, or use the Lark grammar"
        )


def _bounds(schema: dict[str, Any], low: str, high: str, place: str) -> tuple[int, int | None]:
    least, most = schema.get(low, 0), schema.get(high)
    for value in (least, 0 if most is None else most):
        if not isinstance(value, int) or not 0 <= value <= MAX_REPEATS:
            raise GrammarError(f"{place}: {low}/{high} {value!r} must be from 0 to {MAX_REPEATS}")
    if most is not None and least > most:
        raise GrammarError(f"{place}: {low} {least} is more than {high} {most}")
    return least, most


def _repeats(schema: dict[str, Any], low: str, high: str, place: str) -> str:
    least, most = _bounds(schema, low, high, place)
    return "*" if not least and most is None else f"{{{least},{'' if most is None else most}}}"
