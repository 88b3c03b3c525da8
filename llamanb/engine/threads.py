"""How many cores this process may use."""

from __future__ import annotations

import os
from pathlib import Path

from llamanb.settings import ContextSettings, read_environment

__all__ = ["thread_counts", "usable_cores"]


def usable_cores() -> int:
    """Count the cores left by the affinity mask and the cgroup's CPU quota; at least 1."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quota = _cgroup_quota()
    return max(1, cores if quota is None else min(cores, int(quota)))


def thread_counts(settings: ContextSettings) -> tuple[int, int]:
    """Give the threads for single tokens and for prompts.

    One core is left to the kernel's own thread: with a busy cell two threads on
    two cores are slower than one (32 against 40 tokens/s measured).
    """
    asked = settings.n_threads or read_environment().n_threads
    cores = usable_cores()
    single = asked or max(1, cores - 1)
    return single, settings.n_threads_batch or asked or cores


def _cgroup_quota() -> float | None:
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()[:2]
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return _cgroup_v1_quota()


def _cgroup_v1_quota() -> float | None:
    folder = Path("/sys/fs/cgroup/cpu")
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None
    return quota / period if quota > 0 and period > 0 else None
