"""Tells how a call is written: a JSON object, a name and JSON, or tagged arguments."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.syntax.differential_shown import CALL_IDS, NAMES
from llamanb.chat_layer.syntax.differential_texts import CALL_ID, INDEX, Frame, frame_of

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.differential_shown import Past

__all__ = ["KEY", "TEXT", "NamedCalls", "ObjectCalls", "Shown", "read_json_calls", "shown_calls"]

KEY, TEXT = "qZkeyZq", 'qZ"text\nwith<b>\'&Zq'
MAX_TRIES = 64
_DECODER = json.JSONDecoder()
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Where one call is in a rendering, without its markers; ``value`` is its JSON."""

    start: int
    end: int
    value: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectCalls:
    """Calls that are JSON objects of these keys, of which each holds a part of a call."""

    keys: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCalls:
    """Calls that are a name and then, after ``between``, their arguments as JSON."""

    between: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Past calls as a template shows them, with ``CALL_ID`` for each id."""

    text: str
    names: tuple[str, ...]

    @property
    def places(self) -> tuple[int, ...]:
        """Where the names begin."""
        return tuple(self.text.index(name) for name in self.names)

    def frame(self, spans: tuple[tuple[int, int], ...]) -> Frame:
        """Give what stands around the calls at ``spans``."""
        (first, first_end), (last, last_end) = spans[0], spans[-1]
        middle = self.text[first_end:last] if len(spans) > 1 else None
        return frame_of(self.text[:first], middle, self.text[last_end:])


def shown_calls(past: Past, arguments: dict[str, Any]) -> Shown | None:
    """Render two calls, or one if the template shows no more; None if it shows none."""
    for count in (2, 1):
        text = past.shows(*([arguments] * count))
        names = NAMES[:count]
        if text and all(text.count(name) == 1 for name in names):
            for one in CALL_IDS:
                text = text.replace(one, CALL_ID)
            return Shown(text=text, names=names)
    return None


def read_json_calls(shown: Shown) -> tuple[Frame, ObjectCalls | NamedCalls] | None:
    """Read calls whose arguments are JSON."""
    objects = [_object_at(shown.text, place) for place in shown.places]
    spans = [one for one in objects if one is not None]
    keys = _keys(shown, spans) if len(spans) == len(objects) else None
    if keys is not None:
        return shown.frame(tuple((one.start, one.end) for one in spans)), ObjectCalls(keys=keys)
    return _read_named(shown)


def _object_at(text: str, place: int) -> Span | None:
    """Give the innermost object around ``place`` that holds the arguments, too."""
    start = place
    for _ in range(MAX_TRIES):
        start = text.rfind("{", 0, start)
        if start < 0:
            return None
        found = _decoded(text, start)
        if found is not None and found.end > place and {KEY: TEXT} in found.value.values():
            return found
    return None


def _decoded(text: str, start: int) -> Span | None:
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return Span(start=start, end=end, value=value) if isinstance(value, dict) else None


def _keys(shown: Shown, spans: list[Span]) -> tuple[tuple[str, str], ...] | None:
    """Give the keys of the objects and what they hold, if they are as JSON is usually written."""
    texts = [shown.text[one.start : one.end] for one in spans]
    usual = [json.dumps(one.value, ensure_ascii=False) for one in spans]
    first, last = spans[0].value, spans[-1].value
    roles = [(key, _role(first[key], last.get(key))) for key in first]
    known = [role for _, role in roles]
    is_call = {"tool_name", "tool_arguments"} <= set(known) and "" not in known
    return tuple(roles) if texts == usual and is_call else None


def _role(first: Any, last: Any) -> str:
    if first == {KEY: TEXT}:
        return "tool_arguments"
    if first == "function" == last:
        return "type"
    roles = {NAMES[0]: "tool_name", CALL_ID: "tool_id"}
    if isinstance(first, str) and isinstance(last, str):
        is_number = first.isdecimal() and last.isdecimal() and int(last) - int(first) <= 1
        return roles.get(first, "index" if is_number else "")
    return ""


def _read_named(shown: Shown) -> tuple[Frame, NamedCalls] | None:
    spans, betweens = [], []
    for name, place in zip(shown.names, shown.places, strict=True):
        start = _arguments_after(shown.text, place)
        if start is None:
            return None
        spans.append((place, start.end))
        betweens.append(shown.text[place + len(name) : start.start])
    between = _with_index(betweens)
    return None if between is None else (shown.frame(tuple(spans)), NamedCalls(between=between))


def _arguments_after(text: str, place: int) -> Span | None:
    for _ in range(MAX_TRIES):
        place = text.find("{", place + 1)
        if place < 0:
            return None
        found = _decoded(text, place)
        if found is not None and found.value == {KEY: TEXT}:
            return found
    return None


def _with_index(betweens: list[str]) -> str | None:
    """Give the text that both are, with ``INDEX`` for a number that counts the calls."""
    first, last = betweens[0], betweens[-1]
    if first == last and len(betweens) > 1:
        return first
    for number in _NUMBER.finditer(first):
        begin, end = first[: number.start()], first[number.end() :]
        following = f"{begin}{int(number.group()) + 1}{end}"
        if following == last or len(betweens) == 1:
            return f"{begin}{INDEX}{end}"
    return first if len(betweens) == 1 else None


def joined_frame(frame: Frame, *, is_parallel: bool) -> Frame:
    return frame if is_parallel else replace(frame, separator="")
