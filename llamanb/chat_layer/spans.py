"""Finds which parts of a prompt were written by people, tools or the model.

Private characters are put around every such text and the template is rendered
once more. If the output without them is the prompt, their places tell the spans;
if the template looked at the marked text and did something else, the texts are
searched for instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from llamanb.chat_layer.messages import Messages
from llamanb.chat_layer.shared_text import shared_length
from llamanb.errors import TemplateError

__all__ = ["Span", "find_spans", "without"]

Span = tuple[int, int]
Render = Callable[[Messages, Any], str]
_FIRST = 0xF0000  # Unicode's private planes 15 and 16
_LAST = 0x10FFFD
MAX_TEXTS = (_LAST - _FIRST) // 2
_PRIVATE = re.compile(
    f"[{chr(_FIRST)}-{chr(_LAST)}]"
    r"|\\u(db[89a-f][0-9a-f])\\u(d[c-f][0-9a-f]{2})"  # as ASCII-only JSON writes it
    r"|\\U00((?:0f|10)[0-9a-f]{4})"  # as Python's repr does
)
_MARKED_FIELDS = frozenset(["content", "text", "reasoning_content", "reasoning", "thinking"])
_SUSPICIOUS = frozenset("<[{|")
LONGEST_MARKER = 32


class _Marker:
    """Puts a numbered pair of private characters around each text, and keeps the texts."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def mark(self, text: str) -> str:
        core = text.strip()
        if not core or len(self.texts) >= MAX_TEXTS:
            return text
        start = text.index(core)
        opening, closing = chr(_FIRST + 2 * len(self.texts)), chr(_FIRST + 2 * len(self.texts) + 1)
        self.texts.append(core)
        return text[:start] + opening + core + closing + text[start + len(core) :]

    def messages(self, messages: Messages) -> Messages:
        return [{name: self._field(name, one) for name, one in m.items()} for m in messages]

    def tools(self, value: Any, name: str = "") -> Any:
        """Mark what tool servers write: descriptions, and all else that could hold markup."""
        if isinstance(value, dict):
            return {self._suspect(key): self.tools(one, key) for key, one in value.items()}
        if isinstance(value, list):
            return [self.tools(one) for one in value]
        return (
            self.mark(value)
            if isinstance(value, str) and name == "description"
            else (self._suspect(value))
        )

    def _suspect(self, value: Any) -> Any:
        """Mark a text that templates may compare or sort only if it could hold markup."""
        is_suspicious = isinstance(value, str) and not _SUSPICIOUS.isdisjoint(value)
        return self.mark(value) if is_suspicious else value

    def _field(self, name: str, value: Any) -> Any:
        if name == "tool_calls" and isinstance(value, list):
            return [self._call(call) for call in value]
        if name in _MARKED_FIELDS:
            return self._content(value)
        return self._suspect(value)

    def _content(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._part(part) for part in value]
        return self.mark(value) if isinstance(value, str) else value

    def _part(self, part: Any) -> Any:
        if isinstance(part, dict):
            return {name: self._field(name, one) for name, one in part.items()}
        return self.mark(part) if isinstance(part, str) else part

    def _call(self, call: Any) -> Any:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            return call
        marked = {name: self._suspect(one) for name, one in function.items()}
        if "arguments" in function:
            marked["arguments"] = self._leaves(function["arguments"])
        return {**call, "function": marked}

    def _leaves(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self._suspect(key): self._leaves(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._leaves(one) for one in value]
        return self.mark(value) if isinstance(value, str) else value


def find_spans(prompt: str, messages: Messages, tools: Any, render: Render) -> tuple[Span, ...]:
    """Give the character ranges of ``prompt`` that hold contents, in order.

    Parameters
    ----------
    prompt : the rendered text.
    messages, tools : what it was rendered from.
    render : renders other messages and tools in the same way; may raise TemplateError.
    """
    for with_tools in (True, False) if tools else (False,):
        marker, unmarked = _Marker(), _Marker()
        marked_tools = marker.tools(tools) if with_tools else tools
        if not with_tools:
            unmarked.tools(tools)
        marked_messages = marker.messages(messages)
        if _PRIVATE.search(prompt):
            break
        try:
            marked = render(marked_messages, marked_tools)
        except TemplateError:
            continue
        plain, places = _take_out(marked)
        if plain == prompt:
            paired = _paired(prompt, places, marker.texts)
            return _merged(chain(paired, _searched(prompt, unmarked.texts)))
    marker = _Marker()
    marker.tools(tools)
    marker.messages(messages)
    return _merged(_searched(prompt, marker.texts))


def _take_out(marked: str) -> tuple[str, list[tuple[int, int]]]:
    """Give the text without private characters, and (place, character - first) of each."""
    pieces, places, start, length = [], [], 0, 0
    for found in _PRIVATE.finditer(marked):
        pieces.append(marked[start : found.start()])
        length += found.start() - start
        start = found.end()
        places.append((length, _code(found) - _FIRST))
    pieces.append(marked[start:])
    return "".join(pieces), places


def _code(found: re.Match[str]) -> int:
    high, low, whole = found.groups()
    if whole is not None:
        return int(whole, 16)
    if high is None:
        return ord(found.group())
    return 0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00


def _paired(prompt: str, places: list[tuple[int, int]], texts: list[str]) -> Iterator[Span]:
    """Join each opening with the closing that follows at once; others are matched by text."""
    index = 0
    while index < len(places):
        place, code = places[index]
        following = places[index + 1] if index + 1 < len(places) else (0, -1)
        if code % 2 == 0 and following[1] == code + 1:
            yield place, following[0]
            index += 2
            continue
        yield _half_span(prompt, place, texts[code // 2], opening=code % 2 == 0)
        index += 1


def _half_span(prompt: str, place: int, text: str, *, opening: bool) -> Span:
    """Give how far the text goes on after an opening, or back before a closing."""
    if opening:
        rest = prompt[place : place + len(text)]
        return place, place + shared_length(rest, text)
    rest = prompt[max(0, place - len(text)) : place]
    return place - shared_length(rest[::-1], text[::-1]), place


def _searched(prompt: str, texts: list[str]) -> Iterator[Span]:
    """Look for the texts that could hold markup, in order.

    A text too long to be one of the template's own markers is found everywhere.
    """
    start = 0
    for text in texts:
        if not _SUSPICIOUS.intersection(text):
            continue
        for form in {text, json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(text)[1:-1]}:
            places = list(_places(prompt, form))
            if len(text) <= LONGEST_MARKER:
                places = [place for place in places if place >= start][:1] or places[:1]
                start = places[0] + len(form) if places else start
            yield from ((place, place + len(form)) for place in places)


def _places(text: str, part: str) -> Iterator[int]:
    place = text.find(part)
    while place >= 0:
        yield place
        place = text.find(part, place + len(part))


def _merged(spans: Iterator[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:  # neighbours could form a token together
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        elif start < end:
            merged.append((start, end))
    return tuple(merged)


def without(spans: tuple[Span, ...], taken: Iterable[Span]) -> tuple[Span, ...]:
    """Give ``spans`` without the ranges ``taken``."""
    left = list(spans)
    for start, end in taken:
        left = [
            part
            for span in left
            for part in ((span[0], min(span[1], start)), (max(span[0], end), span[1]))
            if part[0] < part[1]
        ]
    return tuple(left)
