"""The values that say how far a text goes along with a grammar, and what may come next."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GrammarStep", "GrammarTrace", "NextTokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NextTokens:
    """What may come at one place.

    Attributes
    ----------
    count : how many tokens may, those that end a text aside.
    tokens : their ids and bytes, the shortest first, up to a limit.
    forced : the text that has to come; "" if there are several ways to go on.
    may_end : whether the text may end here.
    is_free : whether the grammar has not begun, so that anything may come.
    """

    count: int
    tokens: tuple[tuple[int, bytes], ...] = ()
    forced: str = ""
    may_end: bool = False
    is_free: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GrammarStep:
    """One token of a text.

    Attributes
    ----------
    start, end : its characters; the part of a character counts as the whole.
    token : its id, None for a character that only several tokens together write here.
    piece : its bytes.
    n_allowed : how many tokens might have stood here; None if it was not counted.
    is_forced : whether the grammar left one way only.
    is_free : whether the grammar had not begun yet.
    """

    start: int
    end: int
    token: int | None
    piece: bytes
    n_allowed: int | None = None
    is_forced: bool = False
    is_free: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GrammarTrace:
    """How far a text goes along with a constraint.

    Attributes
    ----------
    text : the whole text.
    accepted : how many of its characters fit; also the index of the one that does not.
    begins_at : the character at which the grammar begins; None if no trigger came.
    is_complete : whether nothing may follow.
    steps : the tokens of what fits.
    next : what may come after it.
    """

    text: str
    accepted: int
    begins_at: int | None
    is_complete: bool
    steps: tuple[GrammarStep, ...]
    next: NextTokens

    @property
    def is_accepted(self) -> bool:
        """Whether all of the text fits; it may still want to go on."""
        return self.accepted == len(self.text)

    @property
    def could_end(self) -> bool:
        """Whether all of the text fits, and it may end here."""
        return self.is_accepted and self.next.may_end

    @property
    def line(self) -> int:
        """The line where it stops, counted from 1."""
        return self.text.count("\n", 0, self.accepted) + 1

    @property
    def column(self) -> int:
        """The column where it stops, counted from 1."""
        return self.accepted - self.text.rfind("\n", 0, self.accepted)
