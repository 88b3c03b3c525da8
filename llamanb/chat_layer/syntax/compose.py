"""Puts a family's pieces together for the tools and wishes of one conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.description import Block, Description, ToolShape, openers
from llamanb.chat_layer.syntax.elements import (
    Choice,
    Element,
    Literal,
    Repeat,
    Rule,
    Tag,
    Token,
    Until,
    optional,
    sequence,
)
from llamanb.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llamanb.chat_layer.syntax.families import Family

__all__ = ["compose"]


def compose(
    family: Family,
    tools: Iterable[ToolShape] = (),
    *,
    tool_choice: str = "auto",
    parallel: bool = True,
    thinking_open: bool = False,
) -> Description:
    """Describe the outputs of ``family`` in one conversation.

    Parameters
    ----------
    tools : what may be called.
    tool_choice : ``"none"``, ``"auto"``, ``"required"``, or the name of one tool.
    parallel : whether one answer may hold several calls.
    thinking_open : whether the prompt ends inside reasoning.

    Raises
    ------
    OptionError
        If ``tool_choice`` names no tool, or asks for a call and there are no tools.
    """
    known = tuple(tools)
    chosen = _chosen(known, tool_choice)
    if family.has_channels:
        return _channels(family, known, chosen, must_call=tool_choice not in {"auto", "none"})
    reasoning = _reasoning(family, is_open=thinking_open)
    calls = _calls(family, chosen, parallel=parallel) if chosen else None
    answer = _answer(calls, must_call=tool_choice != "auto", anywhere=family.anywhere)
    blocks = [Block(_reasoning(family), anywhere=False)] if family.thinking[0] else []
    if chosen:
        blocks.append(Block(_calls(family, known), anywhere=family.anywhere))
    before = reasoning if thinking_open else optional(reasoning)
    return Description(
        output=sequence(before, answer) if family.thinking[0] else answer,
        blocks=tuple(blocks),
        opened=reasoning if thinking_open and family.thinking[0] else None,
        triggers=family.triggers if chosen else (),
        calls=calls,
    )


def _chosen(tools: tuple[ToolShape, ...], choice: str) -> tuple[ToolShape, ...]:
    if choice == "none":
        return ()
    chosen = tuple(tool for tool in tools if choice in {"auto", "required", tool.name})
    if not chosen and choice != "auto":
        names = ", ".join(repr(tool.name) for tool in tools) or "none"
        raise OptionError(f"tool_choice={choice!r} is not possible; the tools are: {names}")
    return chosen


def _reasoning(family: Family, *, is_open: bool = False) -> Element:
    start, end = family.thinking
    inside = sequence(Tag("reasoning", Until((end,))), Token(end), Repeat(Literal("\n"), 0, 2))
    return inside if is_open else sequence(Token(start), optional(Literal("\n")), inside)


def _calls(family: Family, tools: tuple[ToolShape, ...], *, parallel: bool = True) -> Element:
    before, after = family.section
    call = Rule("call", family.call(tools))
    many = Repeat(sequence(family.separator, call)) if parallel and family.is_parallel else None
    return sequence(before, call, *((many,) if many else ()), after)


def _answer(calls: Element | None, *, must_call: bool, anywhere: bool) -> Element:
    if calls is None:
        return Tag("content", Until(()))
    if must_call:
        return calls
    if not anywhere:
        return Choice((calls, Tag("content", Until(()))))
    return sequence(Tag("content", Until(tuple(sorted(openers(calls))))), optional(calls))


_END, _RETURN = Token("<|end|>"), Token("<|return|>")


def _message(channel: str, text: Element, *end: Element) -> Element:
    return sequence(Token("<|channel|>"), Literal(channel), Token("<|message|>"), text, *end)


def _channels(
    family: Family, known: tuple[ToolShape, ...], chosen: tuple[ToolShape, ...], *, must_call: bool
) -> Description:
    """Describe messages of which each names its channel: analysis, commentary, final."""
    again = sequence(Token("<|start|>"), Literal("assistant"))
    ends = ("<|end|>", "<|return|>", "<|start|>")
    analysis = _message("analysis", Tag("reasoning", Until(("<|end|>",)), ends), _END)
    final = _message("final", Tag("content", Until(("<|end|>", "<|return|>")), ends))
    ending = optional(Choice((_RETURN, _END)))
    preamble = _message("commentary", Tag("content", Until(("<|end|>",)), ends), _END)
    calls = Rule("call", family.call(chosen)) if chosen else None
    answers = [*((calls,) if calls else ()), *(() if must_call else (sequence(final, ending),))]
    before = [optional(sequence(one, again)) for one in (analysis, preamble)]
    messages = Choice(
        (analysis, *((family.call(known),) if chosen else ()), preamble, sequence(final, ending))
    )
    return Description(
        output=sequence(*before[: 1 if must_call else 2], Choice(tuple(answers))),
        blocks=(Block(sequence(again, messages)), Block(messages)),
        triggers=family.triggers if chosen else (),
        calls=calls,
    )
