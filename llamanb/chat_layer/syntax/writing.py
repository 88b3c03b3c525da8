"""What both grammar formats write alike: sequences, choices, repetitions, rules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, assert_never

from llamanb.chat_layer.syntax.lower import (
    LoweredChoice,
    LoweredRepeat,
    LoweredRule,
    LoweredSequence,
)

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.lower import Lowered

__all__ = ["GrammarWriter"]


class GrammarWriter(ABC):
    """Writes compounds; a format adds its own texts, tokens and names of rules."""

    @abstractmethod
    def _expression(self, lowered: Lowered, *, nested: bool = True) -> str:
        """Write any element; ``nested`` ones are put in brackets where needed."""

    @abstractmethod
    def _named(self, name: str, body: str) -> str:
        """Give the name under which ``body`` is a rule."""

    def _compound(
        self,
        lowered: LoweredSequence | LoweredChoice | LoweredRepeat | LoweredRule,
        *,
        nested: bool,
    ) -> str:
        match lowered:
            case LoweredSequence(items):
                parts = " ".join(self._expression(item) for item in items) or '""'
                return f"({parts})" if nested else parts
            case LoweredChoice(items):
                parts = " | ".join(self._expression(item, nested=False) for item in items)
                return f"({parts})" if nested else parts
            case LoweredRepeat(child, least, most):
                return f"({self._expression(child, nested=False)}){_times(least, most)}"
            case LoweredRule(name, child):
                return self._named(name, self._expression(child, nested=False))
            case _:
                assert_never(lowered)


def _times(least: int, most: int | None) -> str:
    marks = {(0, None): "*", (1, None): "+", (0, 1): "?"}
    upper = "" if most is None else most
    return marks.get((least, most), f"{{{least},{upper}}}")
