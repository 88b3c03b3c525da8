"""Prompts: prefill speed, and time to the first token with a cold and a warm prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.benchmarks.paired import Row, paired
from tests.benchmarks.sides import Side, first_token_s, open_llama, open_ours, random_prompt

if TYPE_CHECKING:
    from tests.benchmarks.plan import Plan

__all__ = ["llama", "measure", "ours"]

KINDS = {
    "prefill": ("prefill, {n} tokens", "tok/s"),
    "cold": ("first token, {n}-token prompt, cold", "ms"),
    "warm": ("first token, {n}-token prompt, warm prefix", "ms"),
}


def measure(plan: Plan) -> list[Row]:
    """Give the rows against ``llama_cpp.Llama``."""
    rows = []
    for kind, (name, unit) in KINDS.items():
        options = plan.options(kind=kind, n_prompt=plan.n_prompt)
        rows.append(
            paired(
                name.format(n=plan.n_prompt),
                unit,
                ("prompt:ours", "prompt:llama"),
                options,
                against="llama_cpp.Llama",
                runs=plan.runs,
                less_is_better=unit == "ms",
            )
        )
    return rows


def ours(options: dict[str, Any]) -> float:
    """Measure our engine."""
    with open_ours(options) as side:
        return _figure(side, options)


def llama(options: dict[str, Any]) -> float:
    """Measure ``llama_cpp.Llama``."""
    with open_llama(options) as side:
        return _figure(side, options)


def _figure(side: Side, options: dict[str, Any]) -> float:
    n_prompt = int(options["n_prompt"])
    side.run([random_prompt(n_prompt // 8, seed=1000)], 2)
    prompt = random_prompt(n_prompt, seed=1)
    cold_s = first_token_s(side, prompt)
    if options["kind"] == "prefill":
        return n_prompt / cold_s
    if options["kind"] == "cold":
        return 1000 * cold_s
    return 1000 * first_token_s(side, [*prompt, *random_prompt(8, seed=2)])
