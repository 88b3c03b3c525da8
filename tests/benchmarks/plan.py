"""What to measure with: the model, threads and sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Sizes of one benchmark run; lengths are in tokens.

    Attributes
    ----------
    runs : how many pairs each comparison makes.
    interrupts : how many cells are interrupted in each situation.
    """

    path: str
    n_threads: int
    runs: int = 5
    n_tokens: int = 128
    n_prompt: int = 512
    n_intruder: int = 1200
    n_long: int = 2000
    interrupts: int = 20

    def options(self, **more: Any) -> dict[str, Any]:
        """Give the options every side needs, plus ``more``."""
        base = {"path": self.path, "n_threads": self.n_threads, "n_ctx": 2048}
        return base | {"n_tokens": self.n_tokens} | more

    @classmethod
    def quick(cls, path: str, n_threads: int) -> Plan:
        """Make a plan that only shows that everything runs."""
        return cls(
            path=path,
            n_threads=n_threads,
            runs=1,
            n_tokens=24,
            n_prompt=128,
            n_intruder=300,
            interrupts=2,
        )
