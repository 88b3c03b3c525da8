"""Memory of a resident model, of a second name for it, and what unloading gives back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.paired import Row, alone

if TYPE_CHECKING:
    from tests.benchmarks.plan import Plan

__all__ = ["kept_after_unload", "measure", "resident", "second_name"]

STAGES = {
    "resident": "memory of a resident model, over its file",
    "second_name": "memory of a second name for the same file",
    "kept_after_unload": "memory kept after unloading",
}


def measure(plan: Plan) -> list[Row]:
    """Give the rows, in MiB."""
    options = plan.options()
    return [alone(name, "MiB", f"memory:{side}", options, runs=1) for side, name in STAGES.items()]


def resident(options: dict[str, Any]) -> float:
    """Give private memory after loading and a first answer (weights are mapped files)."""
    before = _private_mib()
    _load_and_answer(options, "first")
    return _private_mib() - before


def second_name(options: dict[str, Any]) -> float:
    """Give what a second name adds."""
    _load_and_answer(options, "first")
    before = _private_mib()
    _load_and_answer(options, "second")
    return _private_mib() - before


def kept_after_unload(options: dict[str, Any]) -> float:
    """Give what is left once the model is gone."""
    import llamanb

    before = _private_mib()
    _load_and_answer(options, "first")
    llamanb.unload()
    return _private_mib() - before


def _load_and_answer(options: dict[str, Any], name: str) -> None:
    import llamanb

    model = llamanb.load(
        options["path"], name=name, n_ctx=options["n_ctx"], n_threads=options["n_threads"]
    )
    model.generate("Hello", max_tokens=4)


def _private_mib() -> float:
    """Give resident memory that is no file mapping, in MiB (Linux)."""
    status = Path("/proc/self/status").read_text("utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("RssAnon:"))
    return int(line.split()[1]) / 1024
