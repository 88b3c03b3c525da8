"""The family whose messages each name a channel: gpt-oss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.description import Block, Description
from llamanb.chat_layer.syntax.elements import (
    Ahead,
    Choice,
    Drift,
    Element,
    Json,
    Literal,
    Rule,
    Schema,
    Tag,
    Token,
    Until,
    optional,
    sequence,
)
from llamanb.chat_layer.syntax.families.calls import drift
from llamanb.chat_layer.syntax.families.family import NOTHING, Family
from llamanb.chat_layer.syntax.schemas import closed

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.description import ToolShape, Wish

__all__ = ["HARMONY"]

_CHANNEL, _MESSAGE = Token("<|channel|>"), Token("<|message|>")
_END, _RETURN, _CALL = Token("<|end|>"), Token("<|return|>"), Token("<|call|>")
_ENDS = ("<|end|>", "<|return|>", "<|start|>")
_AGAIN = sequence(Token("<|start|>"), Literal("assistant"))
# Calls belong in commentary; models write them in analysis, too.
_SIDE = Choice((Literal("commentary"), Literal("analysis")))
_PREFIX = Choice((Literal("functions."), Drift(NOTHING)))
# Whom models write to without being asked; such messages are shown.
_OTHERS = ("assistant", "python", "container.exec", "browser.search", "browser.open")


def _kind(*kinds: str) -> Element:
    """Give that a header may end with the kind of text that follows."""
    texts = Choice(tuple(map(Literal, kinds)))
    return optional(sequence(Literal(" "), optional(Token("<|constrain|>")), texts))


def _headers(recipient: Element, kind: Element) -> tuple[Element, ...]:
    """Give the two headers of a message to someone: named in the channel, and in the role."""
    to, twice = Literal(" to="), drift(sequence(_CHANNEL, _SIDE))
    in_channel = sequence(_CHANNEL, _SIDE, to, recipient, twice, kind, _MESSAGE)
    in_role = sequence(to, recipient, _CHANNEL, _SIDE, kind, _MESSAGE)
    return in_channel, in_role


def _harmony_call(tools: tuple[ToolShape, ...]) -> Element:
    known = tuple(
        one
        for tool in tools
        for one in _calls(_PREFIX, Literal(tool.name), Schema(closed(tool.parameters)))
    )
    prefix, name = Literal("functions."), Until(("<|", " ", "\n"))
    unknown = _calls(prefix, name, Json(), Ahead(("{",)))
    return Choice((*known, *(Drift(one) for one in unknown)))


def _calls(
    prefix: Element, name: Element, arguments: Element, *before: Element
) -> tuple[Element, ...]:
    recipient = sequence(prefix, Tag("tool_name", name))
    return tuple(
        sequence(
            Tag("tool_call", sequence(header, *before, Tag("tool_arguments", arguments))), _CALL
        )
        for header in _headers(recipient, _kind("json"))
    )


def _message(channel: str, *text: Element, kind: Element | None = None) -> Element:
    header = (Literal(channel), *((kind,) if kind else ()))
    return sequence(_CHANNEL, *header, _MESSAGE, *text)


def _strays() -> tuple[Element, ...]:
    """Give what no prompt asks for: a header in a header, and messages to others."""
    lone = sequence(_CHANNEL, Literal("commentary to=assistant"), Ahead((_CHANNEL.text,)))
    recipient = Choice(tuple(map(Literal, _OTHERS)))
    headers = _headers(recipient, _kind("code", "json"))
    text = Tag("content", Until((*_ENDS, _CALL.text)))
    return (lone, *(sequence(one, text, Choice((_END, _CALL))) for one in headers))


def _compose(family: Family, wish: Wish) -> Description:
    """Describe messages of which each names its channel: analysis, commentary, final."""
    thought = sequence(Tag("reasoning", Until(("<|end|>",)), _ENDS), _END)
    analysis = _message("analysis", thought)
    preamble = _message("commentary", Tag("content", Until(("<|end|>",)), _ENDS), _END)
    final = sequence(_final(wish), optional(Choice((_RETURN, _END))))
    calls = Rule("call", family.call(wish.chosen)) if wish.chosen else None
    thoughts = (analysis,) if wish.thinking.ends else ()
    is_open = bool(thoughts) and wish.thinking.is_open
    spoken = () if wish.must_call else (preamble,)
    before = (*(() if is_open else thoughts), *spoken)
    answers = (*((calls,) if calls else ()), *(() if wish.must_call else (final,)))
    known = (family.call(wish.known),) if wish.chosen else ()
    messages = Choice((*thoughts, *known, preamble, final, *_strays()))
    return Description(
        output=sequence(
            *((thought, _AGAIN) if is_open else ()),
            *(optional(sequence(one, _AGAIN)) for one in before),
            Choice(answers),
        ),
        blocks=(Block(sequence(_AGAIN, messages)), Block(messages)),
        opened=thought if is_open else None,
        triggers=family.triggers if wish.chosen else (),
        calls=calls,
    )


def _final(wish: Wish) -> Element:
    if wish.has_free_answer:
        return _message("final", Tag("content", Until(("<|end|>", "<|return|>")), _ENDS))
    return _message("final", Tag("content", wish.answer_text, _ENDS), kind=_kind("json"))


HARMONY = Family(
    name="gpt-oss",
    marks=(("<|channel|>", "<|message|>", "<|call|>"),),
    call=_harmony_call,
    triggers=(
        "<|channel|>commentary to=functions.",
        "<|channel|>analysis to=functions.",
        " to=functions.",
    ),
    is_parallel=False,
    compose=_compose,
    thinking=("<|channel|>analysis<|message|>", "<|end|>"),
    answer_openings=(
        "<|channel|>final<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
    ),
)
