"""The line below a reply, and the numbers of all its rounds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llamanb.engine.values import Timings

if TYPE_CHECKING:
    from llamanb.chat_layer.events import Finished
    from llamanb.engine.values import FinalRecord
    from llamanb.models import Model

__all__ = ["calls_note", "footer_line", "model_label", "of_all_rounds"]


def of_all_rounds(record: FinalRecord, finished: Finished) -> FinalRecord:
    """Give the record of the last round with the end and the numbers of the whole turn."""
    if finished.reason == "cancelled":  # perhaps between two rounds
        record = replace(record, finish_reason="cancelled")
    if finished.extra.get("rounds", 1) == 1:
        return record
    usage, times = finished.usage, finished.timings
    n_tokens = usage.get("completion_tokens", 0)
    return replace(
        record,
        usage=replace(record.usage, completion_tokens=n_tokens),
        timings=Timings(
            queued_s=times.get("queued_s", 0.0),
            prompt_s=times.get("prompt_s", 0.0),
            generation_s=times.get("generation_s", 0.0),
            completion_tokens=n_tokens,
        ),
    )


def calls_note(finished: Finished | None) -> str:
    """Say what became of calls that were not run."""
    if finished is not None and finished.extra.get("round_limit_reached"):
        return "no more rounds of tool calls"
    return "calls not run" if finished is not None and finished.reason == "tool_calls" else ""


def model_label(model: Model) -> str:
    """Give the name of a model; toys are called toys."""
    return f"{model.name} (toy)" if model.is_toy else model.name


def footer_line(record: FinalRecord, model: str, turn: str = "", *, with_speed: bool = True) -> str:
    """Give the line below a reply: tokens, speed, reuse, model, and the turn of the chat.

    Without speed and reuse it is the same in every run.
    """
    usage = record.usage
    count = f"{usage.completion_tokens} token{'s' * (usage.completion_tokens != 1)}"
    speed = record.timings.tokens_per_s if with_speed else 0.0
    # a few tokens of the template's head are always reused; they say nothing
    is_reuse = usage.cached_tokens >= usage.prompt_tokens / 4 and usage.cached_tokens > 0
    facts = [
        f"stopped after {count}" if record.finish_reason == "cancelled" else count,
        "cut at the token limit" if record.finish_reason == "length" else "",
        f"{speed:,.0f} tok/s" if speed else "",
        f"{usage.cached_tokens} of {usage.prompt_tokens} prompt tokens reused"
        if is_reuse and with_speed
        else "",
        model,
        turn,
    ]
    return " · ".join(filter(None, facts))
