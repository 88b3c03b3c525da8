"""The family whose messages each name a channel: gpt-oss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.description import Block, Description
from llamanb.chat_layer.syntax.elements import (
    Choice,
    Element,
    Literal,
    Rule,
    Schema,
    Tag,
    Token,
    Until,
    optional,
    sequence,
)
from llamanb.chat_layer.syntax.families.family import Family
from llamanb.chat_layer.syntax.schemas import closed

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.description import ToolShape, Wish

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


_END, _RETURN = Token("<|end|>"), Token("<|return|>")
_ENDS = ("<|end|>", "<|return|>", "<|start|>")


def _message(channel: str, text: Element, *end: Element) -> Element:
    return sequence(Token("<|channel|>"), Literal(channel), Token("<|message|>"), text, *end)


def _compose(family: Family, wish: Wish) -> Description:
    """Describe messages of which each names its channel: analysis, commentary, final."""
    again = sequence(Token("<|start|>"), Literal("assistant"))
    analysis = _message("analysis", Tag("reasoning", Until(("<|end|>",)), _ENDS), _END)
    preamble = _message("commentary", Tag("content", Until(("<|end|>",)), _ENDS), _END)
    final = sequence(_message("final", _final_text(wish)), optional(Choice((_RETURN, _END))))
    calls = Rule("call", family.call(wish.chosen)) if wish.chosen else None
    thoughts = (analysis,) if wish.thinking.ends else ()
    before = (*thoughts, *(() if wish.must_call else (preamble,)))
    answers = (*((calls,) if calls else ()), *(() if wish.must_call else (final,)))
    known = (family.call(wish.known),) if wish.chosen else ()
    messages = Choice((*thoughts, *known, preamble, final))
    return Description(
        output=sequence(*(optional(sequence(one, again)) for one in before), Choice(answers)),
        blocks=(Block(sequence(again, messages)), Block(messages)),
        triggers=family.triggers if wish.chosen else (),
        calls=calls,
    )


def _final_text(wish: Wish) -> Element:
    text = Until(("<|end|>", "<|return|>")) if wish.has_free_answer else wish.answer_text
    return Tag("content", text, _ENDS)


HARMONY = Family(
    name="gpt-oss",
    marks=(("<|channel|>", "<|message|>", "<|call|>"),),
    call=_harmony_call,
    triggers=("<|channel|>commentary to=functions.", " to=functions."),
    is_parallel=False,
    compose=_compose,
    thinking=("<|channel|>analysis<|message|>", "<|end|>"),
)
