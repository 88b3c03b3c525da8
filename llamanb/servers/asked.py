"""What a client asks for, in the words that all dialects share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llamanb.chat_layer import ChatEvent

__all__ = ["Asked", "Told"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request, read: a dialect's adapter makes it, the service answers it.

    Attributes
    ----------
    model : the name in the request; None for the default model.
    messages : OpenAI dictionaries.
    prompts : plain texts, or their token ids, to go on with instead of messages.
    options : keyword arguments of :func:`llamanb.models.reply.prepare`; with prompts,
        those of :func:`llamanb.models.text_reply.prepare_text`.
    n : how many answers are wanted, to each prompt.
    """

    model: str | None
    messages: list[dict[str, Any]]
    prompts: tuple[str | tuple[int, ...], ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    n: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event of one answer.

    Attributes
    ----------
    index : which answer, where a request asked for several.
    logprobs : OpenAI's dictionaries of the tokens behind the event, if asked for.
    """

    index: int
    event: ChatEvent
    logprobs: list[dict[str, Any]] = field(default_factory=list)
