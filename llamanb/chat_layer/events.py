"""The one vocabulary of a streamed reply; every encoder downstream reads it.

A reply is a sequence of these events and ends with exactly one ``Finished``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = [
    "ChatEvent",
    "Finished",
    "ReasoningDelta",
    "TextDelta",
    "ToolArgumentsDelta",
    "ToolCallEnd",
    "ToolCallStart",
    "ToolResult",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningDelta:
    """More of what the model thinks before it answers."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    """More of the answer."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallStart:
    """The model has named a tool; ``index`` counts the calls of this reply from 0."""

    index: int
    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolArgumentsDelta:
    """More of the JSON text of a call's arguments, exactly as the model wrote it."""

    index: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallEnd:
    """The call is complete; ``arguments`` is its whole JSON text."""

    index: int
    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool gave back (``is_error`` if it failed or was denied).

    ``stdout`` is what it printed and ``seconds`` how long it took; the model sees
    ``content`` alone.
    """

    id: str
    name: str
    content: str
    is_error: bool = False
    stdout: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The end of a reply.

    ``usage`` and ``timings`` are plain dictionaries (OpenAI's and llama.cpp's
    words) so that this room needs no engine; ``error`` says what went wrong when
    ``reason`` is ``"error"``.
    """

    reason: Literal["stop", "length", "tool_calls", "cancelled", "error"]
    usage: dict[str, int] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    stop_string: str | None = None
    seed: int | None = None
    error: str | None = None
    error_type: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


ChatEvent = (
    ReasoningDelta
    | TextDelta
    | ToolCallStart
    | ToolArgumentsDelta
    | ToolCallEnd
    | ToolResult
    | Finished
)
