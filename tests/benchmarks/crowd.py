"""How long a running stream stalls when a long prompt arrives beside it."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, Any

from tests.benchmarks.paired import Row, alone
from tests.benchmarks.sides import open_ours, random_prompt

if TYPE_CHECKING:
    from tests.benchmarks.plan import Plan

__all__ = ["first_token_of_newcomer", "measure", "worst_gap"]


def measure(plan: Plan) -> list[Row]:
    """Give the worst gap and what the newcomer pays for it."""
    length = plan.n_intruder
    options = plan.options(n_intruder=length)
    return [
        alone(f"worst gap beside a {length:,}-token prompt", "ms", "crowd:worst_gap", options, runs=plan.runs),
        alone(f"first token of that {length:,}-token prompt", "ms", "crowd:first_token_of_newcomer", options, runs=plan.runs),
    ]  # fmt: skip


def worst_gap(options: dict[str, Any]) -> float:
    """Give the longest wait between two tokens of the running stream, in ms."""
    running, arrived_at, first_token_at = _meet(options)
    times = [t for t in running if arrived_at - 0.05 <= t <= first_token_at + 0.05]
    return 1000 * max(b - a for a, b in itertools.pairwise(times))


def first_token_of_newcomer(options: dict[str, Any]) -> float:
    """Give the long prompt's time to its first token, in ms."""
    _, arrived_at, first_token_at = _meet(options)
    return 1000 * (first_token_at - arrived_at)


def _meet(options: dict[str, Any]) -> tuple[list[float], float, float]:
    warmed = threading.Event()
    with open_ours(options) as side:
        generation, running = side.start(random_prompt(16, seed=1), options["n_ctx"] - 64)
        generation.subscribe(lambda _: warmed.set() if len(running.times) > 20 else None)
        assert warmed.wait(60)
        intruder, newcomer = side.start(random_prompt(options["n_intruder"], seed=2), 4)
        intruder.wait()
        generation.cancel()
        generation.wait()
    return running.times, newcomer.asked_at, newcomer.times[0]
