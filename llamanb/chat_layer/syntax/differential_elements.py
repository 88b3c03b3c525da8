"""Makes elements out of the texts that were read off a template."""

from __future__ import annotations

import re
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, assert_never

from llamanb.chat_layer.syntax.arguments import Argument, json_of, kinds_of
from llamanb.chat_layer.syntax.differential_calls import NamedCalls
from llamanb.chat_layer.syntax.differential_tagged import TaggedCalls
from llamanb.chat_layer.syntax.differential_texts import CALL_ID, INDEX
from llamanb.chat_layer.syntax.elements import (
    Choice,
    Element,
    Literal,
    Tag,
    Token,
    Until,
    sequence,
)
from llamanb.chat_layer.syntax.families.calls import DIGITS, any_tool
from llamanb.chat_layer.syntax.families.family import NOTHING
from llamanb.chat_layer.syntax.families.json_objects import ObjectForm, marked, objects
from llamanb.chat_layer.syntax.families.tagged_calls import (
    CallTags,
    name_tag,
    tagged_calls,
    text_of,
)

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.description import ToolShape
    from llamanb.chat_layer.syntax.differential_texts import Frame

__all__ = ["Calls", "calls_as_elements", "elements_of"]

Calls = ObjectForm | NamedCalls | TaggedCalls
Tools = tuple["ToolShape", ...]
_PARTS = re.compile(rf"(<[^<>\s]{{1,60}}>|\[/?[A-Z][A-Z_]*\]|{CALL_ID}|{INDEX})")


def elements_of(text: str) -> Element:
    """Give literals, tokens for whole markers, and what reads ids and numbers."""
    parts = [part for part in _PARTS.split(text) if part]
    if not parts:
        return NOTHING
    return sequence(*(_element(*pair) for pair in pairwise([*parts, ""])))


def _element(part: str, following: str) -> Element:
    if part == CALL_ID:
        return Tag("tool_id", Until((following,)))
    if part == INDEX:
        return DIGITS
    return Token(part) if _PARTS.fullmatch(part) else Literal(part)


def calls_as_elements(frame: Frame, calls: Calls, tools: Tools) -> Element:
    """Give one call of any of ``tools``, with its markers."""
    match calls:
        case TaggedCalls():
            return _tagged(frame, calls, tools)
        case ObjectForm():
            start, end = elements_of(frame.prefix), elements_of(frame.suffix)
            return (marked(start, end, calls) if frame.prefix else objects(calls))(tools)
        case NamedCalls(between=between):
            return any_tool(tools, partial(_named, frame, between))
        case _:
            assert_never(calls)


def _named(frame: Frame, between: str, name: Element, arguments: Element) -> Element:
    before, marked_id, rest = frame.prefix.partition(CALL_ID)
    call = sequence(elements_of(marked_id + rest), name, elements_of(between), arguments)
    return sequence(elements_of(before), Tag("tool_call", call), elements_of(frame.suffix))


def _tagged(frame: Frame, calls: TaggedCalls, tools: Tools) -> Element:
    """Give tagged calls; those of tools without arguments may differ in white space."""
    alone = tuple(tool for tool in tools if not tool.parameters.get("properties"))
    others = tuple(tool for tool in tools if tool not in alone)
    groups = [(calls.named, others), (calls.named_alone, alone)]
    if calls.named == calls.named_alone:
        groups = [(calls.named, tools)]
    made = tuple(_tagged_group(calls, named, group) for named, group in groups if group)
    return sequence(elements_of(frame.prefix), made[0] if len(made) == 1 else Choice(made))


def _tagged_group(calls: TaggedCalls, named: str, tools: Tools) -> Element:
    tags = CallTags(
        before=NOTHING,
        named=elements_of(named),
        after=elements_of(calls.after),
        name_ends=() if named.strip() else _name_ends(calls),
        argument=elements_of(calls.argument),
        value=elements_of(calls.value),
        end=_value_end(calls),
        typed=_typed(calls),
        raw=calls.raw if any(calls.raw) else None,
    )
    return tagged_calls(tags, _json_parameter if calls.is_json else None)(tools)


def _name_ends(calls: TaggedCalls) -> tuple[str, ...]:
    return tuple(text.strip() for text in (calls.argument, calls.after))


def _value_end(calls: TaggedCalls) -> Element:
    """Give the end of a value: markers as tokens, but not tags that close no whole tag.

    A text that must be matched as a whole may stand in the value in parts.
    """
    name = calls.end.partition(">")[0].removeprefix("</")
    is_marker = calls.end.startswith("<") and not calls.end.startswith("</")
    closes = calls.value.endswith(f"<{name}>")
    return elements_of(calls.end) if is_marker or closes else Literal(calls.end)


def _typed(calls: TaggedCalls) -> tuple[tuple[str, Element], ...]:
    befores = {before for _, before in calls.typed}
    if befores == {calls.value}:
        return ()
    others = (("", befores.pop()),) if len(befores) == 1 else calls.typed
    return tuple((kind, elements_of(one)) for kind, one in (("string", calls.value), *others))


def _json_parameter(tags: CallTags, argument: Argument) -> Element:
    """Give an argument of which texts are written as JSON, too."""
    ends = (text_of(tags.end, to_token=True),)
    return sequence(
        tags.argument,
        name_tag(argument.name, tags.value),
        tags.value,
        Tag("argument_json", json_of(kinds_of(argument.schema), argument.schema), ends),
        tags.end,
    )
