"""Looks through descriptions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.elements import (
    AnyOrder,
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
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["delimiters_of", "inner_markers", "markers_in", "parameters_in", "tags_in"]

_MARKER = re.compile(r"<[^<>\s]+>|\[/?[A-Z_]+\]")


def tags_in(element: Element) -> Iterator[Tag]:
    """Give every tag in ``element``, outer ones first."""
    if isinstance(element, Tag):
        yield element
    for child in _children(element):
        yield from tags_in(child)


def markers_in(element: Element) -> Iterator[str]:
    """Give the texts in ``element`` that may be special tokens, as they come."""
    if isinstance(element, Token):
        yield element.text
    if isinstance(element, Literal):
        yield from _MARKER.findall(element.text)
    if isinstance(element, Value):
        yield from element.notation.quotes
    for child in _children(element):
        yield from markers_in(child)


def inner_markers(element: Element) -> Iterator[str]:
    """Give the markers in ``element`` after which more may follow."""
    match element:
        case Sequence(items):
            for item in items[:-1]:
                yield from markers_in(item)
            yield from inner_markers(items[-1])
        case Repeat(child, _, most) if most != 1:
            yield from markers_in(child)
        case _:
            for child in _children(element):
                yield from inner_markers(child)


def delimiters_of(tag: Tag) -> tuple[str, ...]:
    """Give the texts of which the first ends the text of ``tag``."""
    if tag.ends:
        return tag.ends
    return tag.child.delimiters if isinstance(tag.child, Until) else ()


def parameters_in(element: Element) -> tuple[Element, ...]:
    """Give the parameters in ``element``, each by itself: models change their order."""
    items = element.items if isinstance(element, Sequence | AnyOrder) else (element,)
    return tuple(item.child if isinstance(item, Repeat) else item for item in items)


def _children(element: Element) -> tuple[Element, ...]:
    match element:
        case Sequence(items) | Choice(items) | AnyOrder(items):
            return items
        case Tag(_, child) | Rule(_, child) | Drift(child) | Repeat(child):
            return (child,)
        case Object(members):
            return tuple(member.value for member in members)
    return ()
