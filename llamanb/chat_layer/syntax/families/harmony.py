"""The family whose messages each name a channel: gpt-oss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.elements import (
    Choice,
    Element,
    Literal,
    Schema,
    Tag,
    Token,
    optional,
    sequence,
)
from llamanb.chat_layer.syntax.families.family import Family
from llamanb.chat_layer.syntax.schemas import closed

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.description import ToolShape

__all__ = ["HARMONY"]


def _harmony_call(tools: tuple[ToolShape, ...]) -> Element:
    return Choice(tuple(one for tool in tools for one in _harmony_calls(tool)))


def _harmony_calls(tool: ToolShape) -> tuple[Element, ...]:
    """Give the two ways: the recipient in the channel, and in the role."""
    name = Tag("tool_name", Literal(tool.name))
    arguments = Tag("tool_arguments", Schema(closed(tool.parameters)))
    json_mark = optional(sequence(Literal(" "), optional(Token("<|constrain|>")), Literal("json")))
    begun = sequence(Token("<|channel|>"), Literal("commentary to=functions."))
    in_channel = sequence(name, json_mark, Token("<|message|>"), arguments)
    in_role = sequence(
        name,
        Token("<|channel|>"),
        Literal("commentary"),
        json_mark,
        Token("<|message|>"),
        arguments,
    )
    end = Token("<|call|>")
    return (
        sequence(begun, Tag("tool_call", in_channel), end),
        sequence(Literal(" to=functions."), Tag("tool_call", in_role), end),
    )


HARMONY = Family(
    name="gpt-oss",
    marks=(("<|channel|>", "<|message|>", "<|call|>"),),
    call=_harmony_call,
    triggers=("<|channel|>commentary to=functions.", " to=functions."),
    is_parallel=False,
    has_channels=True,
    thinking=("", ""),
)
