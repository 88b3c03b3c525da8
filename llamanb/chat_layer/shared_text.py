"""Compares two texts from their beginning."""

from __future__ import annotations

__all__ = ["shared_length"]


def shared_length(one: str, other: str) -> int:
    """Give how many characters two texts have in common at the beginning.

    Halves the range and compares slices, so that long prompts are compared by
    the interpreter, not by a loop.
    """
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
