"""Says which texts a schema's values have in a notation, for the grammar writers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.syntax.elements import Literal, Schema, Token
from llamanb.chat_layer.syntax.gbnf_text import any_of, any_other
from llamanb.chat_layer.syntax.lowered import (
    Lowered,
    LoweredChoice,
    LoweredRepeat,
    LoweredRule,
    LoweredSequence,
    Pattern,
    Recall,
    Through,
)
from llamanb.chat_layer.syntax.schemas import lengths_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llamanb.chat_layer.syntax.notation import Notation

__all__ = ["lower_value", "value_text"]

MAX_DEPTH = 64
_TEXT_LIMITS = frozenset({"minLength", "maxLength", "pattern", "format"})
_NUMBER_LIMITS = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
)
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
# A key that no schema names.
_NAME = Pattern(r"[A-Za-z_][A-Za-z0-9_.-]*", "[A-Za-z_] [A-Za-z0-9_.-]*")


def lower_value(schema: dict[str, Any], notation: Notation) -> Lowered:
    """Give the texts of the values of ``schema``.

    Numbers keep all their limits, strings theirs if the notation can write them in
    JSON's quotes; of other words that are not known more is let through.
    """
    return _Lowering(schema).value(schema, notation)


def value_text(value: Any, notation: Notation, quote: str | None = None) -> str:
    """Give one text of ``value``; strings in ``quote``, the notation's first by default."""
    return _text(_constant(value, notation, quote or notation.quotes[0]))


def _text(lowered: Lowered) -> str:
    match lowered:
        case Literal(text) | Token(text):
            return text
        case LoweredSequence(items):
            return "".join(_text(item) for item in items)
    return ""


def _constant(value: Any, notation: Notation, quote: str) -> Lowered:
    match value:
        case bool() | None:
            words = {True: notation.true, False: notation.false, None: notation.null}
            return Literal(words[value][0])
        case str():
            return _quoted(value, notation, quote)
        case list():
            items = [_constant(one, notation.inner, quote) for one in value]
            return _bracketed(("[", "]"), _with_commas(items, notation))
        case dict():
            members: list[Lowered] = [
                LoweredSequence(
                    (_label(key, notation, quote), _constant(one, notation.inner, quote))
                )
                for key, one in _in_order(value, notation)
            ]
            return _bracketed(notation.brackets, _with_commas(members, notation))
    return Literal(str(value))


def _quoted(text: str, notation: Notation, quote: str) -> Lowered:
    if notation.is_raw:
        return LoweredSequence((Token(quote), Literal(text), Token(quote)))
    escaped = "".join(_escaped(one, quote) for one in text)
    return Literal(f"{quote}{escaped}{quote}")


def _escaped(character: str, quote: str) -> str:
    if character == quote:
        return f"\\{quote}"
    return _ESCAPES.get(character, character)


def _label(key: str, notation: Notation, quote: str) -> Lowered:
    if notation.has_bare_keys:
        return Literal(f"{key}{notation.colon}")
    return LoweredSequence((_quoted(key, notation, quote), Literal(notation.colon)))


def _in_order(members: dict[str, Any], notation: Notation) -> list[tuple[str, Any]]:
    items = list(members.items())
    return sorted(items, key=lambda item: item[0].lower()) if notation.sorts_keys else items


def _with_commas(items: list[Lowered], notation: Notation) -> list[Lowered]:
    comma = Literal(notation.comma)
    return [one for item in items for one in (comma, item)][1:]


def _bracketed(brackets: tuple[str, str], items: list[Lowered]) -> Lowered:
    return LoweredSequence((Literal(brackets[0]), *items, Literal(brackets[1])))


class _Lowering:
    """Walks through one schema; knows which of its references are being written."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._open: list[str] = []
        self._depth = 0

    def value(self, schema: Any, notation: Notation) -> Lowered:
        """Give the texts of values; any value where the schema is too deep to follow."""
        if not isinstance(schema, dict) or self._depth > MAX_DEPTH:
            return self._anything(notation)
        self._depth += 1
        found = self._value(schema, notation)
        self._depth -= 1
        return found

    def _value(self, schema: dict[str, Any], notation: Notation) -> Lowered:
        if "$ref" in schema:
            return self._reference(str(schema["$ref"]), notation)
        if "const" in schema or "enum" in schema:
            values = [schema["const"]] if "const" in schema else schema["enum"]
            texts = [_constant(one, notation, quote) for one in values for quote in notation.quotes]
            return _choice(texts)
        branches = schema.get("anyOf") or schema.get("oneOf") or _by_type(schema)
        if branches:
            return _choice([self.value(branch, notation) for branch in branches])
        if len(schema.get("allOf") or ()) == 1:
            return self.value(schema["allOf"][0], notation)
        return self._typed(schema, notation)

    def _typed(self, schema: dict[str, Any], notation: Notation) -> Lowered:
        kind = schema.get("type") or ("object" if "properties" in schema else None)
        words = {"boolean": (*notation.true, *notation.false), "null": notation.null}
        if kind in words:
            return _choice([Literal(word) for word in words[kind]])
        match kind:
            case "integer" | "number":
                limits = {key: one for key, one in schema.items() if key in _NUMBER_LIMITS}
                return Schema({"type": kind, **limits})
            case "string":
                return self._string(schema, notation)
            case "array":
                return self._array(schema, notation)
            case "object":
                return self._object(schema, notation)
        return self._anything(notation)

    def _string(self, schema: dict[str, Any], notation: Notation) -> Lowered:
        if notation.is_raw:
            (quote,) = notation.quotes
            least, most = lengths_of(schema)
            return LoweredSequence((Token(quote), Through(Token(quote), (), "", least, most)))
        limits = {key: one for key, one in schema.items() if key in _TEXT_LIMITS}
        if limits:
            return Schema({"type": "string", **limits})
        return _choice([_string_pattern(quote) for quote in notation.quotes])

    def _array(self, schema: dict[str, Any], notation: Notation) -> Lowered:
        item = self._item(schema.get("items", {}), notation)
        more = LoweredSequence((Literal(notation.comma), item))
        least, most = int(schema.get("minItems", 0)), schema.get("maxItems")
        if most == 0:
            return Literal("[]")
        rest = LoweredRepeat(more, max(least - 1, 0), None if most is None else most - 1)
        some = LoweredSequence((item, rest))
        return _bracketed(("[", "]"), [some if least else LoweredRepeat(some, 0, 1)])

    def _item(self, schema: Any, notation: Notation) -> Lowered:
        """Give an item: it stands twice in the text of an array, so it is a rule of its own."""
        found = self.value(schema, notation.inner)
        is_short = isinstance(found, Pattern | Schema | LoweredRule | Recall)
        return found if is_short else LoweredRule(f"{notation.name} item", found)

    def _object(self, schema: dict[str, Any], notation: Notation) -> Lowered:
        properties = schema.get("properties") or {}
        required = set(schema.get("required") or ())
        members = [
            (self._member(key, one, notation), key in required)
            for key, one in _in_order(properties, notation)
        ]
        others = schema.get("additionalProperties", not properties)
        spare = None if others is False else self._other_member(others, notation)
        return _bracketed(notation.brackets, [_members(members, spare, notation)])

    def _member(self, key: str, schema: Any, notation: Notation) -> Lowered:
        labels = [_label(key, notation, quote) for quote in notation.quotes]
        label = labels[0] if notation.has_bare_keys else _choice(labels)
        value = self.value(schema, notation.inner)
        return LoweredRule(f"{notation.name} {key}", LoweredSequence((label, value)))

    def _other_member(self, schema: Any, notation: Notation) -> Lowered:
        keys = [_string_pattern(quote) for quote in notation.quotes if not notation.is_raw]
        key: Lowered = _NAME if notation.has_bare_keys else _choice(keys)
        value = self.value(schema, notation.inner)
        return LoweredSequence((key, Literal(notation.colon), value))

    def _reference(self, path: str, notation: Notation) -> Lowered:
        name = f"{notation.name} {path.rpartition('/')[2] or 'root'}"
        if path in self._open:
            return Recall(name)
        self._open.append(path)
        found = LoweredRule(name, self.value(self._target(path), notation), is_recursive=True)
        self._open.pop()
        return found

    def _target(self, path: str) -> Any:
        target: Any = self._root
        for part in path.removeprefix("#").strip("/").split("/") if path != "#" else ():
            target = target.get(part) if isinstance(target, dict) else None
        return target

    def _anything(self, notation: Notation) -> Lowered:
        """Give any value: the rule is the same wherever it is needed."""
        name = f"{notation.name} value"
        if name in self._open:
            return Recall(name)
        self._open.append(name)
        kinds = ("string", "number", "boolean", "null", "array", "object")
        found = _choice([self._typed({"type": kind}, notation) for kind in kinds])
        self._open.pop()
        return LoweredRule(name, found, is_recursive=True)


def _by_type(schema: dict[str, Any]) -> list[dict[str, Any]]:
    kinds = schema.get("type")
    return [{**schema, "type": kind} for kind in kinds] if isinstance(kinds, list) else []


def _choice(items: Sequence[Lowered]) -> Lowered:
    """Give any of ``items``, each once."""
    unique = [one for number, one in enumerate(items) if one not in items[:number]]
    return unique[0] if len(unique) == 1 else LoweredChoice(tuple(unique))


def _members(
    members: list[tuple[Lowered, bool]], spare: Lowered | None, notation: Notation
) -> Lowered:
    """Give members in their order with commas between them; ``spare`` ones come last.

    Each way to begin is one alternative: with the first, or without it if it may
    be missing.
    """
    comma = Literal(notation.comma)
    more = [] if spare is None else [LoweredRepeat(LoweredSequence((comma, spare)))]
    starts: list[Lowered] = []
    for number, (member, is_required) in enumerate(members):
        rest = [
            LoweredRepeat(LoweredSequence((comma, one)), 1 if needed else 0, 1)
            for one, needed in members[number + 1 :]
        ]
        starts.append(LoweredSequence((member, *rest, *more)))
        if is_required:
            return _choice(starts)
    if spare is not None:
        starts.append(LoweredSequence((spare, *more)))
    return LoweredRepeat(_choice(starts), 0, 1) if starts else Literal("")


def _string_pattern(quote: str) -> Pattern:
    """Give any string in ``quote``.

    A quote in it need not be escaped where it cannot be taken for the end: before
    anything but a comma, a colon or a closing bracket.
    """
    inner = f"\\s{re.escape(',)]}:=')}{quote}\\\\"
    regex = (
        rf"{quote}([^{quote}\\]|\\(?s:.)|({quote}\s*)+([^{inner}]|\\(?s:.)))*({quote}\s*)*{quote}"
    )
    sign, space = any_of(quote), r"[ \t\r\n]*"
    escape = rf"{any_of(chr(92))} {any_other('')}"
    other = any_other(f" \t\r\n,)]}}:={quote}\\")
    gbnf = (
        f"{sign} ({any_other(quote + chr(92))} | {escape} | ({sign} {space})+ ({other} | {escape}))*"
        f" ({sign} {space})* {sign}"
    )
    return Pattern(regex, gbnf)
