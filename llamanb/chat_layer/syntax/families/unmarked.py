"""Calls in other forms than the family's own, which the parser takes where an answer begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.elements import (
    Ahead,
    Drift,
    Element,
    Literal,
    Tag,
    Until,
    sequence,
)
from llamanb.chat_layer.syntax.families.calls import any_tool
from llamanb.chat_layer.syntax.families.json_objects import marked

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.description import ToolShape

__all__ = ["code_calls", "function_tags", "xml_marked"]

_INTERPRETERS = ("python", "ipython", "code_interpreter")
_OTHER_MARKERS = ("tools", "tool", "function_call", "tool_calls")


def xml_marked(tools: tuple[ToolShape, ...]) -> tuple[Element, ...]:
    """Give JSON objects between markers that are not the family's."""
    pairs = ((Literal(f"<{name}>"), Literal(f"</{name}>")) for name in _OTHER_MARKERS)
    return tuple(Drift(marked(start, end)(tools)) for start, end in pairs)


def function_tags(tools: tuple[ToolShape, ...]) -> tuple[Element, ...]:
    """Give ``<function=name>{…}</function>``."""
    return (Drift(any_tool(tools, _function_tag)),)


def _function_tag(name: Element, arguments: Element) -> Element:
    inner = sequence(name, Literal(">"), Ahead(("{",)), arguments)
    return sequence(Literal("<function="), Tag("tool_call", inner), Literal("</function>"))


def code_calls(before: Element, tools: tuple[ToolShape, ...]) -> tuple[Element, ...]:
    """Give Python code after ``before``, to the end, if one of the tools runs code."""
    found = (tool for tool in tools if tool.name in _INTERPRETERS)
    return tuple(Drift(sequence(before, _code(tool))) for tool in found)


def _code(tool: ToolShape) -> Element:
    name = Tag("tool_name", Literal(""), word=tool.name)
    text = Tag("argument_text", Until(()))
    return Tag("tool_call", sequence(name, Tag("tool_arguments", text, word=_code_argument(tool))))


def _code_argument(tool: ToolShape) -> str:
    required = tool.parameters.get("required")
    names = required if isinstance(required, list) and required else ["code"]
    return str(names[0])
