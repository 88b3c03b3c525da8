"""What both grammar formats write alike: sequences, choices, repetitions, rules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import count
from typing import TYPE_CHECKING, assert_never

from llamanb.chat_layer.syntax.lowered import (
    LoweredAnyOrder,
    LoweredChoice,
    LoweredRepeat,
    LoweredRule,
    LoweredSequence,
    Recall,
)

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.lowered import Lowered

__all__ = ["GrammarWriter"]


class GrammarWriter(ABC):
    """Writes compounds; a format adds its own texts, tokens and names of rules.

    ``_open`` has the names of the recursive rules that are being written, ``_known``
    those of the rules that are written already: one that stands in many places is
    written once.
    """

    def __init__(self) -> None:
        self._open: dict[str, str] = {}
        self._known: dict[int, str] = {}

    @abstractmethod
    def _expression(self, lowered: Lowered, *, nested: bool = True) -> str:
        """Write any element; ``nested`` ones are put in brackets where needed."""

    @abstractmethod
    def _label(self, name: str, number: int) -> str:
        """Give ``name`` as rules are called; ``number`` tells namesakes apart."""

    @abstractmethod
    def _keep(self, label: str, body: str) -> bool:
        """Make ``body`` the rule ``label``; False if that is another one."""

    def _named(self, name: str, body: str) -> str:
        """Give the name under which ``body`` is a rule; equal bodies share one."""
        labels = (self._label(name, number) for number in count(1))
        return next(label for label in labels if self._keep(label, body))

    def _recursive(self, rule: LoweredRule) -> str:
        """Write a rule that may name itself, under the first name that is free for it."""
        known = dict(self._known)
        for number in count(1):
            label = self._open[rule.name] = self._label(rule.name, number)
            if self._keep(label, self._expression(rule.child, nested=False)):
                break
            self._known = dict(known)
        return self._open.pop(rule.name)

    def _rule(self, rule: LoweredRule) -> str:
        if id(rule) not in self._known:
            self._known[id(rule)] = (
                self._recursive(rule)
                if rule.is_recursive
                else self._named(rule.name, self._expression(rule.child, nested=False))
            )
        return self._known[id(rule)]

    def _any_order(self, lowered: LoweredAnyOrder) -> Lowered:
        """Give the orders that the format can say; by default the given one."""
        return LoweredSequence(lowered.items)

    def _compound(
        self,
        lowered: LoweredSequence
        | LoweredChoice
        | LoweredAnyOrder
        | LoweredRepeat
        | LoweredRule
        | Recall,
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
            case LoweredAnyOrder():
                return self._expression(self._any_order(lowered), nested=nested)
            case LoweredRepeat(child, least, most):
                return f"({self._expression(child, nested=False)}){_times(least, most)}"
            case Recall(name):
                return self._open[name]
            case LoweredRule():
                return self._rule(lowered)
            case _:
                assert_never(lowered)


def _times(least: int, most: int | None) -> str:
    marks = {(0, None): "*", (1, None): "+", (0, 1): "?"}
    upper = "" if most is None else most
    return marks.get((least, most), f"{{{least},{upper}}}")
