"""Prepares a description for the grammar writers.

Meanings disappear, objects become their literals, and each "any text until" is
joined with the delimiter that follows it: a reader that goes on to the first
delimiter needs no look-ahead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, assert_never

from llamanb.chat_layer.syntax.elements import (
    Atomic,
    Choice,
    Element,
    Json,
    Literal,
    Member,
    Object,
    Repeat,
    Rule,
    Schema,
    Sequence,
    Tag,
    Token,
    Until,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Lowered",
    "LoweredChoice",
    "LoweredRepeat",
    "LoweredRule",
    "LoweredSequence",
    "Through",
    "lower",
]


@dataclass(frozen=True, slots=True)
class Through:
    """Any text up to and with the first ``end``; ``others`` must not be in it either."""

    end: Literal | Token
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoweredSequence:
    """One after the other."""

    items: tuple[Lowered, ...]


@dataclass(frozen=True, slots=True)
class LoweredChoice:
    """Any of these."""

    items: tuple[Lowered, ...]


@dataclass(frozen=True, slots=True)
class LoweredRepeat:
    """``child`` from ``min`` to ``max`` times; ``max`` None is without limit."""

    child: Lowered
    min: int = 0
    max: int | None = None


@dataclass(frozen=True, slots=True)
class LoweredRule:
    """A name for ``child``."""

    name: str
    child: Lowered


Lowered = (
    Literal
    | Token
    | Until
    | Through
    | Json
    | Schema
    | LoweredSequence
    | LoweredChoice
    | LoweredRepeat
    | LoweredRule
)


def lower(element: Element) -> Lowered:
    """Give ``element`` in the form that a grammar writer takes.

    Raises
    ------
    ValueError
        If text until a delimiter is followed by something that has no fixed beginning.
    """
    match element:
        case Literal() | Token() | Until() | Json() | Schema():
            return element
        case Tag(_, child) | Atomic(child):
            return lower(child)
        case Object(members):
            return _lower_items(_object_items(members))
        case Sequence(items):
            return _lower_items(items)
        case _:
            return _lower_branches(element)


def _lower_branches(element: Rule | Choice | Repeat) -> Lowered:
    match element:
        case Rule(name, child):
            return LoweredRule(name, lower(child))
        case Choice((only,)):
            return lower(only)
        case Choice(items):
            return LoweredChoice(tuple(lower(item) for item in items))
        case Repeat(child, least, most):
            return LoweredRepeat(lower(child), least, most)
        case _:
            assert_never(element)


def _lower_items(items: Iterable[Element]) -> Lowered:
    return _joined(_flat(lower(item) for item in items))


def _object_items(members: tuple[Member, ...]) -> list[Element]:
    """Give the text of an object; an optional member must not be the first."""
    items: list[Element] = [Literal("{")]
    for number, member in enumerate(members):
        label = Literal((", " if number else "") + f'"{member.key}": ')
        if member.is_optional:
            items.append(Repeat(Sequence((label, member.value)), 0, 1))
        else:
            items += [label, member.value]
    return [*items, Literal("}")]


def _flat(items: Iterable[Lowered]) -> list[Lowered]:
    flat: list[Lowered] = []
    for item in items:
        for one in item.items if isinstance(item, LoweredSequence) else (item,):
            last = flat[-1] if flat else None
            if isinstance(one, Literal) and isinstance(last, Literal):
                flat[-1] = Literal(last.text + one.text)
            elif one != Literal(""):
                flat.append(one)
    return flat


def _joined(items: list[Lowered]) -> Lowered:
    """Join every "until" with what follows it, from the end on."""
    done: list[Lowered] = []
    for item in reversed(items):
        if isinstance(item, Until) and done:
            done = _flat([_through(item, done)])
        elif _ends_in_text(item) and done:
            raise ValueError(f"text without an end cannot be followed by {done[0]}")
        else:
            done.insert(0, item)
    return _sequence(_flat(done))


def _ends_in_text(item: Lowered) -> bool:
    match item:
        case LoweredChoice(items):
            return any(_ends_in_text(one) for one in items)
        case LoweredSequence(items):
            return bool(items) and _ends_in_text(items[-1])
        case LoweredRule(_, child) | LoweredRepeat(child):
            return _ends_in_text(child)
    return isinstance(item, Until)


def _sequence(items: list[Lowered]) -> Lowered:
    return items[0] if len(items) == 1 else LoweredSequence(tuple(items))


def _through(until: Until, rest: list[Lowered]) -> Lowered:
    """Give text of ``until`` and then ``rest``, which begins with a delimiter."""
    if not rest:
        return until
    head, tail = rest[0], rest[1:]
    match head:
        case LoweredSequence(items):
            return _through(until, [*items, *tail])
        case LoweredRepeat():
            return _through_repeat(until, head, tail)
        case _:
            return _sequence(_flat([*_through_head(until, head), *tail]))


def _through_head(until: Until, head: Lowered) -> tuple[Lowered, ...]:
    match head:
        case Literal(text):
            return _through_literal(until, text)
        case Token(text):
            return (Through(head, _others(until, text)),)
        case LoweredRule(name, child):
            return (LoweredRule(f"text_{name}", _through(until, [child])),)
        case LoweredChoice(items):
            return (LoweredChoice(tuple(_through(until, [item]) for item in items)),)
    raise ValueError(f"text until {until.delimiters} cannot be followed by {head}")


def _others(until: Until, end: str) -> tuple[str, ...]:
    return tuple(one for one in until.delimiters if one != end)


def _through_literal(until: Until, text: str) -> tuple[Lowered, ...]:
    ends = [one for one in until.delimiters if text.startswith(one)]
    if not ends:
        raise ValueError(f"text until {until.delimiters} cannot be followed by {text!r}")
    end = max(ends, key=len)
    return Through(Literal(end), _others(until, end)), Literal(text[len(end) :])


def _through_repeat(until: Until, head: LoweredRepeat, tail: list[Lowered]) -> Lowered:
    if head.min == 0:
        once = replace(head, min=1)
        present = _through(until, [once, *tail])
        return LoweredChoice((present, _through(until, tail)))
    most = None if head.max is None else head.max - 1
    more = LoweredRepeat(head.child, head.min - 1, most)
    following = [] if most == 0 else [more]
    return _through(until, [head.child, *following, *tail])
