"""Reads a family's output syntax off its template, by rendering pairs that differ.

Known words are put where reasoning and answer belong; what the template writes
around them are the markers a model of that family writes itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from llamanb.chat_layer.probe import USER, Messages, probe, try_render
from llamanb.chat_layer.prompt import Syntax
from llamanb.chat_layer.shared_text import shared_length

__all__ = ["TurnMarkers", "read_markers"]

REASON, ANSWER = "qZreasonZq", "qZanswerZq"
_MARKER = re.compile(r"<[^<>\s][^<>\n]{0,60}>|\[[^\[\]\s]{1,60}\]")
_LAST_MARKER = re.compile(rf"(?:(?:{_MARKER.pattern})\w+)?(?:{_MARKER.pattern})\s*\Z")
_FIELDS = ("reasoning_content", "reasoning", "thinking")
_KNOWN_PAIRS = (
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("<|channel>thought", "<channel|>"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnMarkers:
    """What a template writes around reasoning, answer and turn."""

    syntax: Syntax
    turn_end: str = ""


@lru_cache(maxsize=128)
def read_markers(source: str) -> TurnMarkers:
    """Give the markers of the template ``source`` (cached)."""
    opened = _render(source, [USER], generation=True)
    answered = _render(source, [USER, _assistant(source)])
    start, end = _around_reasoning(source, opened)
    if not end:
        start, end = _known_pair(source, opened)
    syntax = Syntax(
        thinking_starts=(start,) if start else (),
        thinking_ends=(end,) if end else (),
        content_starts=_before_answer(opened, answered, (start, end)),
    )
    return TurnMarkers(syntax=syntax, turn_end=_turn_end(answered))


def _render(source: str, messages: Messages, *, generation: bool = False) -> str:
    variables: dict[str, Any] = {"enable_thinking": True}
    if generation:
        variables["add_generation_prompt"] = True
    return try_render(source, messages, **variables)


def _assistant(source: str, **fields: str) -> dict[str, Any]:
    able = probe(source)
    content: Any = ANSWER if able.string_content else [{"type": "text", "text": ANSWER}]
    return {"role": "assistant", "content": content, **fields}


def _around_reasoning(source: str, opened: str) -> tuple[str, str]:
    for name in _FIELDS:
        shown = _render(source, [USER, _assistant(source, **{name: REASON})])
        before, found, after = shown.partition(REASON)
        between, answered, _ = after.partition(ANSWER)
        if found and answered and between.strip():
            return _opening_marker(before, opened), between.strip()
    return "", ""


def _opening_marker(before: str, opened: str) -> str:
    """Give the marker that opens reasoning.

    ``before`` is the text up to the reasoning, ``opened`` the prompt with the
    turn's opening: it may end with the marker already, or go on to close it.
    """
    written = before[shared_length(before, opened) :].strip()
    if written:
        return written
    forced = _LAST_MARKER.search(before)
    return forced.group().strip() if forced else before.rstrip().rpartition("\n")[2]


def _known_pair(source: str, opened: str) -> tuple[str, str]:
    """Give the tags of a template that shows no earlier reasoning."""
    for start, end in _KNOWN_PAIRS:
        if opened.rstrip().endswith(start) or start in source or end in source:
            return start, end
    return "", ""


def _before_answer(opened: str, answered: str, thinking: tuple[str, str]) -> tuple[str, ...]:
    """Give the marker between the turn's opening and an answer without reasoning."""
    before, found, _ = answered.partition(ANSWER)
    marker = before.removeprefix(opened).strip()
    usable = found and before.startswith(opened) and _MARKER.match(marker)
    if not usable or any(tag and tag in marker for tag in thinking):
        return ()
    return (marker,)


def _turn_end(answered: str) -> str:
    """Give the first marker after the answer, if one follows at once."""
    after = answered.partition(ANSWER)[2].strip()
    found = _MARKER.match(after)
    return found.group() if found else ""
