"""MiniMax-M3: arguments are trees of tags, and a special token stands before each tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.arguments import kinds_of, words_of
from llamanb.chat_layer.syntax.elements import (
    Literal,
    Sequence,
    Tag,
    Token,
    Tree,
    Until,
    sequence,
)
from llamanb.chat_layer.syntax.families.family import NOTHING, Family
from llamanb.chat_layer.syntax.families.tagged_calls import CallTags, tagged_calls
from llamanb.chat_layer.syntax.trees import ANY_NAME, closing_tag

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.arguments import Argument
    from llamanb.chat_layer.syntax.elements import Element

__all__ = ["MINIMAX_M3"]

_MARKER = "]<]minimax[>["


def _marked(rest: str) -> Sequence:
    return Sequence((Token(_MARKER), Literal(rest)))


def _parameter(tags: CallTags, argument: Argument) -> Element:
    name = Literal(argument.name) if argument.name else ANY_NAME
    value = _value(argument)
    return sequence(tags.argument, Tag("argument_name", name), tags.value, *value)


def _value(argument: Argument) -> tuple[Element, ...]:
    """Give the value with its closing tag; text is given as it comes, other values whole."""
    tree = Tree(argument.schema, _MARKER, argument.name)
    kinds = kinds_of(argument.schema)
    if [kind.name for kind in kinds] != ["string"]:
        return (Tag("argument_json", tree),)
    text = words_of(kinds[0]) or Until((_MARKER,))
    return Tag("argument_text", text, (_MARKER,)), closing_tag(tree)


MINIMAX_M3 = Family(
    name="minimax-m3",
    marks=((_MARKER, '<invoke name="', "to_xml"),),
    call=tagged_calls(
        CallTags(
            before=_marked('<invoke name="'),
            named=Literal('">'),
            argument=_marked("<"),
            value=Literal(">"),
            after=_marked("</invoke>\n"),
        ),
        _parameter,
    ),
    section=(_marked("<tool_call>\n"), _marked("</tool_call>")),
    separator=NOTHING,
    thinking=("<mm:think>", "</mm:think>"),
    triggers=(f"{_MARKER}<tool_call>",),
)
