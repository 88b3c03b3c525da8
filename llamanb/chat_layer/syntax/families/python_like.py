"""Families whose arguments are written in a notation of their own: LFM2 and Gemma 4."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.elements import (
    Ahead,
    Choice,
    Drift,
    Element,
    Literal,
    Repeat,
    Tag,
    Token,
    Value,
    sequence,
)
from llamanb.chat_layer.syntax.families.calls import ANY_NAME, drift
from llamanb.chat_layer.syntax.families.family import NOTHING, Family
from llamanb.chat_layer.syntax.families.json_objects import COMMA, in_list, objects
from llamanb.chat_layer.syntax.notation import Notation
from llamanb.chat_layer.syntax.schemas import closed

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.description import ToolShape

__all__ = ["GEMMA_4", "GEMMA_NOTATION", "LFM2", "PYTHON_CALL", "python_calls", "python_list"]

_PYTHON = Notation(
    name="python",
    quotes=("'", '"'),
    true=("True", "true"),
    false=("False", "false"),
    null=("None", "null"),
)
PYTHON_CALL = replace(
    _PYTHON,
    name="argument",
    brackets=("(", ")"),
    colon="=",
    has_bare_keys=True,
    nested=_PYTHON,
)
GEMMA_NOTATION = Notation(
    name="gemma",
    colon=":",
    comma=",",
    has_bare_keys=True,
    quotes=('<|"|>',),
    is_raw=True,
    null=("null", "None"),
    sorts_keys=True,
)


def _written(
    name: Element, schema: dict[str, object], notation: Notation, between: Element = NOTHING
) -> Element:
    """Give a name and, at once, the arguments in their brackets."""
    arguments = Tag("tool_arguments", Value(closed(schema), notation))
    return Tag("tool_call", sequence(Tag("tool_name", name), between, Ahead(("(", "{")), arguments))


def _known_calls(tools: tuple[ToolShape, ...], notation: Notation) -> tuple[Element, ...]:
    return tuple(_written(Literal(tool.name), tool.parameters, notation) for tool in tools)


def python_calls(tools: tuple[ToolShape, ...], between: Element) -> tuple[Element, ...]:
    """Give calls of known tools as Python writes them, with ``between`` after the name."""
    return tuple(
        _written(Literal(tool.name), tool.parameters, PYTHON_CALL, between) for tool in tools
    )


def _call(tools: tuple[ToolShape, ...], notation: Notation) -> Element:
    unknown = Drift(_written(ANY_NAME, {}, notation))
    return Choice((*_known_calls(tools, notation), unknown))


def _lfm2_call(tools: tuple[ToolShape, ...]) -> Element:
    # Asked for JSON in the system text, these models write objects into the list.
    return Choice((_call(tools, PYTHON_CALL), Drift(objects()(tools))))


def _gemma_call(tools: tuple[ToolShape, ...]) -> Element:
    return sequence(
        Token("<|tool_call>"),
        Choice((Literal("call:"), Drift(NOTHING))),
        _call(tools, GEMMA_NOTATION),
        Token("<tool_call|>"),
    )


def python_list(tools: tuple[ToolShape, ...]) -> Element:
    """Give a list of calls of known tools."""
    one = Choice(_known_calls(tools, PYTHON_CALL))
    more = Repeat(sequence(COMMA, one))
    return Drift(sequence(Literal("["), one, more, Literal("]")))


LFM2 = Family(
    name="lfm2",
    marks=(
        ("<|tool_call_start|>",),
        ("<|tool_list_start|>",),
        ("List of tools: [", "<|im_start|>"),
    ),
    call=_lfm2_call,
    section=in_list(Token("<|tool_call_start|>"), Token("<|tool_call_end|>")),
    separator=COMMA,
    triggers=("<|tool_call_start|>",),
    unmarked=lambda tools: (python_list(tools),),
)
GEMMA_4 = Family(
    name="gemma-4",
    marks=(("<|tool_call>call:", "<tool_call|>"),),
    call=_gemma_call,
    section=(NOTHING, drift(Token("<|tool_response>"))),
    separator=NOTHING,
    thinking=("<|channel>thought", "<channel|>"),
    strays=(
        sequence(Token("<|channel>"), Literal("thought"), Token("<channel|>")),
        sequence(Token("<|channel>"), Ahead(("<|channel>",))),
        Token("<channel|>"),
    ),
    triggers=("<|tool_call>",),
)
