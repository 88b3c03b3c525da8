"""Sums up the rounds of a turn."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from llamanb.chat_layer import Finished

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llamanb.conversation.talk_round import Round

__all__ = ["summed"]

_SUMMED_USAGE = ("completion_tokens", "reasoning_tokens")
_SUMMED_TIMINGS = ("queued_s", "prompt_s", "generation_s")


def summed(rounds: Sequence[Round]) -> Finished:
    """Give the end of the last round with the numbers of all.

    The prompt of a round holds the rounds before it, so its tokens, and those taken
    from the cache, are the last round's. ``tools_s`` is what the tools took.
    """
    ends = [one.reply.finished for one in rounds if one.reply.finished is not None]
    last = ends[-1] if ends else Finished(reason="cancelled")
    extra = {**last.extra, "rounds": len(rounds)}
    if len(rounds) == 1 and not rounds[0].results:
        return replace(last, extra=extra)
    return replace(last, usage=_usage(ends), timings=_timings(ends, rounds), extra=extra)


def _usage(ends: Sequence[Finished]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for end in ends:
        total.update({name: end.usage[name] for name in _SUMMED_USAGE if name in end.usage})
    usage = {**ends[-1].usage, **total}
    usage["total_tokens"] = usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0)
    return usage


def _timings(ends: Sequence[Finished], rounds: Sequence[Round]) -> dict[str, float]:
    timings = {name: sum(end.timings.get(name, 0.0) for end in ends) for name in _SUMMED_TIMINGS}
    n_tokens = sum(end.usage.get("completion_tokens", 0) for end in ends)
    generation_s = timings["generation_s"]
    return {
        **timings,
        "tokens_per_s": n_tokens / generation_s if generation_s else 0.0,
        "tools_s": sum(result.seconds for one in rounds for result in one.results),
    }
