"""How values are written in languages that are not JSON, as data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Notation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notation:
    """The signs of one way to write objects and what is in them.

    Attributes
    ----------
    name : for the rules of a grammar.
    brackets : around an object.
    colon, comma : after a key, and between members or items.
    has_bare_keys : whether keys stand without quotes.
    quotes : around a string; any of them, the same at both ends.
    is_raw : whether the text between quotes stands as it is, without escapes.
    true, false, null : the words; models are let to write any, the first is usual.
    sorts_keys : whether keys are in alphabetical order.
    nested : the notation of objects in this one, if it is another.
    """

    name: str
    brackets: tuple[str, str] = ("{", "}")
    colon: str = ": "
    comma: str = ", "
    has_bare_keys: bool = False
    quotes: tuple[str, ...] = ('"',)
    is_raw: bool = False
    true: tuple[str, ...] = ("true",)
    false: tuple[str, ...] = ("false",)
    null: tuple[str, ...] = ("null",)
    sorts_keys: bool = False
    nested: Notation | None = None

    @property
    def inner(self) -> Notation:
        """The notation of what an object of this one holds."""
        return self.nested or self
