"""What the grammar writers take: elements without meanings."""

from __future__ import annotations

from dataclasses import dataclass

from llamanb.chat_layer.syntax.elements import Json, Literal, Schema, Token, Until

__all__ = [
    "Lowered",
    "LoweredAnyOrder",
    "LoweredChoice",
    "LoweredRepeat",
    "LoweredRule",
    "LoweredSequence",
    "Pattern",
    "Recall",
    "Through",
]


@dataclass(frozen=True, slots=True)
class Through:
    """Any text up to and with the first ``end``; ``others`` must not be in it either.

    ``before`` is the part of the delimiter that stands before a token; the text has
    ``least`` to ``most`` characters.
    """

    end: Literal | Token
    others: tuple[str, ...] = ()
    before: str = ""
    least: int = 0
    most: int | None = None

    @property
    def delimiter(self) -> str:
        """The text that ends the text."""
        return self.before + self.end.text


@dataclass(frozen=True, slots=True)
class LoweredSequence:
    """One after the other."""

    items: tuple[Lowered, ...]


@dataclass(frozen=True, slots=True)
class LoweredChoice:
    """Any of these."""

    items: tuple[Lowered, ...]


@dataclass(frozen=True, slots=True)
class LoweredAnyOrder:
    """Each of ``items`` once, in any order; a ``LoweredRepeat`` among them need not be there."""

    items: tuple[Lowered, ...]


@dataclass(frozen=True, slots=True)
class LoweredRepeat:
    """``child`` from ``min`` to ``max`` times; ``max`` None is without limit."""

    child: Lowered
    min: int = 0
    max: int | None = None


@dataclass(frozen=True, slots=True)
class LoweredRule:
    """A name for ``child``, in which it may stand again, as a ``Recall``."""

    name: str
    child: Lowered
    is_recursive: bool = False


@dataclass(frozen=True, slots=True)
class Recall:
    """The recursive rule ``name``, in which this stands."""

    name: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """Text of a regular shape, as each of the two formats writes it; "" if it cannot."""

    regex: str
    gbnf: str


Lowered = (
    Literal
    | Token
    | Until
    | Through
    | Json
    | Schema
    | LoweredSequence
    | LoweredChoice
    | LoweredAnyOrder
    | LoweredRepeat
    | LoweredRule
    | Recall
    | Pattern
)
