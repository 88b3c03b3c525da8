"""Write a reply as plain text while it arrives, for a terminal and for ``-f raw``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.events import (
    ReasoningDelta,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallEnd,
    ToolCallStart,
    ToolResult,
)
from llamanb.notebook.clean_text import clean_delta, clean_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llamanb.chat_layer.events import ChatEvent
    from llamanb.notebook.transcript import Transcript

__all__ = ["TextOutput"]


class TextOutput:
    """Plain text as it comes.

    Parameters
    ----------
    write : takes text; standard output by default.
    with_footer : whether thinking, tool calls and a line about the reply are shown.
    """

    remaining_s = 0.0
    shows_speed = True

    def __init__(self, write: Callable[[str], Any] | None = None, *, with_footer: bool) -> None:
        self._write = write or sys.stdout.write
        self._with_footer = with_footer
        self._n_written = 0
        self._is_thinking = False
        self._at_line_start = True

    def begin(self) -> None:
        """Show nothing yet."""

    def draw(self, transcript: Transcript, *, at_once: bool = False) -> None:
        """Write what is new."""
        del at_once
        events = transcript.events[self._n_written :]
        self._n_written += len(events)
        for event in events:
            for text in self._texts(event) if self._with_footer else _plain_texts(event):
                self._say(text)
        sys.stdout.flush()

    def finish(self, transcript: Transcript, footer: str, metadata: dict[str, Any]) -> None:
        """End the line and say how it went."""
        del metadata
        self.draw(transcript)
        self._say("\n")
        if self._with_footer:
            error = transcript.finished.error if transcript.finished else None
            self._say(f"[{error or footer}]\n")
        sys.stdout.flush()

    def _say(self, text: str) -> None:
        if text:
            self._write(text)
            self._at_line_start = text.endswith("\n")

    def _texts(self, event: ChatEvent) -> Iterator[str]:
        is_thought = isinstance(event, ReasoningDelta)
        if is_thought != self._is_thinking and isinstance(
            event, ReasoningDelta | TextDelta | ToolCallStart
        ):
            self._is_thinking = is_thought
            yield "<thinking>\n" if is_thought else "\n</thinking>\n\n"
        match event:
            case TextDelta(text=text) | ReasoningDelta(text=text) | ToolArgumentsDelta(text=text):
                yield clean_delta(text)
            case ToolCallStart(name=name):
                yield f"{self._line_start}[{clean_text(name)} "
            case ToolCallEnd():
                yield "]\n"
            case ToolResult():
                yield from self._result(event)

    def _result(self, result: ToolResult) -> Iterator[str]:
        label = "error" if result.is_error else "result"
        for heading, text in (("printed", result.stdout), (label, result.content)):
            if text:
                shown = clean_text(text).rstrip("\n").replace("\n", "\n    ")
                yield f"{self._line_start}[{heading}: {shown}]\n"

    @property
    def _line_start(self) -> str:
        return "" if self._at_line_start else "\n"


def _plain_texts(event: ChatEvent) -> Iterator[str]:
    if isinstance(event, TextDelta):
        yield clean_delta(event.text)
