"""Writes tool calls as the models of a family write them themselves.

Needed where a template does not: it shows no earlier calls, or no tools at all.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.syntax.description import ToolShape
from llamanb.chat_layer.syntax.elements import (
    AnyOrder,
    Choice,
    Drift,
    Element,
    Json,
    Literal,
    Member,
    Object,
    Repeat,
    Rule,
    Schema,
    Sequence,
    Tag,
    Token,
    Until,
    Value,
)
from llamanb.chat_layer.syntax.value_grammar import value_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llamanb.chat_layer.prompt import ToolCall
    from llamanb.chat_layer.syntax.families import Family

__all__ = ["write_calls"]


def write_calls(
    family: Family, calls: Iterable[ToolCall], marks: tuple[str, str] = ("", "")
) -> str:
    """Give the text of ``calls``, with what stands around them.

    Parameters
    ----------
    marks : texts to put before and after everything that is not the family's own markup.

    Raises
    ------
    ValueError
        If the arguments of a call are no JSON object.
    """
    written = [_write_call(family, call, marks) for call in calls]
    before, after = (_Writer().write(one) for one in family.section)
    return before + _Writer().write(family.separator).join(written) + after


def _write_call(family: Family, call: ToolCall, marks: tuple[str, str]) -> str:
    arguments = call.args
    if not isinstance(arguments, dict):
        raise ValueError(f"the arguments of {call.name} are no object")  # noqa: TRY004  # of JSON text
    return _Writer(call.id, arguments, marks).write(family.call((_only(call.name, arguments),)))


def _only(name: str, arguments: Mapping[str, Any]) -> ToolShape:
    """Give a tool that takes just these arguments."""
    properties = {key: {"const": value} for key, value in arguments.items()}
    return ToolShape(
        name=name,
        parameters={
            "type": "object",
            "properties": properties,
            "required": list(arguments),
            "additionalProperties": False,
        },
    )


class _Writer:
    """Walks through the description of one call, along the first of every choice."""

    def __init__(
        self,
        call_id: str = "",
        arguments: Mapping[str, Any] | None = None,
        marks: tuple[str, str] = ("", ""),
    ) -> None:
        self._marks = marks
        self._id = call_id
        self._arguments = dict(arguments or {})
        self._argument = ""

    def write(self, element: Element) -> str:
        match element:
            case Literal(text) | Token(text):
                return text
            case Object():
                return self._object(element)
            case Tag():
                return self._meant(element)
            case Schema(schema):
                return _json(schema.get("const", {}))
        return "".join([self.write(one) for one in _parts(element)])

    def _object(self, element: Object) -> str:
        layout = element.layout
        members = [
            f"{_json(one.key)}{layout.colon}{self.write(one.value)}"
            for one in self._shown(element.members)
        ]
        return layout.opening + layout.comma.join(members) + layout.closing

    def _meant(self, tag: Tag) -> str:
        is_markup = isinstance(tag.child, AnyOrder) and tag.kind == "tool_arguments"
        if is_markup or tag.kind in {"tool_call", "reasoning", "content"}:
            return self.write(tag.child)
        return self._tagged(tag).join(self._marks)

    def _shown(self, members: tuple[Member, ...]) -> list[Member]:
        return [one for one in members if not one.is_optional or (self._id and _is_id(one.value))]

    def _tagged(self, tag: Tag) -> str:
        match tag.kind, tag.child:
            case "tool_id", Schema():
                return _json(self._id)
            case "tool_id", Until():
                return self._id
            case "tool_arguments", Json() | Schema():
                return _json(self._arguments)
            case "tool_arguments", Value(notation=notation):
                return value_text(self._arguments, notation)
            case "argument_name", Literal(text):
                self._argument = text
            case "argument_text" | "argument_any" | "argument_json", Until() | Json() | Schema():
                return self._value(tag)
        return self.write(tag.child)

    def _value(self, tag: Tag) -> str:
        value = self._arguments.get(self._argument)
        is_raw = tag.kind != "argument_json" and isinstance(value, str)
        return str(value) if is_raw else _json(value)


def _parts(element: Element) -> tuple[Element, ...]:
    """Give what is written of a compound: of a choice its first item that models should write."""
    match element:
        case Sequence(items) | AnyOrder(items):
            return items
        case Choice(items):
            return tuple(item for item in items if not isinstance(item, Drift))[:1]
        case Repeat(child, least):
            return (child,) * least
        case Rule(_, child):
            return (child,)
    return ()


def _is_id(element: Element) -> bool:
    return isinstance(element, Tag) and element.kind == "tool_id"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
