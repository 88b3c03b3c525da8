"""What one token costs beside its arithmetic, on a model that needs next to none."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tests.benchmarks.paired import Row, paired
from tests.benchmarks.sides import Side, open_llama, open_ours, random_prompt, tokens_per_second
from tests.support.random_gguf import model_path

if TYPE_CHECKING:
    from tests.benchmarks.plan import Plan

__all__ = ["bare", "llama", "measure", "ours"]


def measure(plan: Plan) -> list[Row]:
    """Give µs per token against ``Llama`` and against a bare decode-and-sample loop."""
    options = plan.options(n_threads=1, n_ctx=2048, n_tokens=min(1500, plan.n_tokens * 8))
    options["path"] = str(model_path("tiny-readable"))
    rivals = {"llama": "llama_cpp.Llama", "bare": "bare llama_decode + native sampler"}
    return [
        paired(
            "one token of a tiny model",
            "µs",
            ("overhead:ours", f"overhead:{side}"),
            options,
            against=rival,
            runs=plan.runs,
            less_is_better=True,
        )
        for side, rival in rivals.items()
    ]


def ours(options: dict[str, Any]) -> float:
    """Measure our engine."""
    with open_ours(options) as side:
        return _microseconds(side, options)


def llama(options: dict[str, Any]) -> float:
    """Measure ``llama_cpp.Llama``."""
    with open_llama(options) as side:
        return _microseconds(side, options)


def bare(options: dict[str, Any]) -> float:
    """Measure a loop of nothing but native calls, the least that Python can do."""
    import llama_cpp

    llama = llama_cpp.Llama(options["path"], n_ctx=options["n_ctx"], n_threads=1, verbose=False)
    chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
    for sampler in (
        llama_cpp.llama_sampler_init_top_k(40),
        llama_cpp.llama_sampler_init_top_p(0.95, 1),
        llama_cpp.llama_sampler_init_min_p(0.05, 1),
        llama_cpp.llama_sampler_init_temp(0.8),
        llama_cpp.llama_sampler_init_dist(1),
    ):
        llama_cpp.llama_sampler_chain_add(chain, sampler)
    try:
        return _bare_loop(llama_cpp, llama.ctx, chain, options["n_tokens"])
    finally:
        llama_cpp.llama_sampler_free(chain)
        llama.close()


def _bare_loop(llama_cpp: Any, context: Any, chain: Any, n_tokens: int) -> float:
    token = (llama_cpp.llama_token * 1)(33)
    started = time.perf_counter()
    for _ in range(n_tokens):
        llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(token, 1))
        token[0] = llama_cpp.llama_sampler_sample(chain, context, -1)
    return 1e6 * (time.perf_counter() - started) / n_tokens


def _microseconds(side: Side, options: dict[str, Any]) -> float:
    side.run([random_prompt(4, seed=1)], 50)
    return 1e6 / tokens_per_second(side, [random_prompt(4, seed=2)], options["n_tokens"])
