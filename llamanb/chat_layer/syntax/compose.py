"""Puts a family's pieces together for the tools and wishes of one conversation."""

from __future__ import annotations

import re
from collections.abc import Mapping
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
    Matching,
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
from llamanb.chat_layer.syntax.families.json_objects import bare_calls
from llamanb.chat_layer.syntax.schemas import closed
from llamanb.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PLAIN", "answer_of", "calls_of", "compose", "reasoning_of", "watched"]

# JSON holds no line that begins with a fence.
_FENCED_JSON = sequence(Literal("```json"), Tag("content", Until(("\n```",))), Literal("```"))
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
    answer: Element = ANY_TEXT,
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
    answer : what an answer that is no call must be (see ``answer_of``).

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
        answer_text=answer,
    )
    made = (family.compose or _compose_plainly)(family, wish)
    patterns = made.trigger_patterns or watched(family, made.triggers, wish.chosen)
    return replace(made, trigger_patterns=patterns)


def answer_of(
    *,
    json_schema: Mapping[str, Any] | None = None,
    regex: str | None = None,
    choices: Iterable[str] | None = None,
) -> Element:
    """Give what an answer may be: at most one of the three says so, else any text.

    Raises
    ------
    OptionError
        If more than one is given, or of a wrong type.
    """
    given = {"json_schema": json_schema, "regex": regex, "choices": choices}
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise OptionError(f"give only one of {' and '.join(names)}")
    if json_schema is not None:
        if not isinstance(json_schema, Mapping):
            raise OptionError("json_schema must be a JSON Schema: a dictionary")
        return Schema(closed(dict(json_schema)))
    if regex is not None:
        return Matching(_pattern(regex))
    return ANY_TEXT if choices is None else Choice(tuple(map(Literal, _choices(choices))))


def _pattern(regex: Any) -> str:
    if isinstance(regex, str) and regex:
        return regex
    raise OptionError(f"regex={regex!r} is not possible: give a regular expression")


def _choices(choices: Any) -> tuple[str, ...]:
    listed = () if isinstance(choices, str) else tuple(choices)
    if not listed or not all(isinstance(one, str) and one for one in listed):
        raise OptionError(f"choices={choices!r} is not possible: give a list of texts")
    return listed


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
        thinks_of_calls=True,
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
    is_raw = not wish.thinking.ends  # what stands before an answer may be reasoning then
    blocks += [Block(Token(text), anywhere=is_raw) for text in wish.content_starts]
    if wish.chosen:
        calls = calls_of(family, wish.known)
        bare = [bare_calls(wish.known)] if wish.has_free_answer else []
        blocks += [Block(one, anywhere=False) for one in (*bare, *family.unmarked(wish.known))]
        blocks.append(Block(calls, anywhere=family.anywhere))
    blocks += [Block(Token(text), anywhere=False) for text in wish.thinking.ends]
    if isinstance(wish.answer_text, Schema):
        blocks.append(Block(_FENCED_JSON, anywhere=False))
    strays = family.strays if wish.thinking.ends else ()
    ends = (*map(Token, family.answer_ends), *strays)
    return (*blocks, *(Block(one) for one in ends))


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
