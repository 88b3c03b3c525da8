"""What the Messages API answers: usage, and why an answer ended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel
from pydantic_core import from_json

if TYPE_CHECKING:
    from llamanb.chat_layer import Finished

__all__ = ["CountTokensResponse", "MessageResponse", "input_json", "stop_of", "usage_of"]

StopReason = Literal[
    "end_turn", "max_tokens", "stop_sequence", "tool_use", "model_context_window_exceeded"
]
# What was given up is as incomplete as what was cut off.
_STOP_REASONS: dict[str, StopReason] = {"stop": "end_turn", "tool_calls": "tool_use"}


class CountTokensResponse(BaseModel):
    """How many tokens a prompt has."""

    input_tokens: int


class UsageResponse(BaseModel):
    """Tokens computed, read from the cache, and written; the first two are the prompt."""

    input_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int
    output_tokens: int
    service_tier: str


class MessageResponse(BaseModel):
    """A whole answer."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[dict[str, Any]]
    stop_reason: StopReason
    stop_sequence: str | None
    usage: UsageResponse


def stop_of(finished: Finished, max_tokens: int | None) -> dict[str, str | None]:
    """Say why an answer ended; ``max_tokens`` is what the client asked for at most."""
    reason = _STOP_REASONS.get(finished.reason, "max_tokens")
    stop_string = finished.stop_string if reason == "end_turn" else None
    if stop_string is not None:
        reason = "stop_sequence"
    n_written = finished.usage.get("completion_tokens", 0)
    if finished.reason == "length" and (max_tokens is None or n_written < max_tokens):
        reason = "model_context_window_exceeded"
    return {"stop_reason": reason, "stop_sequence": stop_string}


def usage_of(finished: Finished | None, n_prompt_tokens: int) -> dict[str, Any]:
    """Count tokens; as Anthropic counts, those from the cache are no input.

    Before the end nobody knows how many those are.
    """
    counts = finished.usage if finished is not None else {}
    n_cached = counts.get("cached_tokens", 0)
    usage: dict[str, Any] = {
        "input_tokens": n_prompt_tokens - n_cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": n_cached,
        "output_tokens": counts.get("completion_tokens", 0),
    }
    if "reasoning_tokens" in counts:
        usage["output_tokens_details"] = {"thinking_tokens": counts["reasoning_tokens"]}
    return usage


def input_json(arguments: str) -> str:
    """Give the JSON of a call's input: the model's own text, if it is JSON.

    Of a call that was cut off, it is what can be read; of anything else, a text.

    Examples
    --------
    >>> input_json('{"a": [1.50]}'), input_json('{"a": [1.50')
    ('{"a": [1.50]}', '{"a": [1.5]}')
    """
    try:
        json.loads(arguments, parse_constant=_refuse, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return _readable_part(arguments)
    return arguments


def _readable_part(arguments: str) -> str:
    try:
        part = from_json(arguments or "{}", allow_partial=True, allow_inf_nan=False)
        return json.dumps(part, allow_nan=False)
    except ValueError:
        return json.dumps({"input": arguments})


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON")
