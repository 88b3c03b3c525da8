"""A talk as a plain value, made of the messages of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.messages import content_text
from llamanb.notebook.chat.history import grouped, parts_of, question_of
from llamanb.notebook.chat.parts import TalkView, TurnView

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["talk_of_messages"]

Message = dict[str, Any]


def talk_of_messages(
    messages: Sequence[Message],
    *,
    model: str = "",
    is_toy: bool = False,
    sampling: Mapping[str, Any] | None = None,
) -> TalkView:
    """Give messages as a talk: turn by turn, tool results with their calls.

    Parameters
    ----------
    messages : OpenAI dictionaries, oldest first; leading system messages are the
        system prompt.
    """
    start = next((n for n, one in enumerate(messages) if one["role"] != "system"), len(messages))
    prompts = [content_text(message.get("content")) for message in messages[:start]]
    return TalkView(
        model=model,
        is_toy=is_toy,
        system_prompt="\n\n".join(prompts),
        sampling=dict(sampling or {}),
        turns=tuple(map(_turn, grouped(messages[start:]))),
        messages=list(messages),
    )


def _turn(messages: Sequence[Message]) -> TurnView:
    return TurnView(question=question_of(messages), parts=tuple(parts_of(messages)))
