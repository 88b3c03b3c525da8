"""Whole messages out of events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamanb.chat_layer.events import (
    ChatEvent,
    ReasoningDelta,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallStart,
)
from llamanb.chat_layer.prompt import ChatMessage, ToolCall
from llamanb.chat_layer.syntax.parser import SyntaxParser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from llamanb.chat_layer.syntax.description import Description

__all__ = ["join_events", "parse_syntax"]


def join_events(events: Iterable[ChatEvent]) -> ChatMessage:
    """Give the message that ``events`` make up; calls that were cut off are in it, too."""
    texts: dict[type, list[str]] = {TextDelta: [], ReasoningDelta: []}
    calls: dict[int, tuple[ToolCallStart, list[str]]] = {}
    for event in events:
        match event:
            case TextDelta(text=text) | ReasoningDelta(text=text):
                texts[type(event)].append(text)
            case ToolCallStart(index=index):
                calls[index] = event, []
            case ToolArgumentsDelta(index=index, text=text):
                calls[index][1].append(text)
            case _:
                pass
    return ChatMessage(
        content="".join(texts[TextDelta]),
        reasoning_content="".join(texts[ReasoningDelta]),
        tool_calls=tuple(
            ToolCall(id=start.id, name=start.name, arguments="".join(parts))
            for start, parts in calls.values()
        ),
    )


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
