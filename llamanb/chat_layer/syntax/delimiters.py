"""The automaton that reads text up to the first of several delimiters.

It is the Aho-Corasick automaton of the delimiters: where a look-ahead would be
needed to say "not the beginning of a delimiter", its states remember.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Step", "text_automaton"]


@dataclass(frozen=True, slots=True)
class Step:
    """One way on: by any of ``characters`` to ``target``.

    With ``is_other`` by any character that no step of this state names.
    ``target`` None: the delimiter ``found`` is complete.
    """

    characters: str
    target: int | None
    found: str = ""
    is_other: bool = False


def text_automaton(delimiters: Iterable[str]) -> list[list[Step]]:
    """Give the steps of each state; state 0 is the first."""
    words = sorted(set(delimiters) - {""})
    states = sorted({word[:size] for word in words for size in range(len(word))}, key=_order) or [
        ""
    ]
    numbers = {state: number for number, state in enumerate(states)}
    alphabet = sorted({character for word in words for character in word})
    return [_steps(state, alphabet, numbers, words) for state in states]


def _order(state: str) -> tuple[int, str]:
    return len(state), state


def _steps(
    state: str, alphabet: list[str], numbers: dict[str, int], words: list[str]
) -> list[Step]:
    grouped: dict[tuple[int | None, str], str] = {}
    named = ""
    for character in alphabet:
        target, found = _next(state + character, numbers, words)
        if target != 0:
            named += character
            grouped[target, found] = grouped.get((target, found), "") + character
    steps = [Step(characters, *key) for key, characters in grouped.items()]
    return [Step(named, 0, is_other=True), *steps]


def _next(read: str, numbers: dict[str, int], words: list[str]) -> tuple[int | None, str]:
    found = next((word for word in words if read.endswith(word)), "")
    if found:
        return None, found
    suffixes = (read[start:] for start in range(len(read) + 1))
    return numbers[next(one for one in suffixes if one in numbers)], ""
