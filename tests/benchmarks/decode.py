"""Decode speed at 1, 4 and 8 streams: tokens per second over all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.benchmarks import llama_server
from tests.benchmarks.paired import Row, paired
from tests.benchmarks.sides import Side, open_llama, open_ours, random_prompt, tokens_per_second

if TYPE_CHECKING:
    from tests.benchmarks.plan import Plan

__all__ = ["llama", "measure", "ours", "server"]

PROMPT_TOKENS = 16


def measure(plan: Plan) -> list[Row]:
    """Give the rows against ``Llama`` and, where there is one, llama-server."""
    rivals = {"llama": "llama_cpp.Llama"}
    if llama_server.binary():
        rivals["server"] = "llama-server"
    rows = []
    for n_streams in (1, 4, 8):
        options = plan.options(n_streams=n_streams, n_seq_max=max(4, n_streams))
        for side, rival in rivals.items():
            locked = " behind a lock" if side == "llama" and n_streams > 1 else ""
            sides = ("decode:ours", f"decode:{side}")
            name = f"decode, {n_streams} stream{'s' * (n_streams > 1)}"
            rows.append(
                paired(name, "tok/s", sides, options, against=rival + locked, runs=plan.runs)
            )
    return rows


def ours(options: dict[str, Any]) -> float:
    """Measure our engine."""
    with open_ours(options) as side:
        return _speed(side, options)


def llama(options: dict[str, Any]) -> float:
    """Measure ``llama_cpp.Llama``."""
    with open_llama(options) as side:
        return _speed(side, options)


def server(options: dict[str, Any]) -> float:
    """Measure the llama-server named by ``LLAMA_SERVER``."""
    with llama_server.open_server(options) as side:
        return _speed(side, options)


def _speed(side: Side, options: dict[str, Any]) -> float:
    side.run([random_prompt(PROMPT_TOKENS, seed=1000)], 8)
    prompts = [random_prompt(PROMPT_TOKENS, seed) for seed in range(options["n_streams"])]
    return tokens_per_second(side, prompts, options["n_tokens"])
