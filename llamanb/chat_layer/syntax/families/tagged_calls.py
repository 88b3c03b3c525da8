"""Makes the call of a family out of the texts that stand around its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.elements import (
    Choice,
    Element,
    Literal,
    Sequence,
    Tag,
    Token,
    Until,
    optional,
    sequence,
)
from llamanb.chat_layer.syntax.families.arguments import (
    Argument,
    Kind,
    arguments_of,
    json_of,
    kinds_of,
    words_of,
)
from llamanb.chat_layer.syntax.families.family import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.chat_layer.syntax.description import ToolShape

__all__ = ["CallTags", "argument_name", "first_marker", "tagged_calls", "text_of", "unknown_name"]

_AFTER_NAMES = tuple(" \n\t<>\"'{}()|")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTags:
    """The texts around the parts of one call.

    Attributes
    ----------
    before, named, after : before and after the tool's name, and after the last argument.
    name_ends : what may follow a name, where no more than white space marks its end.
    argument, value, end : before an argument's name, before its value, and after that.
    typed : the same as ``value`` for each kind of value ("": all others), if that differs.
    loose : what models write instead of ``value``.
    raw : before and after a text that holds markup, if that is marked.
    """

    before: Element
    named: Element
    after: Element
    name_ends: tuple[str, ...] = ()
    argument: Element
    value: Element = NOTHING
    end: Element
    typed: tuple[tuple[str, Element], ...] = ()
    loose: tuple[Element, ...] = ()
    raw: tuple[str, str] = ("", "")


def tagged_calls(
    tags: CallTags, parameter: Callable[[CallTags, Argument], Element] | None = None
) -> Callable[[tuple[ToolShape, ...]], Element]:
    """Give what makes the call of any of some tools; ``parameter`` makes one argument."""
    make = parameter or _parameter

    def named(name: Tag, arguments: tuple[Argument, ...], spare: Element) -> Element:
        written = tuple(
            make(tags, one) if one.is_required else optional(make(tags, one)) for one in arguments
        )
        return sequence(name, tags.named, Tag("tool_arguments", Sequence(written), spare=spare))

    def call(tools: tuple[ToolShape, ...]) -> Element:
        spare = _spare(tags) if parameter is None else parameter(tags, _ANY)
        known = Choice(
            tuple(
                named(Tag("tool_name", Literal(tool.name), tags.name_ends), arguments_of(tool), spare)
                for tool in tools
            )
        )
        unknown = named(unknown_name(tags.name_ends), (), spare)
        return sequence(tags.before, Tag("tool_call", known, spare=unknown), tags.after)

    return call
