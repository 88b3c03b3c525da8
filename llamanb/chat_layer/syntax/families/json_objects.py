"""Calls that are JSON objects with name and arguments in them, and lists of these."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.elements import (
    Choice,
    Drift,
    Element,
    Layout,
    Literal,
    Member,
    Object,
    Repeat,
    Schema,
    Tag,
    sequence,
)
from llamanb.chat_layer.syntax.families.calls import drift
from llamanb.chat_layer.syntax.families.family import NOTHING
from llamanb.chat_layer.syntax.schemas import closed

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.chat_layer.syntax.description import ToolShape

__all__ = [
    "COMMA",
    "FENCE",
    "FENCE_END",
    "ObjectForm",
    "bare_calls",
    "in_list",
    "marked",
    "objects",
]

# Models at times write calls below each other, without a comma.
COMMA = Choice((Literal(", "), Drift(NOTHING)))
FENCE, FENCE_END = drift(Literal("```json"), Literal("```")), drift(Literal("```"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectForm:
    """Keys and layout of the objects of one family.

    Attributes
    ----------
    name, arguments, id : keys; ``id`` may be "".
    id_value : what an id looks like.
    id_is_first : whether the id comes first, and always; else last, if at all.
    has_type : whether ``"type": "function"`` may come first.
    is_bare : whether nothing around an object marks it as a call.
    """

    name: str = "name"
    arguments: str = "arguments"
    id: str = ""
    id_value: Element = field(default_factory=lambda: Schema({"type": "string"}))
    id_is_first: bool = False
    has_type: bool = False
    is_bare: bool = False
    layout: Layout = field(default_factory=Layout)

    def written(self, tool: ToolShape) -> Object:
        """Give the object that calls ``tool``."""
        call_id = (Member(self.id, self._id(), is_optional=not self.id_is_first),)
        kind = (Member("type", Literal('"function"'), is_optional=True),)
        members = (
            *(kind if self.has_type else ()),
            *(call_id if self.id and self.id_is_first else ()),
            Member(self.name, Tag("tool_name", Schema({"const": tool.name}))),
            Member(self.arguments, Tag("tool_arguments", Schema(closed(tool.parameters)))),
            *(call_id if self.id and not self.id_is_first else ()),
        )
        return Object(members, self.is_bare, self.layout)

    def _id(self) -> Element:
        if isinstance(self.id_value, Schema):
            return Tag("tool_id", self.id_value)
        return sequence(Literal('"'), Tag("tool_id", self.id_value), Literal('"'))


def objects(form: ObjectForm | None = None) -> Callable[[tuple[ToolShape, ...]], Element]:
    """Give the calls of a family that writes nothing around each."""
    written = (form or ObjectForm()).written
    return lambda tools: Tag("tool_call", Choice(tuple(written(tool) for tool in tools)))


def marked(
    start: Element, end: Element, form: ObjectForm | None = None
) -> Callable[[tuple[ToolShape, ...]], Element]:
    """Give the calls of a family that writes markers around each.

    Models at times put several calls between one pair of markers, or a fence
    around the object.
    """
    make = objects(form)

    def call(tools: tuple[ToolShape, ...]) -> Element:
        one = make(tools)
        several = sequence(Literal("["), one, Repeat(sequence(COMMA, one)), Literal("]"))
        more = Repeat(sequence(drift(Literal(",")), one), 1, None)
        inner = Choice((one, Drift(several)))
        brace = drift(Literal("}"))  # one too many
        return sequence(start, drift(start), FENCE, inner, drift(more), brace, FENCE_END, end)

    return call


def bare_calls(tools: tuple[ToolShape, ...]) -> Element:
    """Give calls of known tools without any marker, as models write them at times.

    Only the parser takes them, and only where an answer begins.
    """
    one = objects(ObjectForm(is_bare=True))(tools)
    several = Repeat(sequence(drift(Literal(","), Literal(";")), one))
    opening, closing = drift(Literal("[")), drift(Literal("]"))
    return Drift(sequence(FENCE, opening, one, several, closing, FENCE_END))


def in_list(
    start: Element, end: Element, brackets: tuple[str, str] = ("[", "]")
) -> tuple[Element, Element]:
    """Give what stands around calls in a list; models at times forget its brackets."""
    opening, closing = (Choice((Literal(one), Drift(NOTHING))) for one in brackets)
    return (
        sequence(start, FENCE, opening),
        sequence(drift(Literal(",")), closing, FENCE_END, end),
    )
