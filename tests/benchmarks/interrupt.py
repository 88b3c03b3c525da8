"""From Kernel → Interrupt to an idle cell, while generating and inside a long prompt."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.paired import Row
from tests.support.kernels import Kernel

if TYPE_CHECKING:
    from tests.benchmarks.plan import Plan

__all__ = ["interrupt_latencies_s", "measure"]

GENERATE = "%%llama --new --max-tokens 3000\nba be bi"
LONG_PROMPT = "%%llama --new --max-tokens 1000\n"
DEFINE_WORDS = """
import random
def words(n):
    return " ".join(random.choices(["ba", "ke", "lo", "mi", "su", "ta", "vo", "ze"], k=n))
"""


def measure(plan: Plan) -> list[Row]:
    """Give median and 95th percentile of both situations, in ms."""
    path, tries = str(plan.options()["path"]), plan.interrupts
    rows = []
    for name, long_prompt in (("generation", False), (f"a {plan.n_long:,}-token prompt", True)):
        n_prompt = plan.n_long if long_prompt else None
        latencies = sorted(1000 * s for s in interrupt_latencies_s(path, tries, n_prompt))
        for label, share in (("median", 0.5), ("p95", 0.95)):
            value = latencies[min(len(latencies) - 1, round(share * (len(latencies) - 1)))]
            title = f"interrupt in {name}, {label} of {tries}"
            rows.append(Row(name=title, unit="ms", ours=value, goal=200))
    return rows


def interrupt_latencies_s(path: str, tries: int, n_prompt: int | None = None) -> list[float]:
    """Interrupt ``tries`` cells in one kernel; gives the seconds until each was idle.

    With ``n_prompt`` the interrupt comes while that many prompt tokens are
    computed, otherwise after the first visible output.
    """
    with tempfile.TemporaryDirectory() as folder, Kernel(Path(folder)) as kernel:
        for code in ("%load_ext llamanb", f"%llama load {path} --n-ctx 4096", DEFINE_WORDS):
            assert kernel.run(code).error is None
        return [_interrupt_once(kernel, n_prompt) for _ in range(tries)]


def _interrupt_once(kernel: Kernel, n_prompt: int | None) -> float:
    if n_prompt is None:
        cell = kernel.start(GENERATE)
        kernel.wait(cell, lambda seen: len(seen.text) > 20)
    else:
        cell = kernel.start(f"{LONG_PROMPT}{{{{words({n_prompt})}}}}")
        kernel.watch(cell, random.uniform(0.3, 0.8))  # noqa: S311  # any moment will do
    assert cell.idle_at is None, f"the cell was over too soon: {cell.text[:300]}"
    latency_s = kernel.seconds_to_idle(cell)
    assert cell.error is None, cell.error
    assert kernel.evaluate("6 * 7") == 42
    return latency_s
