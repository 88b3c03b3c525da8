"""Puts a family's pieces together for the tools and wishes of one conversation."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.syntax.description import (
    ANY_TEXT,
    Block,
    Description,
    Thinking,
    ToolShape,
    Wish,
    openers,
)
from llamanb.chat_layer.syntax.elements import (
    Choice,
    Element,
    Literal,
    Repeat,
    Rule,
    Schema,
    Tag,
    Token,
    Until,
    optional,
    sequence,
)
from llamanb.chat_layer.syntax.families.family import NOTHING, Family
from llamanb.chat_layer.syntax.schemas import closed
from llamanb.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["PLAIN", "calls_of", "compose", "reasoning_of", "watched"]

PLAIN = Family(name="text", marks=(), call=lambda _: NOTHING, thinking=("", ""))


def compose(
    family: Family,
    tools: Iterable[ToolShape] = (),
    *,
    tool_choice: str = "auto",
    parallel: bool = True,
    thinking: Thinking | None = None,
    thinking_open: bool = False,
    content_starts: tuple[str, ...] = (),
    json_schema: Mapping[str, Any] | None = None,
) -> Description:
    """Describe the outputs of ``family`` in one conversation.

    Parameters
    ----------
    tools : what may be called.
    tool_choice : ``"none"``, ``"auto"``, ``"required"``, or the name of one tool.
    parallel : whether one answer may hold several calls.
    thinking : the markers around reasoning; the family's own by default.
    thinking_open : whether the prompt ends inside reasoning (of the family's own markers).
    content_starts : markers that may stand before an answer and are no part of it.
    json_schema : what an answer that is no call must match.

    Raises
    ------
    OptionError
        If ``tool_choice`` names no tool, or asks for a call and there are no tools.
    """
    known = tuple(tools)
    wish = Wish(
        known=known,
        chosen=_chosen(known, tool_choice),
        must_call=tool_choice not in {"auto", "none"},
        is_parallel=parallel and family.is_parallel,
        thinking=thinking or _own_thinking(family, is_open=thinking_open),
        content_starts=content_starts or family.answer_starts,
        answer_text=ANY_TEXT if json_schema is None else Schema(closed(dict(json_schema))),
    )
    made = (family.compose or _compose_plainly)(family, wish)
    patterns = made.trigger_patterns or watched(family, made.triggers, wish.chosen)
    return replace(made, trigger_patterns=patterns)


def _own_thinking(family: Family, *, is_open: bool) -> Thinking:
    start, end = family.thinking
    return Thinking(start=start, ends=(end,), is_open=is_open) if end else Thinking()


def watched(
    family: Family, triggers: tuple[str, ...], chosen: tuple[ToolShape, ...]
) -> tuple[str, ...]:
    """Give the RE2 patterns to watch for; at the beginning only if calls stand only there."""
    if family.trigger_patterns and triggers:
        names = "|".join(re.escape(tool.name) for tool in chosen)
        return tuple(one.replace("{names}", names) for one in family.trigger_patterns)
    texts = tuple(re.escape(text) for text in triggers)
    return texts if family.anywhere else tuple(rf"^\s*({text})" for text in texts)


def _chosen(tools: tuple[ToolShape, ...], choice: str) -> tuple[ToolShape, ...]:
    if choice == "none":
        return ()
    chosen = tuple(tool for tool in tools if choice in {"auto", "required", tool.name})
    if not chosen and choice != "auto":
        names = ", ".join(repr(tool.name) for tool in tools) or "none"
        raise OptionError(f"tool_choice={choice!r} is not possible; the tools are: {names}")
    return chosen


def _compose_plainly(family: Family, wish: Wish) -> Description:
    """Describe reasoning, then text, then calls."""
    thinking = wish.thinking
    calls = calls_of(family, wish.chosen, is_parallel=wish.is_parallel) if wish.chosen else None
    answer = sequence(*_marks(wish.content_starts), _answer(family, wish, calls))
    return Description(
        output=sequence(*_before(thinking), calls if calls and wish.must_call else answer),
        blocks=_blocks(family, wish),
        opened=reasoning_of(thinking) if thinking.is_open else None,
        triggers=family.triggers if wish.chosen else (),
        calls=calls,
    )


def _marks(texts: tuple[str, ...]) -> tuple[Element, ...]:
    """Give that one of ``texts`` may stand here."""
    return (optional(Choice(tuple(Token(text) for text in texts))),) if texts else ()


def _before(thinking: Thinking) -> tuple[Element, ...]:
    """Give what a grammar lets the model think before it answers."""
    if thinking.is_open:
        return (reasoning_of(thinking),)
    may_open = thinking.ends and thinking.start and thinking.is_allowed
    return (optional(reasoning_of(thinking)),) if may_open else ()


def _blocks(family: Family, wish: Wish) -> tuple[Block, ...]:
    closed = replace(wish.thinking, is_open=False)
    blocks = [Block(reasoning_of(closed), anywhere=False)] if closed.start and closed.ends else []
    blocks += [Block(Token(text), anywhere=False) for text in wish.content_starts]
    if wish.chosen:
        calls = calls_of(family, wish.known)
        blocks.append(Block(calls, anywhere=family.anywhere))
    return (*blocks, *(Block(Token(text)) for text in family.answer_ends))


def reasoning_of(thinking: Thinking) -> Element:
    """Give reasoning with its end, and with its start if the prompt has not opened it."""
    ends = tuple(Token(end) for end in thinking.ends)
    end = ends[0] if len(ends) == 1 else Choice(ends)
    inside = sequence(Tag("reasoning", Until(thinking.ends)), end, Repeat(Literal("\n"), 0, 2))
    return inside if thinking.is_open else sequence(Token(thinking.start), inside)


def calls_of(family: Family, tools: tuple[ToolShape, ...], *, is_parallel: bool = True) -> Element:
    """Give one call of any of ``tools``, or several, with what stands around them."""
    before, after = family.section
    call = Rule("call", family.call(tools))
    many = is_parallel and family.is_parallel
    more = (Repeat(sequence(family.separator, call)),) if many else ()
    return sequence(before, call, *more, after)


def _answer(family: Family, wish: Wish, calls: Element | None) -> Element:
    ends = () if wish.has_free_answer else _marks(family.answer_ends)
    whole = sequence(Tag("content", wish.answer_text), *ends)
    if calls is None:
        return Tag("content", Until(_unwanted(family, wish))) if wish.has_free_answer else whole
    if not wish.has_free_answer or not family.anywhere:
        return Choice((calls, whole))
    return sequence(Tag("content", Until(tuple(sorted(openers(calls))))), optional(calls))


def _unwanted(family: Family, wish: Wish) -> tuple[str, ...]:
    """Give what must not be written because it would begin a call that is not wanted."""
    if not wish.known or not family.anywhere:
        return ()
    return tuple(sorted(openers(calls_of(family, wish.known)) - {""}))
