"""How long ``import llamanb`` takes, in a bare Python and in a notebook's kernel."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.paired import Row, alone
from tests.support.kernels import Kernel

if TYPE_CHECKING:
    from tests.benchmarks.plan import Plan

__all__ = ["first_import", "in_a_kernel", "measure"]

TIMED_IMPORT = """
import time
started = time.perf_counter()
import llamanb
took_ms = 1000 * (time.perf_counter() - started)
"""


def measure(plan: Plan) -> list[Row]:
    """Give the rows."""
    runs = max(3, plan.runs)
    places = {"bare Python": "first_import", "a kernel": "in_a_kernel"}
    return [
        alone(f"import llamanb in {place}", "ms", f"importing:{side}", {}, runs=runs, goal=600)
        for place, side in places.items()
    ]


def first_import(_: dict[str, Any]) -> float:
    """Give the milliseconds of the import in a Python that has imported nothing yet."""
    command = [sys.executable, "-c", TIMED_IMPORT + "print(took_ms)"]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def in_a_kernel(_: dict[str, Any]) -> float:
    """Give the milliseconds of the import that also registers the magics."""
    with tempfile.TemporaryDirectory() as folder, Kernel(Path(folder)) as kernel:
        kernel.run(TIMED_IMPORT)
        return float(kernel.evaluate("took_ms"))
