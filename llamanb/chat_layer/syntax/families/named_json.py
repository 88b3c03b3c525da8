"""Families that write the name first and then the arguments as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.elements import (
    Choice,
    Element,
    Literal,
    Schema,
    Tag,
    Token,
    Until,
    sequence,
)
from llamanb.chat_layer.syntax.families.family import Family
from llamanb.chat_layer.syntax.schemas import closed

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.description import ToolShape

__all__ = ["MISTRAL_NAMED"]


def _named_json_call(tool: ToolShape) -> Element:
    call_id = sequence(Token("[CALL_ID]"), Tag("tool_id", Until(("[ARGS]",))))
    return sequence(
        Token("[TOOL_CALLS]"),
        Tag(
            "tool_call",
            sequence(
                Tag("tool_name", Literal(tool.name)),
                Choice((sequence(call_id, Token("[ARGS]")), Token("[ARGS]"))),
                Tag("tool_arguments", Schema(closed(tool.parameters))),
            ),
        ),
    )


def _mistral_named_call(tools: tuple[ToolShape, ...]) -> Element:
    return Choice(tuple(_named_json_call(tool) for tool in tools))


MISTRAL_NAMED = Family(
    name="mistral",
    marks=(("[TOOL_CALLS]", "[ARGS]"),),
    call=_mistral_named_call,
    separator=Literal(""),
    thinking=("[THINK]", "[/THINK]"),
    triggers=("[TOOL_CALLS]",),
)
