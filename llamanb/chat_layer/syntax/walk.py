"""Looks through descriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.elements import (
    Atomic,
    Choice,
    Element,
    Object,
    Repeat,
    Rule,
    Sequence,
    Tag,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["tags_in"]


def tags_in(element: Element) -> Iterator[Tag]:
    """Give every tag in ``element``, outer ones first."""
    if isinstance(element, Tag):
        yield element
    for child in _children(element):
        yield from tags_in(child)


def _children(element: Element) -> tuple[Element, ...]:
    match element:
        case Sequence(items) | Choice(items):
            return items
        case Tag(_, child) | Rule(_, child) | Atomic(child) | Repeat(child):
            return (child,)
        case Object(members):
            return tuple(member.value for member in members)
    return ()
