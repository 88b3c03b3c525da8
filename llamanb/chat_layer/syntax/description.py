"""What a whole output of one conversation may look like, made of elements."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from llamanb.chat_layer.syntax.elements import (
    Choice,
    Drift,
    Element,
    Literal,
    Object,
    Repeat,
    Rule,
    Sequence,
    Tag,
    Token,
    Until,
)

__all__ = ["ANY_TEXT", "Block", "Description", "Thinking", "ToolShape", "Wish", "openers"]

ANY_TEXT = Until(())


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolShape:
    """A tool's name and the JSON Schema of its arguments."""

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking:
    """The markers around reasoning, none if there is no end.

    Attributes
    ----------
    start : what opens it; "" if only the prompt does.
    ends : markers of which any closes it.
    is_open : whether the prompt ends inside reasoning.
    is_allowed : whether a grammar lets the model open it.
    """

    start: str = ""
    ends: tuple[str, ...] = ()
    is_open: bool = False
    is_allowed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one conversation asks of a family.

    Attributes
    ----------
    known : all tools; calls of them are understood.
    chosen : the tools that may be called now.
    must_call : whether the answer has to be a call.
    is_parallel : whether one answer may hold several calls.
    content_starts : markers that may stand before the answer and are no part of it.
    answer_text : an answer that is no call: any text, or JSON of a schema.
    """

    known: tuple[ToolShape, ...] = ()
    chosen: tuple[ToolShape, ...] = ()
    must_call: bool = False
    is_parallel: bool = True
    thinking: Thinking = field(default_factory=Thinking)
    content_starts: tuple[str, ...] = ()
    answer_text: Element = ANY_TEXT

    @property
    def has_free_answer(self) -> bool:
        """Whether an answer may be any text."""
        return self.answer_text == ANY_TEXT


@dataclass(frozen=True, slots=True)
class Block:
    """A part of an output that is marked: reasoning, calls, a message of some channel.

    ``anywhere`` is False for a part that stands at the beginning only, or directly
    after another block.
    """

    element: Element
    anywhere: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """All that the readers need of one family, with the tools of one conversation.

    Attributes
    ----------
    output : what the grammars and the examples are made from.
    blocks : what the parser looks for; other text is content.
    opened : the block that the prompt has opened already (reasoning), if any.
    triggers : texts at which a lazy grammar begins.
    trigger_patterns : the same as RE2 patterns, which are what is watched for.
    calls : the part of ``output`` from the trigger on.
    begun : the beginning of ``output`` that the prompt has written already.
    thinks_of_calls : whether reasoning may hold texts that look like calls.
    """

    output: Element
    blocks: tuple[Block, ...] = ()
    opened: Element | None = None
    triggers: tuple[str, ...] = ()
    trigger_patterns: tuple[str, ...] = ()
    calls: Element | None = None
    begun: str = ""
    thinks_of_calls: bool = False

    @property
    def forbidden(self) -> frozenset[str]:
        """The texts that begin blocks; in plain text they would be misread."""
        return frozenset().union(
            *(openers(one.element) for one in self.blocks if not isinstance(one.element, Drift))
        )


def openers(element: Element) -> frozenset[str]:
    """Give the texts of which one begins ``element``; "" if it may be empty."""
    match element:
        case Literal(text) | Token(text):
            return frozenset({text.strip()})
        case Object():
            return frozenset({"{"})
        case Tag(_, child) | Rule(_, child) | Drift(child):
            return openers(child)
        case Repeat(child, least):
            return openers(child) | ({""} if least == 0 else set())
        case Choice(items) | Sequence(items):
            return _first_openers(items) if isinstance(element, Sequence) else _any_openers(items)
    return frozenset({""})


def _any_openers(items: tuple[Element, ...]) -> frozenset[str]:
    return frozenset[str]().union(*(openers(item) for item in items))


def _first_openers(items: tuple[Element, ...]) -> frozenset[str]:
    match items:
        case (Literal(text), Token(token), *_) if text.strip():
            return frozenset({text.lstrip() + token})
    found: frozenset[str] = frozenset({""})
    for item in items:
        if "" not in found:
            break
        found = (found - {""}) | openers(item)
    return found
