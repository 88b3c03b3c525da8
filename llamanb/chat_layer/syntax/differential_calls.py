"""Tells how a call is written: a JSON object, a name and JSON, or tagged arguments."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.syntax.differential_shown import NAMES
from llamanb.chat_layer.syntax.differential_texts import CALL_ID, INDEX, Frame, frame_of
from llamanb.chat_layer.syntax.elements import Layout, Schema
from llamanb.chat_layer.syntax.families.calls import DIGITS
from llamanb.chat_layer.syntax.families.json_objects import ObjectForm

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.differential_shown import Past

__all__ = ["KEY", "TEXT", "NamedCalls", "Shown", "read_json_calls", "shown_calls", "with_index"]

KEY, TEXT = "qZkeyZq", "qZ\"text\nwith<b>'&Zq"
MAX_TRIES = 64
_SHORT_ID = Schema({"type": "string", "minLength": 9, "maxLength": 9})
_CALL = ("tool_name", "tool_arguments")
_ORDERS = (_CALL, ("tool_id", *_CALL), ("index", *_CALL), (*_CALL, "tool_id"))
_DECODER = json.JSONDecoder()
_LABEL = re.compile(r'(?P<comma>(?:\s*,\s*)?)(?P<key>"[^"]*")(?P<colon>\s*:\s*)')
_NUMBER = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Where one call is in a rendering, without its markers; ``value`` is its JSON."""

    start: int
    end: int
    value: dict[str, Any]


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
            return Shown(text=text, names=names)
    return None


def read_json_calls(shown: Shown) -> tuple[Frame, ObjectForm | NamedCalls] | None:
    """Read calls whose arguments are JSON."""
    objects = [_object_at(shown.text, place) for place in shown.places]
    spans = [one for one in objects if one is not None]
    form = _object_form(shown, spans) if len(spans) == len(objects) else None
    if form is None:
        return _read_named(shown)
    return shown.frame(tuple((one.start, one.end) for one in spans)), form


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


def _object_form(shown: Shown, spans: list[Span]) -> ObjectForm | None:
    """Give the keys and layout of the objects; None if there is more in them."""
    first, last = spans[0].value, spans[-1].value
    keys = {_role(first[key], last.get(key)): key for key in first}
    order = tuple(role for role in keys if role != "type")
    layouts = {_layout(shown.text[one.start : one.end], list(first)) for one in spans}
    layout = layouts.pop()
    is_known = order in _ORDERS and len(keys) == len(first) and keys.get("type", "type") == "type"
    if (
        not is_known
        or layouts
        or layout is None
        or ("type" in keys and next(iter(first)) != "type")
    ):
        return None
    return ObjectForm(
        name=keys["tool_name"],
        arguments=keys["tool_arguments"],
        id=keys.get("index", keys.get("tool_id", "")),
        id_value=DIGITS if "index" in keys else _SHORT_ID,
        id_is_first=order[0] in {"index", "tool_id"},
        has_type="type" in keys,
        layout=layout,
    )


def _layout(text: str, keys: list[str]) -> Layout | None:
    """Give what an object of ``keys`` is written with; None if it is not the same everywhere."""
    end = text.find('"')
    opening, colons, commas = text[:end], set(), set()
    for key in keys:
        label = _LABEL.match(text, end)
        if label is None or label["key"] != json.dumps(key, ensure_ascii=False):
            return None
        colons.add(label["colon"])
        commas.update([label["comma"]] if label["comma"] or key != keys[0] else [])
        end = _DECODER.raw_decode(text, label.end())[1]
    is_whole = (opening.strip(), text[end:].strip()) == ("{", "}")
    if len(colons) != 1 or len(commas) != 1 or not is_whole:
        return None
    return Layout(opening=opening, comma=commas.pop(), colon=colons.pop(), closing=text[end:])


def _role(first: Any, last: Any) -> str:
    """Give what a member is, judged by its values in two calls."""
    if first == {KEY: TEXT}:
        return "tool_arguments"
    roles = {NAMES[0]: "tool_name", CALL_ID: "tool_id", "function": "type"}
    if isinstance(first, str) and isinstance(last, str):
        is_number = _NUMBER.fullmatch(first) and _NUMBER.fullmatch(last)
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
    between = with_index(betweens)
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


def with_index(betweens: list[str]) -> str | None:
    """Give the text that both are, with ``INDEX`` for a number that counts the calls."""
    first, last = betweens[0], betweens[-1]
    if first == last:
        return first
    for number in _NUMBER.finditer(first):
        begin, end = first[: number.start()], first[number.end() :]
        if f"{begin}{int(number.group()) + 1}{end}" == last:
            return f"{begin}{INDEX}{end}"
    return None
