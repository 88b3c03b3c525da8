"""Prepares a description for the grammar writers.

Meanings disappear, objects become their literals, and each "any text until" is
joined with the delimiter that follows it: a reader that goes on to the first
delimiter needs no look-ahead.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from llamanb.chat_layer.syntax.elements import (
    Ahead,
    AnyOrder,
    Choice,
    Drift,
    Element,
    Json,
    Literal,
    Matching,
    Object,
    Repeat,
    Rule,
    Schema,
    Sequence,
    Tag,
    Token,
    Tree,
    Until,
    Value,
)
from llamanb.chat_layer.syntax.lowered import (
    Lowered,
    LoweredAnyOrder,
    LoweredChoice,
    LoweredRepeat,
    LoweredRule,
    LoweredSequence,
    Pattern,
    Through,
)
from llamanb.chat_layer.syntax.trees import tree_element
from llamanb.chat_layer.syntax.value_grammar import lower_value

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["lower"]


def lower(element: Element) -> Lowered:
    """Give ``element`` in the form that a grammar writer takes.

    Raises
    ------
    ValueError
        If text until a delimiter is followed by something that has no fixed beginning.
    """
    match element:
        case Literal() | Token() | Until() | Json() | Schema():
            return _constant(element) if isinstance(element, Schema) else element
        case Value() | Tree() | Matching():
            return _lower_written(element)
        case Tag(_, child):
            return lower(child)
        case Object() | Sequence():
            return _lower_items(_items_of(element))
        case AnyOrder(items):
            return LoweredAnyOrder(tuple(map(lower, items)))
        case _:
            return _lower_branches(element)


def _constant(element: Schema) -> Schema | Literal:
    """Give a schema of one text as that text."""
    match element.schema:
        case {"const": str() as text}:
            return Literal(json.dumps(text, ensure_ascii=False))
    return element


def _lower_written(element: Value | Tree | Matching) -> Lowered:
    if isinstance(element, Matching):
        return Pattern(element.pattern, "")
    if isinstance(element, Tree):
        return lower(tree_element(element))
    return lower_value(element.schema, element.notation)


def _lower_branches(element: Rule | Choice | Repeat | Ahead | Drift) -> Lowered:
    match element:
        case Ahead() | Drift():
            return Literal("")
        case Rule(name, child):
            return LoweredRule(name, lower(child))
        case Choice(items):
            lowered = tuple(lower(item) for item in items if not isinstance(item, Drift))
            return lowered[0] if len(lowered) == 1 else LoweredChoice(lowered)
        case Repeat(child, least, most):
            return LoweredRepeat(lower(child), least, most)
        case _:
            assert_never(element)


def _lower_items(items: Iterable[Element]) -> Lowered:
    return _joined(_flat(lower(item) for item in items))


def _items_of(written: Object | Sequence) -> Iterable[Element]:
    """Give the items in order; one member of an object, at least, is not optional."""
    if isinstance(written, Sequence):
        return written.items
    layout = written.layout
    needed = next(n for n, member in enumerate(written.members) if not member.is_optional)
    items: list[Element] = [Literal(layout.opening)]
    for number, member in enumerate(written.members):
        label = Literal(f'"{member.key}"{layout.colon}')
        comma = Literal(layout.comma if number != needed else "")
        texts = (label, member.value, comma) if number < needed else (comma, label, member.value)
        items += [Repeat(Sequence(texts), 0, 1)] if member.is_optional else texts
    return [*items, Literal(layout.closing)]


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
        case Literal(text) if (
            tail and isinstance(tail[0], Token) and text in _begun(until, tail[0])
        ):
            others = _others(until, text + tail[0].text)
            through = Through(tail[0], others, text, until.least, until.most)
            return _sequence([through, *tail[1:]])
        case LoweredSequence(items):
            return _through(until, [*items, *tail])
        case LoweredRepeat():
            return _through_repeat(until, head, tail)
        case _:
            return _sequence(_flat([*_through_head(until, head), *tail]))


def _begun(until: Until, token: Token) -> tuple[str, ...]:
    """Give what stands before ``token`` in delimiters that end with it."""
    ends = (one for one in until.delimiters if one.endswith(token.text))
    return tuple(one.removesuffix(token.text) for one in ends)


def _through_head(until: Until, head: Lowered) -> tuple[Lowered, ...]:
    match head:
        case Literal(text):
            return _through_literal(until, text)
        case Token(text):
            return (Through(head, _others(until, text), "", until.least, until.most),)
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
    through = Through(Literal(end), _others(until, end), "", until.least, until.most)
    return through, Literal(text[len(end) :])


def _through_repeat(until: Until, head: LoweredRepeat, tail: list[Lowered]) -> Lowered:
    if head.min == 0:
        once = replace(head, min=1)
        present = _through(until, [once, *tail])
        return LoweredChoice((present, _through(until, tail)))
    most = None if head.max is None else head.max - 1
    more = LoweredRepeat(head.child, head.min - 1, most)
    following = [] if most == 0 else [more]
    return _through(until, [head.child, *following, *tail])
