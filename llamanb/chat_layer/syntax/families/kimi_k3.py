"""Kimi K3: a message is made of sections, and each tag of three special tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.description import Block, Description
from llamanb.chat_layer.syntax.elements import (
    Choice,
    Element,
    Literal,
    Repeat,
    Rule,
    Sequence,
    Tag,
    Token,
    Until,
    optional,
    sequence,
)
from llamanb.chat_layer.syntax.families.family import NOTHING, Family
from llamanb.chat_layer.syntax.families.tagged_calls import CallTags, tagged_calls

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.description import ToolShape, Wish

__all__ = ["KIMI_K3"]

_OPEN, _CLOSE, _SEP = Token("<|open|>"), Token("<|close|>"), Token("<|sep|>")
_KINDS = ("string", "number", "boolean", "null", "object", "array")


def _opened(text: str) -> Sequence:
    return Sequence((_OPEN, Literal(text), _SEP))


def _closed(text: str) -> Sequence:
    return Sequence((_CLOSE, Literal(text), _SEP))


_END = sequence(_closed("message"), optional(Token("<|end_of_msg|>")))
_TEXT = Until((_CLOSE.text,))
_DIGIT = Choice(tuple(Literal(digit) for digit in "0123456789"))
_INDEX = optional(sequence(Literal(' index="'), Repeat(_DIGIT, 1, 3), Literal('"')))


def _calls(family: Family, tools: tuple[ToolShape, ...], *, is_parallel: bool = True) -> Element:
    call = Rule("call", family.call(tools))
    more = (Repeat(call),) if is_parallel else ()
    before, after = family.section
    return sequence(before, call, *more, after)


def _thoughts(*, is_open: bool) -> Element:
    start = () if is_open else (_opened("think"),)
    return sequence(*start, Tag("reasoning", _TEXT), _closed("think"))


def _response(text: Element) -> Element:
    return sequence(_opened("response"), text, _closed("response"))


def _compose(family: Family, wish: Wish) -> Description:
    """Describe the sections of a message: thoughts, a response, and calls."""
    thinking = wish.thinking
    opened = _thoughts(is_open=True) if thinking.ends and thinking.is_open else None
    thoughts = _thoughts(is_open=False)
    may_open = thinking.ends and thinking.is_allowed and not thinking.is_open
    text = Tag("content", _TEXT if wish.has_free_answer else wish.answer_text)
    calls = _calls(family, wish.chosen, is_parallel=wish.is_parallel) if wish.chosen else None
    answer = (
        sequence(optional(_response(NOTHING)), calls)
        if calls and wish.must_call
        else sequence(_response(text), *((optional(calls),) if calls else ()))
    )
    before = opened or (optional(thoughts) if may_open else NOTHING)
    known = (_calls(family, wish.known),) if wish.chosen else ()
    blocks = (*((thoughts,) if thinking.ends else ()), _response(Tag("content", _TEXT)), *known)
    return Description(
        output=sequence(before, answer, optional(_END)),
        blocks=tuple(Block(one) for one in (*blocks, _END)),
        opened=opened,
        triggers=family.triggers if wish.chosen else (),
        calls=sequence(calls, optional(_END)) if calls else None,
    )


KIMI_K3 = Family(
    name="kimi-k3",
    marks=(("<|open|>", "<|close|>", "<|sep|>", "xtml_type"),),
    call=tagged_calls(
        CallTags(
            before=sequence(_OPEN, Literal('call tool="')),
            named=sequence(Literal('"'), _INDEX, _SEP),
            argument=sequence(_OPEN, Literal('argument key="')),
            typed=tuple((kind, sequence(Literal(f'" type="{kind}"'), _SEP)) for kind in _KINDS),
            loose=(sequence(Literal('" type="integer"'), _SEP), sequence(Literal('"'), _SEP)),
            end=_closed("argument"),
            after=_closed("call"),
        )
    ),
    section=(_opened("tools"), _closed("tools")),
    separator=NOTHING,
    thinking=("<|open|>think<|sep|>", "<|close|>think<|sep|>"),
    triggers=("<|open|>tools<|sep|>",),
    compose=_compose,
    begun=("<|open|>response<|sep|>",),
    answer_openings=(
        "<|close|>think<|sep|><|open|>response<|sep|>",
        "<|close|>think<|sep|><|open|>response<|sep|>",
    ),
)
