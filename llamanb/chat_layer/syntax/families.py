"""The output syntax of model families, as data.

Each family says how one call is written, given a tool, and what stands around
calls and reasoning. Sources: the families' own chat templates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.elements import (
    Choice,
    Element,
    Literal,
    Member,
    Object,
    Schema,
    Sequence,
    Tag,
    Token,
    Until,
    optional,
    sequence,
)
from llamanb.chat_layer.syntax.schemas import closed, is_text, may_be_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.chat_layer.syntax.description import ToolShape

__all__ = ["FAMILIES", "Family", "describe"]


_NOTHING, _NEW_LINE = Literal(""), Literal("\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """How a family of models writes.

    Attributes
    ----------
    marks : groups of texts; a template with all texts of a group is of this family.
    not_marks : texts that a template of this family does not hold.
    call : one call of any of these tools, with its own markers.
    section : texts before the first and after the last call.
    separator : the text between calls.
    thinking : markers around reasoning; empty for none.
    triggers : texts at which the grammar of a free answer begins.
    is_parallel : whether one answer may hold several calls.
    anywhere : whether calls may follow other text.
    has_channels : whether every message names its channel, as harmony's do.
    """

    name: str
    marks: tuple[tuple[str, ...], ...]
    not_marks: tuple[str, ...] = ()
    call: Callable[[tuple[ToolShape, ...]], Element]
    section: tuple[Element, Element] = (_NOTHING, _NOTHING)
    separator: Element = _NEW_LINE
    thinking: tuple[str, str] = ("<think>", "</think>")
    triggers: tuple[str, ...] = ()
    is_parallel: bool = True
    anywhere: bool = True
    has_channels: bool = False

    def matches(self, source: str) -> bool:
        """Say whether the template ``source`` is of this family."""
        has_marks = any(all(mark in source for mark in group) for group in self.marks)
        return has_marks and not any(mark in source for mark in self.not_marks)


def describe(template_source: str) -> Family | None:
    """Give the family whose output syntax a template's text shows, if it is a known one."""
    return next((family for family in FAMILIES if family.matches(template_source)), None)


def _objects(
    tools: tuple[ToolShape, ...], arguments_key: str, *, id_key: str = "", is_bare: bool = False
) -> Element:
    return Choice(
        tuple(
            Object(
                (
                    Member("name", Tag("tool_name", Schema({"const": tool.name}))),
                    Member(arguments_key, Tag("tool_arguments", Schema(closed(tool.parameters)))),
                    *(
                        (Member(id_key, Tag("tool_id", Schema(_ID)), is_optional=True),)
                        if id_key
                        else ()
                    ),
                ),
                is_bare,
            )
            for tool in tools
        )
    )


_ID = {"type": "string", "minLength": 9, "maxLength": 9}


def _hermes_call(tools: tuple[ToolShape, ...]) -> Element:
    return sequence(
        Token("<tool_call>"),
        Literal("\n"),
        Tag("tool_call", _objects(tools, "arguments")),
        Literal("\n"),
        Token("</tool_call>"),
    )


def _llama_call(tools: tuple[ToolShape, ...]) -> Element:
    call = Tag("tool_call", _objects(tools, "parameters", is_bare=True))
    return sequence(optional(Token("<|python_tag|>")), call)


def _mistral_array_call(tools: tuple[ToolShape, ...]) -> Element:
    return Tag("tool_call", _objects(tools, "arguments", id_key="id"))


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


QWEN_CODER = Family(
    name="qwen-coder",
    marks=(("<function=", "<parameter=", "<tool_call>", "</parameter>"),),
    not_marks=("<seed:tool_call>",),
    call=_qwen_coder_call,
    triggers=("<tool_call>",),
)
HERMES = Family(
    name="hermes",
    marks=(
        ("<tool_call>", "</tool_call>", '"arguments"'),
        ("<tool_call>", "</tool_call>", "'arguments'"),
        ("<tool_call>\\n{", ".arguments"),
    ),
    not_marks=("<arg_key>", "<function=", "<tool_calls>", "<invoke"),
    call=_hermes_call,
    triggers=("<tool_call>",),
)
LLAMA = Family(
    name="llama-3",
    marks=(('"parameters": dictionary of argument name and its value', "<|start_header_id|>"),),
    not_marks=("<tool_call>", "<function="),
    call=_llama_call,
    triggers=("<|python_tag|>", "{"),
    is_parallel=False,
    anywhere=False,
    thinking=("", ""),
)
MISTRAL_NAMED = Family(
    name="mistral",
    marks=(("[TOOL_CALLS]", "[ARGS]"),),
    call=_mistral_named_call,
    separator=Literal(""),
    thinking=("[THINK]", "[/THINK]"),
    triggers=("[TOOL_CALLS]",),
)
MISTRAL_ARRAY = Family(
    name="mistral-nemo",
    marks=(("[TOOL_CALLS]",),),
    not_marks=("[ARGS]",),
    call=_mistral_array_call,
    section=(sequence(Token("[TOOL_CALLS]"), Literal("[")), Literal("]")),
    separator=Literal(", "),
    thinking=("", ""),
    triggers=("[TOOL_CALLS]",),
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
FAMILIES = (HARMONY, QWEN_CODER, MISTRAL_NAMED, MISTRAL_ARRAY, LLAMA, HERMES)
