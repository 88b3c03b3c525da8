"""Read messages that are there already: turn by turn, as texts, thoughts and calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.messages import content_text
from llamanb.notebook.calls import Call
from llamanb.notebook.chat.parts import Thought

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llamanb.notebook.chat.parts import Part

__all__ = ["grouped", "parts_of", "question_of"]

Message = dict[str, Any]


def grouped(messages: Sequence[Message]) -> list[list[Message]]:
    """Cut messages into turns: each begins with a message of the user, the first one with any."""
    groups: list[list[Message]] = []
    for message in messages:
        if message["role"] == "user" or not groups:
            groups.append([])
        groups[-1].append(message)
    return groups


def question_of(messages: Sequence[Message]) -> str:
    """Give what the user said, attachments and all."""
    if not messages or messages[0]["role"] != "user":
        return ""
    return content_text(messages[0].get("content"))


def parts_of(messages: Sequence[Message]) -> list[Part]:
    """Give what followed the question, calls with their results."""
    results = {message.get("tool_call_id"): message for message in messages}
    parts: list[Part] = []
    for message in messages:
        if message["role"] == "assistant":
            parts += _assistant_parts(message, results)
    return parts


def _assistant_parts(message: Message, results: dict[Any, Message]) -> Iterator[Part]:
    if thought := message.get("reasoning_content"):
        yield Thought(text=str(thought), is_open=False)
    text = content_text(message.get("content"))
    if text.strip():
        yield text
    for call in message.get("tool_calls") or ():
        yield _call(call, results.get(call.get("id")))


def _call(call: Message, result: Message | None) -> Call:
    function = call.get("function") or {}
    return Call(
        id=str(call.get("id")),
        name=str(function.get("name")),
        arguments=str(function.get("arguments")),
        is_whole=True,
        result=None if result is None else content_text(result.get("content")),
    )
