"""Families that write each argument between tags of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.elements import (
    Choice,
    Element,
    Literal,
    Schema,
    Sequence,
    Tag,
    Token,
    Until,
    optional,
    sequence,
)
from llamanb.chat_layer.syntax.families.family import Family
from llamanb.chat_layer.syntax.schemas import closed, is_text, may_be_text

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.description import ToolShape

__all__ = ["QWEN_CODER"]


_VALUE_END = "\n</parameter>\n"
_VALUE_ENDS = (
    _VALUE_END,
    *("</parameter>\n</function>\n</tool_call>", "</parameter></function></tool_call>"),
)


def _parameter(name: Element, schema: object) -> Element:
    if is_text(schema):
        value: Element = Tag("argument_text", Until((_VALUE_END,)), _VALUE_ENDS)
    elif may_be_text(schema):
        value = Tag("argument_any", Until((_VALUE_END,)), _VALUE_ENDS)
    else:
        value = Tag("argument_json", Schema(closed(schema)), _VALUE_ENDS)
    return sequence(
        Literal("<parameter="),
        Tag("argument_name", name),
        Literal(">\n"),
        value,
        Literal(_VALUE_END),
    )


def _parameters(tool: ToolShape) -> Tag:
    required = tool.parameters.get("required") or ()
    properties = tool.parameters.get("properties") or {}
    items = (
        (name in required, _parameter(Literal(name), schema)) for name, schema in properties.items()
    )
    written = tuple(item if is_needed else optional(item) for is_needed, item in items)
    spare = _parameter(Until((">",)), {})
    return Tag("tool_arguments", Sequence(written), spare=spare)


def _tagged_call(tool: ToolShape) -> Element:
    return sequence(
        Token("<tool_call>"),
        Literal("\n<function="),
        Tag(
            "tool_call",
            sequence(
                Tag("tool_name", Literal(tool.name)),
                Literal(">\n"),
                _parameters(tool),
                Literal("</function>"),
            ),
        ),
        Literal("\n"),
        Token("</tool_call>"),
    )


def _qwen_coder_call(tools: tuple[ToolShape, ...]) -> Element:
    return Choice(tuple(_tagged_call(tool) for tool in tools))


QWEN_CODER = Family(
    name="qwen-coder",
    marks=(("<function=", "<parameter=", "<tool_call>", "</parameter>"),),
    not_marks=("<seed:tool_call>",),
    call=_qwen_coder_call,
    triggers=("<tool_call>",),
)
