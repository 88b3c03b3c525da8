"""Families that write the name first and then the arguments as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.elements import (
    Ahead,
    Choice,
    Drift,
    Element,
    Literal,
    Tag,
    Token,
    Until,
    sequence,
)
from llamanb.chat_layer.syntax.families.calls import DIGITS, CallForm, any_tool
from llamanb.chat_layer.syntax.families.family import NEW_LINE, NOTHING, Family
from llamanb.chat_layer.syntax.families.json_objects import bare_calls
from llamanb.chat_layer.syntax.families.unmarked import code_calls

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.description import ToolShape

__all__ = ["DEEPSEEK_R1", "DEEPSEEK_V3", "FUNCTIONARY_3_1", "KIMI_K2", "MISTRAL_NAMED"]


def _between(start: Element, form: CallForm, end: Element) -> CallForm:
    """Give ``form`` as one call, with markers around it."""

    def write(name: Element, arguments: Element) -> Element:
        return sequence(start, Tag("tool_call", form(name, arguments)), end)

    return write


def _mistral_form(name: Element, arguments: Element) -> Element:
    call_id = sequence(Token("[CALL_ID]"), Tag("tool_id", Until(("[ARGS]",))))
    marker = Choice((sequence(call_id, Token("[ARGS]")), Token("[ARGS]")))
    return sequence(name, marker, arguments)


def _mistral_drifted(name: Element, arguments: Element) -> Element:
    return sequence(name, Ahead(("{",)), arguments)


def _mistral_call(tools: tuple[ToolShape, ...]) -> Element:
    """Give a call; the earlier models' list of objects is understood, too."""
    start = Token("[TOOL_CALLS]")
    forms = (_between(start, form, NOTHING) for form in (_mistral_form, _mistral_drifted))
    return Choice((any_tool(tools, *forms), Drift(sequence(start, bare_calls(tools)))))


MISTRAL_NAMED = Family(
    name="mistral",
    marks=(("[TOOL_CALLS]", "[ARGS]"),),
    call=_mistral_call,
    separator=NOTHING,
    thinking=("[THINK]", "[/THINK]"),
    triggers=("[TOOL_CALLS]",),
)


def _kimi_form(name: Element, arguments: Element) -> Element:
    """Give a call whose id holds the name: ``functions.get_weather:0``."""
    prefix = Choice((Literal("functions."), Drift(NOTHING)))
    index = Choice((sequence(Literal(":"), DIGITS), Drift(NOTHING)))
    call_id = Tag("tool_id", sequence(prefix, name, index))
    return sequence(call_id, Token("<|tool_call_argument_begin|>"), arguments)


def _kimi_call(tools: tuple[ToolShape, ...]) -> Element:
    start, end = Token("<|tool_call_begin|>"), Token("<|tool_call_end|>")
    return any_tool(tools, _between(start, _kimi_form, end))


KIMI_K2 = Family(
    name="kimi-k2",
    marks=(("<|tool_calls_section_begin|>", "<|tool_call_argument_begin|>"),),
    call=_kimi_call,
    section=(
        Choice((Token("<|tool_calls_section_begin|>"), Drift(NOTHING))),
        Token("<|tool_calls_section_end|>"),
    ),
    separator=NOTHING,
    triggers=("<|tool_calls_section_begin|>",),
)

_SEP = Token("<｜tool▁sep｜>")
_CALL_END = "<｜tool▁call▁end｜>"
# DeepSeek-R1 is known to misspell the marker that opens its calls.
_MISSPELT = ("<｜tool_calls_begin｜>", "<｜tool calls begin｜>", "<｜tool▁calls｜>")
_DEEPSEEK_SECTION = (
    Choice(
        (
            Token("<｜tool▁calls▁begin｜>"),
            *(Drift(Literal(text)) for text in (*_MISSPELT, "")),
        )
    ),
    Token("<｜tool▁calls▁end｜>"),
)


def _fenced(name: Element, arguments: Element) -> Element:
    end = Choice((Literal("\n```"), Literal("```")))
    fence = (Literal("\n```json\n"), arguments, end)
    return sequence(Literal("function"), _SEP, name, *fence)


def _unfenced(name: Element, arguments: Element) -> Element:
    return sequence(name, _SEP, Ahead(("{", _CALL_END)), arguments)


def _deepseek(form: CallForm, drifted: CallForm) -> tuple[CallForm, CallForm]:
    start, end = Token("<｜tool▁call▁begin｜>"), Token(_CALL_END)
    return _between(start, form, end), _between(start, drifted, end)


DEEPSEEK_R1 = Family(
    name="deepseek-r1",
    marks=(
        ("<｜tool▁calls▁begin｜>", "```json"),
        ("<｜Assistant｜>", "<｜tool▁outputs▁begin｜>"),  # a template that writes no calls
    ),
    call=lambda tools: any_tool(tools, *_deepseek(_fenced, _unfenced)),
    section=_DEEPSEEK_SECTION,
    separator=NEW_LINE,
    triggers=("<｜tool▁calls▁begin｜>",),
)
DEEPSEEK_V3 = Family(
    name="deepseek-v3.1",
    marks=(("<｜tool▁calls▁begin｜>", "<｜tool▁sep｜>"),),
    not_marks=("```json",),
    call=lambda tools: any_tool(tools, *_deepseek(_unfenced, _fenced)),
    section=_DEEPSEEK_SECTION,
    separator=NOTHING,
    triggers=("<｜tool▁calls▁begin｜>",),
)


def _functionary_form(name: Element, arguments: Element) -> Element:
    return sequence(name, Literal(">"), Ahead(("{", "</function>")), arguments)


def _functionary_call(tools: tuple[ToolShape, ...]) -> Element:
    start, end = Literal("<function="), Literal("</function>")
    return any_tool(tools, _between(start, _functionary_form, end))


FUNCTIONARY_3_1 = Family(
    name="functionary-3.1",
    marks=(("<function=", "</function>"),),
    not_marks=("<parameter=", "<tool_call>"),
    call=_functionary_call,
    separator=NOTHING,
    thinking=("", ""),
    triggers=("<function=",),
    unmarked=lambda tools: code_calls(Token("<|python_tag|>"), tools),
)
