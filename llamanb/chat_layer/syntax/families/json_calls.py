"""Families whose calls are JSON objects that hold name and arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.elements import (
    Choice,
    Element,
    Literal,
    Member,
    Object,
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

__all__ = ["HERMES", "LLAMA", "MISTRAL_ARRAY"]


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
