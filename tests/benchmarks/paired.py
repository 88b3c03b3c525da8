"""Run one side after the other, each in a process of its own, and compare.

A *side* is a function ``(options) -> float`` named ``module:function`` below
``tests.benchmarks``; this module run as a script is the process that calls it.
"""

from __future__ import annotations

import importlib
import json
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Row", "alone", "measure", "paired"]

REPOSITORY = Path(__file__).parents[2]
SIDE_TIMEOUT_S = 900
MARK = "measured: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    ours, theirs : medians over the runs, in ``unit``.
    ratio : median of the ratios of each pair, above 1 when ours is better.
    against : what "theirs" is; empty when ours was measured alone.
    goal : what ours must stay below; None without a goal.
    """

    name: str
    unit: str
    ours: float
    theirs: float | None = None
    ratio: float | None = None
    against: str = ""
    lowest_ratio: float | None = None
    goal: float | None = None


def paired(
    name: str,
    unit: str,
    sides: tuple[str, str],
    options: dict[str, Any],
    *,
    against: str,
    runs: int,
    less_is_better: bool = False,
) -> Row:
    """Measure ours and theirs ``runs`` times in turn; gives medians and ratios."""
    pairs = [(measure(sides[0], options), measure(sides[1], options)) for _ in range(runs)]
    ratios = [(b / a if less_is_better else a / b) for a, b in pairs]
    return Row(
        name=name,
        unit=unit,
        ours=statistics.median(a for a, _ in pairs),
        theirs=statistics.median(b for _, b in pairs),
        ratio=statistics.median(ratios),
        lowest_ratio=min(ratios),
        against=against,
    )


def alone(
    name: str,
    unit: str,
    side: str,
    options: dict[str, Any],
    *,
    runs: int,
    goal: float | None = None,
) -> Row:
    """Measure ours only; gives the median."""
    values = [measure(side, options) for _ in range(runs)]
    return Row(name=name, unit=unit, ours=statistics.median(values), goal=goal)


def measure(side: str, options: dict[str, Any]) -> float:
    """Call one side in a fresh Python process and give its figure."""
    command = [sys.executable, "-m", "tests.benchmarks.paired", side, json.dumps(options)]
    done = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=SIDE_TIMEOUT_S, check=False
    )
    marked = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    if done.returncode or not marked:
        raise RuntimeError(f"{side} failed ({done.returncode}):\n{done.stderr[-3000:]}")
    return float(marked[-1].removeprefix(MARK))


def _main(side: str, options: str) -> None:
    module, _, function = side.partition(":")
    measured = getattr(importlib.import_module(f"tests.benchmarks.{module}"), function)
    print(f"{MARK}{measured(json.loads(options))}")  # noqa: T201  # read by measure()


if __name__ == "__main__":
    _main(*sys.argv[1:])
