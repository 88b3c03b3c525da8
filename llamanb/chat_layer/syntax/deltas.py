"""Neighbouring deltas as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamanb.chat_layer.events import ChatEvent, ReasoningDelta, TextDelta, ToolArgumentsDelta

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["joined"]


def joined(events: Iterable[ChatEvent]) -> list[ChatEvent]:
    """Give the same events, with neighbouring deltas of one kind joined."""
    found: list[ChatEvent] = []
    kind: object = None
    texts: list[str] = []
    for event in events:
        if kind is None or _kind(event) != kind:
            _close(found, texts)
            found.append(event)
            kind, texts = _kind(event), []
        texts.append(_text(event))
    _close(found, texts)
    return found


def _kind(event: ChatEvent) -> object:
    match event:
        case ToolArgumentsDelta(index=index):
            return ToolArgumentsDelta, index
        case TextDelta() | ReasoningDelta():
            return type(event)
    return None


def _text(event: ChatEvent) -> str:
    return event.text if isinstance(event, TextDelta | ReasoningDelta | ToolArgumentsDelta) else ""


def _close(found: list[ChatEvent], texts: list[str]) -> None:
    if len(texts) < 2:
        return
    text = "".join(texts)
    match found[-1]:
        case ToolArgumentsDelta(index=index):
            found[-1] = ToolArgumentsDelta(index=index, text=text)
        case TextDelta():
            found[-1] = TextDelta(text=text)
        case ReasoningDelta():
            found[-1] = ReasoningDelta(text=text)
        case _:
            pass
