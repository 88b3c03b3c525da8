"""Whole messages out of events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamanb.chat_layer.events import (
    ChatEvent,
    ReasoningDelta,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallEnd,
    ToolCallStart,
)
from llamanb.chat_layer.prompt import ChatMessage, ToolCall
from llamanb.chat_layer.syntax.parser import SyntaxParser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from llamanb.chat_layer.syntax.description import Description

__all__ = ["MessageParts", "join_events", "parse_syntax"]


class MessageParts:
    """Gathers the events of one reply; ``message`` is what they make up so far."""

    def __init__(self) -> None:
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, tuple[ToolCallStart, list[str]]] = {}
        self._n_ended = 0

    @property
    def message(self) -> ChatMessage:
        """The message; calls that are not complete are in it, too."""
        return ChatMessage(
            content="".join(self._content),
            reasoning_content="".join(self._reasoning),
            tool_calls=tuple(
                ToolCall(id=start.id, name=start.name, arguments="".join(parts))
                for start, parts in self._calls.values()
            ),
        )

    @property
    def has_whole_calls(self) -> bool:
        """Whether there are calls, and all are complete."""
        return 0 < len(self._calls) == self._n_ended

    def add(self, event: ChatEvent) -> None:
        """Take the next event."""
        match event:
            case TextDelta(text=text):
                self._content.append(text)
            case ReasoningDelta(text=text):
                self._reasoning.append(text)
            case ToolCallStart(index=index):
                self._calls[index] = event, []
            case ToolArgumentsDelta(index=index, text=text):
                self._calls[index][1].append(text)
            case ToolCallEnd():
                self._n_ended += 1
            case _:
                pass


def join_events(events: Iterable[ChatEvent]) -> ChatMessage:
    """Give the message that ``events`` make up; calls that were cut off are in it, too."""
    parts = MessageParts()
    for event in events:
        parts.add(event)
    return parts.message


def parse_syntax(
    text: str,
    description: Description,
    *,
    is_partial: bool = False,
    make_id: Callable[[], str] | None = None,
) -> ChatMessage:
    """Take a whole output apart; never fails, and loses no text.

    Parameters
    ----------
    text : what the model wrote.
    description : of the model's family, with the tools of this conversation.
    is_partial : whether more may come: then what may become a marker is left out.
    make_id : gives the ids of calls that have none; nine random characters.
    """
    parser = SyntaxParser(description, make_id=make_id)
    events = parser.feed(text)
    if not is_partial:
        events += parser.finish()
    return join_events(events)
