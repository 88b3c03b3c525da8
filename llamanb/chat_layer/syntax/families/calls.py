"""Pieces that many families' calls are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.elements import (
    Choice,
    Drift,
    Element,
    Json,
    Literal,
    Repeat,
    Schema,
    Tag,
    Until,
)
from llamanb.chat_layer.syntax.families.family import NOTHING
from llamanb.chat_layer.syntax.schemas import closed

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.description import ToolShape

__all__ = ["ANY_NAME", "DIGITS", "CallForm", "any_tool", "drift", "unknown_tool"]

CallForm = Callable[[Element, Element], Element]
# No name of a tool holds one of these; the name of an unknown one ends there.
ANY_NAME = Until(("\n", " ", "<", ">", "[", "{", "(", ":", '"', "`", "|"))
DIGITS = Repeat(Choice(tuple(Literal(one) for one in "0123456789")), 1, 3)


def drift(*texts: Element) -> Element:
    """Give nothing; but let the parser pass one of ``texts``."""
    return Choice((*(Drift(one) for one in texts), NOTHING))


def any_tool(tools: tuple[ToolShape, ...], form: CallForm, *drifts: CallForm) -> Element:
    """Give a call of any of ``tools`` in the ``form`` that a name and arguments have.

    The parser takes the forms ``drifts``, too, and tools that are not known.
    """
    known = tuple(_known(tool, form) for tool in tools)
    drifted = tuple(_known(tool, one) for one in drifts for tool in tools)
    unknown = tuple(unknown_tool(one) for one in (*drifts, form))
    return Choice((*known, *(Drift(one) for one in (*drifted, *unknown))))


def _known(tool: ToolShape, form: CallForm) -> Element:
    arguments = Tag("tool_arguments", Schema(closed(tool.parameters)))
    return form(Tag("tool_name", Literal(tool.name)), arguments)


def unknown_tool(form: CallForm, arguments: Element | None = None) -> Element:
    """Give a call of a tool that is not known."""
    return form(Tag("tool_name", ANY_NAME), Tag("tool_arguments", arguments or Json()))
