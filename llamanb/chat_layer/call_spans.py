"""Where in a raw output each tool call stands, and what made it one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llamanb.chat_layer.events import ToolArgumentsDelta, ToolCallEnd, ToolCallStart
from llamanb.chat_layer.parse import description_of
from llamanb.chat_layer.syntax.call_places import PlaceParser

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llamanb.chat_layer.events import ChatEvent
    from llamanb.chat_layer.prompt import ChatPrompt
    from llamanb.chat_layer.syntax.call_places import CallPlace

__all__ = ["CallSpan", "call_spans"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSpan:
    """One tool call and the characters of the raw output that are it.

    Attributes
    ----------
    index, id, name : as in the events of a reply; a call without an id of its own gets a
        new one with every reading.
    start, end : its characters, with the markers that belong to it alone.
    section_start, section_end : the marked part of the output that it shares with the
        calls beside it; its own characters if it stands alone.
    trigger_start : where the trigger of the grammar stands; None if there was none.
    trigger, pattern : the text and the pattern of that trigger.
    arguments : its JSON text, as far as it came.
    is_whole : whether the model has written all of it.
    """

    index: int
    id: str
    name: str
    start: int
    end: int
    section_start: int
    section_end: int
    trigger_start: int | None
    trigger: str
    pattern: str
    arguments: str
    is_whole: bool


def call_spans(prompt: ChatPrompt, raw: str) -> list[CallSpan]:
    r"""Give the tool calls in ``raw``, an output of ``prompt``, with their places.

    Examples
    --------
    >>> span = call_spans(prompt, raw)[0]
    >>> raw[span.start : span.end]
    '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</tool_call>'
    """
    description = description_of(prompt)
    begun = description.begun
    parser = PlaceParser(description)
    events = [*parser.feed(begun), *parser.feed(raw), *parser.finish()]
    read = zip(_calls(events), parser.places, strict=True)
    return [_span(call, _Ranges.of(place, raw, len(begun)), prompt, raw) for call, place in read]


@dataclass(slots=True)
class _Call:
    start: ToolCallStart
    arguments: str = ""
    is_whole: bool = False


def _calls(events: Iterable[ChatEvent]) -> list[_Call]:
    calls: list[_Call] = []
    for event in events:
        match event:
            case ToolCallStart():
                calls.append(_Call(event))
            case ToolArgumentsDelta(index=index, text=text):
                calls[index].arguments += text
            case ToolCallEnd(index=index):
                calls[index].is_whole = True
            case _:
                pass
    return calls


@dataclass(frozen=True, slots=True)
class _Ranges:
    whole: tuple[int, int]
    section: tuple[int, int]

    @classmethod
    def of(cls, place: CallPlace, raw: str, n_begun: int) -> _Ranges:
        """Give the ranges within ``raw``, which comes after what the prompt has begun."""
        whole = place.whole or place.core
        section = place.section or whole
        return cls(_inside(whole, raw, n_begun), _inside(section, raw, n_begun))


def _inside(place: tuple[int, int], raw: str, n_begun: int) -> tuple[int, int]:
    start, end = (min(max(0, one - n_begun), len(raw)) for one in place)
    return start, end


def _stripped(place: tuple[int, int], raw: str) -> tuple[int, int]:
    """Leave white space at the edges out."""
    start, end = place
    text = raw[start:end]
    return start + len(text) - len(text.lstrip()), start + len(text.rstrip())


def _span(call: _Call, ranges: _Ranges, prompt: ChatPrompt, raw: str) -> CallSpan:
    start, end = _stripped(ranges.whole, raw)
    section_start, section_end = _stripped(ranges.section, raw)
    place, trigger, pattern = _trigger(prompt.trigger_patterns, raw, ranges)
    return CallSpan(
        index=call.start.index,
        id=call.start.id,
        name=call.start.name,
        start=start,
        end=end,
        section_start=section_start,
        section_end=section_end,
        trigger_start=place,
        trigger=trigger,
        pattern=pattern,
        arguments=call.arguments,
        is_whole=call.is_whole,
    )


def _trigger(patterns: Sequence[str], raw: str, ranges: _Ranges) -> tuple[int | None, str, str]:
    """Find the first trigger between the beginning of the section and the call's end."""
    start = len(raw[: ranges.section[0]].rstrip())  # a trigger may begin with white space
    text = raw[start : ranges.whole[1]]
    hits = [(re.search(one, text), one) for one in patterns]
    found = [(_first_group(hit), pattern) for hit, pattern in hits if hit]
    if not found:
        return None, "", ""
    (place, trigger), pattern = min(found)
    return start + place, trigger, pattern


def _first_group(hit: re.Match[str]) -> tuple[int, str]:
    """Give what the grammar begins at: a pattern's first group, else all of it."""
    group = 1 if hit.re.groups and hit.start(1) >= 0 else 0
    return hit.start(group), hit.group(group)
