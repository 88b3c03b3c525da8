"""Sampling settings of a talk as Python and as options of a cell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from llamanb.notebook.options import CELL
from llamanb.settings import SamplingSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["cell_options", "plain_sampling"]


def plain_sampling(sampling: Mapping[str, Any]) -> dict[str, int | float | bool]:
    """Give the settings that are numbers, as a session takes them."""
    return {
        name: value
        for name, value in sampling.items()
        if name in SamplingSettings.__slots__
        and isinstance(value, int | float)
        and math.isfinite(value)
    }


def cell_options(sampling: Mapping[str, Any]) -> str:
    """Give the settings as ``%%llama`` takes them.

    Examples
    --------
    >>> cell_options({"temperature": 0.2, "max_tokens": 50})
    '--temp 0.2 --max-tokens 50'
    """
    names = {o.key: o.name for o in CELL.options if o.kind in ("number", "whole")}
    chosen = plain_sampling(sampling)
    return " ".join(f"--{names[key]} {value}" for key, value in chosen.items() if key in names)
