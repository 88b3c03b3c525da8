"""Reads the output syntax of an unknown family off its template.

Past calls of odd names and arguments are rendered; what the template writes around
those words is what the model writes itself.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, assert_never

from llamanb.chat_layer.budget import DEADLINE_S, time_limit
from llamanb.chat_layer.shared_text import shared_length
from llamanb.chat_layer.syntax.differential_calls import (
    KEY,
    TEXT,
    NamedCalls,
    read_json_calls,
    shown_calls,
)
from llamanb.chat_layer.syntax.differential_elements import calls_as_elements, elements_of
from llamanb.chat_layer.syntax.differential_shown import past_of
from llamanb.chat_layer.syntax.differential_tagged import TaggedCalls, read_tagged_calls
from llamanb.chat_layer.syntax.differential_texts import CALL_ID, INDEX, first_markers
from llamanb.chat_layer.syntax.elements import Literal, Schema, optional, sequence
from llamanb.chat_layer.syntax.families.family import Family
from llamanb.chat_layer.syntax.families.json_objects import ObjectForm
from llamanb.chat_layer.thinking import read_markers

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.differential_elements import Calls
    from llamanb.chat_layer.syntax.differential_shown import Past
    from llamanb.chat_layer.syntax.differential_texts import Frame
    from llamanb.chat_layer.syntax.elements import Element

__all__ = ["read_family"]

MIN_OPENER_CHARS = 3
MAX_READING_S = 2 * DEADLINE_S
_BARE_TRIGGER = "{"
_MARKER = re.compile(r"<[^<>\s]*>|\[[^\[\]\s]+\]")
_OPEN_ID = re.compile(rf"{CALL_ID}(?:{INDEX}|\Z)")


@lru_cache(maxsize=128)
def read_family(source: str) -> Family | None:
    """Give the output syntax that the template ``source`` shows (cached).

    None if it shows no past calls, or in a way that is not understood.

    Raises
    ------
    TemplateLimitError
        If the template needs more time, memory, steps or output than it may have.
    """
    with time_limit(MAX_READING_S):
        past = past_of(source)
        shown = shown_calls(past, {KEY: TEXT})
        if shown is None:
            return None
        found = read_json_calls(shown) or read_tagged_calls(past)
        if found is None or not _is_understood(past, *found):
            return None
        frame, calls = found
        if isinstance(calls, ObjectForm):
            calls = _completed(past, frame, calls)
        return _family(past, frame, calls, is_parallel=len(shown.names) > 1)


def _completed(past: Past, frame: Frame, form: ObjectForm) -> ObjectForm:
    """Add what stands around the objects, and which ids may stand in them."""
    has_any_id = isinstance(form.id_value, Schema) and past.takes_long_ids
    return replace(
        form,
        is_bare=not _opener(frame),
        id_value=Schema({"type": "string"}) if has_any_id else form.id_value,
    )


def _is_understood(past: Past, frame: Frame, calls: Calls) -> bool:
    """Say whether ids can be read, and something tells a call from everything else."""
    thinking = read_markers(past.source).syntax
    opener = first_markers(_opener(frame), "")
    is_told = bool(opener) or isinstance(calls, ObjectForm)
    others = (*thinking.thinking_starts, *thinking.thinking_ends) if opener else ()
    return is_told and _has_clear_ids(frame, calls) and not any(opener in one for one in others)


def _has_clear_ids(frame: Frame, calls: Calls) -> bool:
    """Say whether ids stand inside of calls only, and something ends each."""
    outside = [frame.section_start, frame.suffix, frame.separator, frame.section_end]
    inside = [frame.prefix, calls.between] if isinstance(calls, NamedCalls) else []
    outside += [] if inside else [frame.prefix]
    inside += [calls.named, calls.named_alone] if isinstance(calls, TaggedCalls) else []
    return CALL_ID not in "".join(outside) and not any(map(_OPEN_ID.search, inside))


def _opener(frame: Frame) -> str:
    """Give what stands before the first call, up to its id."""
    return (frame.section_start + frame.prefix).partition(CALL_ID)[0].strip()


def _family(past: Past, frame: Frame, calls: Calls, *, is_parallel: bool) -> Family:
    opener = _opener(frame)
    thinking = read_markers(past.source).syntax
    starts, ends = thinking.thinking_starts, thinking.thinking_ends
    return Family(
        name="from-template",
        marks=(),
        call=partial(calls_as_elements, frame, calls),
        section=(elements_of(frame.section_start), _section_end(frame)),
        separator=elements_of(frame.separator),
        thinking=(starts[0], ends[0]) if starts and ends else ("", ""),
        triggers=(first_markers(opener, past.turn_end) or _BARE_TRIGGER,),
        trigger_patterns=() if _MARKER.match(opener) else _named_trigger(frame, calls),
        is_parallel=is_parallel,
        anywhere=len(opener) >= MIN_OPENER_CHARS,
    )


def _section_end(frame: Frame) -> Element:
    end = elements_of(frame.section_end)
    return sequence(end, optional(Literal(frame.rest))) if frame.rest else end


def _named_trigger(frame: Frame, calls: Calls) -> tuple[str, ...]:
    """Give the pattern of plain text that only a tool's name in it marks as a call."""
    begin = (frame.section_start + frame.prefix).lstrip()
    if CALL_ID in begin or (isinstance(calls, ObjectForm) and calls.id_is_first):
        return ()
    before, after = _around_name(calls)
    pattern = rf"{re.escape(begin)}{before}(?:{{names}}){re.escape(after)}"
    return (pattern,) if len(begin) >= MIN_OPENER_CHARS else (rf"^\s*({pattern})",)


def _around_name(calls: Calls) -> tuple[str, str]:
    """Give the pattern of what stands before a call's name, and the text after it."""
    match calls:
        case ObjectForm(layout=layout, name=name, has_type=has_type):
            kind = re.escape(f'"type"{layout.colon}"function"{layout.comma}')
            label = re.escape(f'"{name}"{layout.colon}"')
            return re.escape(layout.opening) + (f"(?:{kind})?" if has_type else "") + label, '"'
        case NamedCalls(between=after):
            pass
        case TaggedCalls(named=named, named_alone=alone):
            after = named[: shared_length(named, alone)]
        case _:
            assert_never(calls)
    return "", after.partition(CALL_ID)[0].partition(INDEX)[0]
