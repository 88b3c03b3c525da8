"""What a model answered, as chatlas takes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from chatlas import AssistantTurn, ContentToolRequest
from chatlas.types import ContentJson, ContentText, ContentThinking, ContentThinkingDelta

from llamanb.chat_layer import Finished, MessageParts, ReasoningDelta, TextDelta
from llamanb.errors import ExtractionError
from llamanb.integrations.chatlas.messages import read_arguments

if TYPE_CHECKING:
    from chatlas.types import Content

    from llamanb.chat_layer import ChatEvent, ChatMessage

__all__ = ["Answer", "content_of"]

_REASONS = {"stop": "success", "tool_calls": "tool_use", "length": "max_tokens"}


def content_of(event: ChatEvent) -> list[Content]:
    """Give what an event adds to what the reader sees; nothing for most."""
    if isinstance(event, TextDelta):
        return [ContentText.model_construct(text=event.text)]
    if isinstance(event, ReasoningDelta):
        return [ContentThinkingDelta.model_construct(thinking=event.text)]
    return []


class Answer:
    """Gathers the events of one answer; belongs to one stream."""

    def __init__(self) -> None:
        self._parts = MessageParts()
        self._finished = Finished(reason="cancelled")

    def add(self, event: ChatEvent) -> None:
        """Take the next event."""
        if isinstance(event, Finished):
            self._finished = event
        else:
            self._parts.add(event)

    @property
    def tokens(self) -> tuple[int, int, int]:
        """Tokens that were read, written, and read before and kept."""
        usage = self._finished.usage
        cached = usage.get("cached_tokens", 0)
        return usage.get("prompt_tokens", 0) - cached, usage.get("completion_tokens", 0), cached

    def turn(self, *, is_typed: bool) -> AssistantTurn[Any]:
        """Give the answer as a turn; ``is_typed`` says that its text is JSON.

        Raises
        ------
        ExtractionError
            If that JSON was cut off.
        """
        message = self._parts.message
        return AssistantTurn(
            [
                *_thoughts(message),
                *self._content(message, is_typed=is_typed),
                *self._calls(message),
            ],
            finish_reason=self._reason,
            tokens=self.tokens,
            cost=0.0,
            completion=self._completion(message),
        )

    @property
    def _reason(self) -> str:
        if self._finished.stop_string is not None:
            return "stop_sequence"
        full = "context_window" if self._finished.extra.get("is_full") else None
        return full or _REASONS.get(self._finished.reason, self._finished.reason)

    def _content(self, message: ChatMessage, *, is_typed: bool) -> list[Content]:
        if is_typed and not message.tool_calls:
            return [ContentJson(value=_object_in(message.content, self._finished.reason))]
        return [ContentText.model_construct(text=message.content)] if message.content else []

    def _calls(self, message: ChatMessage) -> list[Content]:
        if self._finished.reason != "tool_calls":  # cut off: nothing of it may run
            return []
        return [
            ContentToolRequest(id=call.id, name=call.name, arguments=read_arguments(call.arguments))
            for call in message.tool_calls
        ]

    def _completion(self, message: ChatMessage) -> dict[str, Any]:
        finished = self._finished
        return {
            "message": message.to_openai(),
            "finish_reason": finished.reason,
            "usage": dict(finished.usage),
            "timings": dict(finished.timings),
            "seed": finished.seed,
            "logprobs": finished.extra.get("logprobs"),
        }


def _thoughts(message: ChatMessage) -> list[Content]:
    thoughts = message.reasoning_content
    return [ContentThinking(thinking=thoughts)] if thoughts else []


def _object_in(text: str, reason: str) -> dict[str, Any]:
    if reason == "length":
        raise ExtractionError(
            "the answer was cut off before it was complete: allow more max_tokens, or a larger n_ctx",
            text=text,
            finish_reason=reason,
        )
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ExtractionError(
            "the answer is no JSON object: wrap the type in a model with a field for it",
            text=text,
            finish_reason=reason,
        )
    return value
