"""Walk a text through a constraint: how far it goes, and what could come at each place.

The text is cut into the model's tokens. Where a token does not fit, its characters
are tried one by one, so that the place is exact however long the tokens are.
"""

from __future__ import annotations

import heapq
import re
import time
from bisect import bisect_left, bisect_right
from dataclasses import replace
from functools import cached_property
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING, Any

import numpy as np

from llamanb.engine.constraint import on_grammar_worker
from llamanb.engine.grammar_steps import GrammarStep, GrammarTrace, NextTokens
from llamanb.engine.triggers import TriggerWatch
from llamanb.errors import GrammarError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from llamanb.engine.constraint import ConstraintState
    from llamanb.engine.vocabulary import Vocabulary
    from llamanb.settings import Constraint

__all__ = ["trace_grammar"]

MAX_TEXT_CHARS = 1 << 16
MOST_COUNTED = 4096
COUNT_S = 1.0
MOST_LISTED = 200
TIME_LIMIT_S = 3.0
_SLICE_S = 0.05  # others compile on the same thread, and must not wait long
# llguidance writes a special token among forced bytes as 0xFF and its number.
_SPECIAL = re.compile(rb"\xff\[(\d+)\]")


def trace_grammar(
    vocabulary: Vocabulary, constraint: Constraint, text: str, *, n_listed: int = MOST_LISTED
) -> GrammarTrace:
    """Walk ``text`` through ``constraint``, as far as it goes.

    The names of control tokens in ``text`` mean those tokens, or the letters they
    are written with where only these fit. A constraint with a trigger begins
    where it does in a generation. How many tokens are allowed is counted for the first
    4,096, or for a second: in a large vocabulary that costs about 0.5 ms a token.

    Parameters
    ----------
    n_listed : how many of the tokens that may come next are listed.

    Raises
    ------
    GrammarError
        If the constraint does not compile, the text is longer than 65,536
        characters, or the walk takes more than three seconds.
    """
    if len(text) > MAX_TEXT_CHARS:
        raise GrammarError(
            f"the text has {len(text):,} characters; at most {MAX_TEXT_CHARS:,} can be walked"
        )
    walk = _Walk(vocabulary.grammars.compile(constraint), vocabulary, constraint, text)
    steps = walk.steps()
    deadline_s = time.monotonic() + TIME_LIMIT_S
    while on_grammar_worker(lambda: _some(steps), "look at one token"):
        if time.monotonic() > deadline_s:
            raise GrammarError(
                f"the walk takes longer than {TIME_LIMIT_S:g} s; give less text, or simplify it"
            )
    return on_grammar_worker(lambda: walk.result(n_listed), "look at the next token")


def _some(steps: Iterator[None]) -> bool:
    """Go on for a little while; False at the end."""
    until_s = time.monotonic() + _SLICE_S
    return any(time.monotonic() > until_s for _ in steps)


class _Walk:
    """One text on its way. Stages: made → ``steps`` to their end → ``result``."""

    def __init__(
        self, state: ConstraintState, vocabulary: Vocabulary, constraint: Constraint, text: str
    ) -> None:
        self._state, self._vocabulary = state, vocabulary
        self._text = text
        ids = vocabulary.tokenize_inside(text, parse_special=True)
        self._bytes = text.encode()
        self._bounds = [0, *accumulate(len(one.encode()) for one in text)]
        self._token_at = self._starts(ids)
        trigger = constraint.trigger
        self._watch = TriggerWatch(trigger, vocabulary) if trigger else None
        self._begins_at: int | None = None if trigger else 0
        self._ends = np.array(sorted(vocabulary.eog), np.int64)
        self._count_until_s = time.monotonic() + COUNT_S
        self._place = 0
        self._steps: list[GrammarStep] = []
        self._n_taken: list[int] = []

    def steps(self) -> Iterator[None]:
        """Go from token to token until one does not fit, or there is none."""
        while self._place < len(self._bytes):
            token = self._token_at.get(self._place)
            if self._watch is not None:
                if token is None:
                    return  # the model has no way to write this
                self._pass_freely(token, self._watch)
            elif not (token is not None and self._take(token)) and not self._spell_on():
                return
            yield

    def result(self, n_listed: int) -> GrammarTrace:
        """Say how far it went."""
        return GrammarTrace(
            text=self._text,
            accepted=self._character(self._place),
            begins_at=self._begins_at,
            is_complete=self._watch is None and self._state.is_complete,
            steps=tuple(self._steps),
            next=self._next(n_listed),
        )

    def _starts(self, ids: list[int]) -> dict[int, int]:
        """Give each token by the place where it starts."""
        pieces = self._vocabulary.pieces
        if b"".join([pieces[one] for one in ids]) != self._bytes:  # a tokeniser that changes texts
            spelled = (self._spelling(one) for one in self._text)
            ids = [one for ids in takewhile(bool, spelled) for one in ids]
        places = [0, *accumulate(len(pieces[one]) for one in ids)]
        return {place: one for place, one in zip(places, ids, strict=False) if pieces[one]}

    # ---- before the trigger ---------------------------------------------------------------

    def _pass_freely(self, token: int, watch: TriggerWatch) -> None:
        piece = self._vocabulary.pieces[token]
        self._note(token, piece, n_taken=0, is_free=True)
        written = watch.feed(token, piece)
        if written is None:
            return
        if not self._state.start_with(written):
            watch.go_on()
            return
        self._state.back(len(written))
        size = sum(len(self._vocabulary.pieces[one]) for one in written)
        self._begin(self._character(self._place - size))

    def _begin(self, place: int) -> None:
        """Let the grammar begin at a character; tokens from there on are walked again."""
        self._watch, self._begins_at, self._place = None, place, self._bounds[place]
        kept = [step for step in self._steps if step.start < place]
        self._steps = [self._cut(step, place) if step.end > place else step for step in kept]
        self._n_taken = [0] * len(self._steps)

    def _cut(self, step: GrammarStep, end: int) -> GrammarStep:
        piece = self._bytes[self._bounds[step.start] : self._bounds[end]]
        return replace(step, end=end, piece=piece)

    # ---- from there on --------------------------------------------------------------------

    def _take(self, token: int) -> bool:
        """Take one token in, if it fits."""
        n_allowed, is_forced = self._look()
        if not self._state.accepts(token):
            return False
        piece = self._vocabulary.pieces[token]
        self._note(token, piece, n_allowed=n_allowed, is_forced=is_forced)
        return True

    def _look(self) -> tuple[int | None, bool]:
        if len(self._steps) >= MOST_COUNTED or time.monotonic() > self._count_until_s:
            return None, False
        n_allowed = int(np.count_nonzero(self._allowed()))
        return n_allowed, bool(self._state.forced)

    def _allowed(self) -> NDArray[np.bool_]:
        allowed = self._state.allowed()
        if error := self._state.error:
            raise GrammarError(f"the grammar cannot go on here: {error.splitlines()[0]}")
        allowed[self._ends] = False
        return allowed

    def _spell_on(self) -> bool:
        """Go on by characters, past the token that did not fit; False where one does not."""
        refused = self._place
        while not self._is_between_characters:
            self._step_back()
        while self._place <= refused:
            if not self._take_character(self._character(self._place)):
                return False
        return True

    def _step_back(self) -> None:
        step = self._steps.pop()
        self._state.back(self._n_taken.pop())
        self._place -= len(step.piece)

    def _take_character(self, number: int) -> bool:
        character = self._text[number]
        ids = self._spelling(character)
        n_allowed, is_forced = self._look()
        for n_taken, one in enumerate(ids):
            if not self._state.accepts(one):
                self._state.back(n_taken)
                return False
        if not ids:
            return False
        token = ids[0] if len(ids) == 1 else None
        piece = character.encode()
        self._note(token, piece, len(ids), n_allowed=n_allowed, is_forced=is_forced)
        return True

    def _spelling(self, character: str) -> list[int]:
        """Give tokens that write one character: its own, else those of its bytes."""
        piece, short = character.encode(), self._short_tokens
        if piece in short:
            return [short[piece]]
        parts = [bytes([one]) for one in piece]
        return [short[one] for one in parts] if all(one in short for one in parts) else []

    @cached_property
    def _short_tokens(self) -> dict[bytes, int]:
        """The tokens that may write a character or a part of one."""
        hidden, pieces = self._vocabulary.hidden, self._vocabulary.pieces
        short = (one for one in range(len(pieces)) if len(pieces[one]) <= 4 and one not in hidden)
        return {pieces[one]: one for one in short}

    # ---- places ---------------------------------------------------------------------------

    def _character(self, place: int) -> int:
        """Give the number of the character that the byte at ``place`` belongs to."""
        return bisect_right(self._bounds, place) - 1

    @property
    def _is_between_characters(self) -> bool:
        return self._bounds[self._character(self._place)] == self._place

    def _note(self, token: int | None, piece: bytes, n_taken: int = 1, **facts: Any) -> None:
        """Note a step, and go past it."""
        start, self._place = self._place, self._place + len(piece)
        end = bisect_left(self._bounds, self._place)
        first = self._character(start)
        self._steps.append(GrammarStep(start=first, end=end, token=token, piece=piece, **facts))
        self._n_taken.append(n_taken)

    def _next(self, n_listed: int) -> NextTokens:
        if self._watch is not None:
            return NextTokens(count=self._vocabulary.n_tokens, may_end=True, is_free=True)
        found = np.flatnonzero(self._allowed()).tolist()
        pieces = self._vocabulary.pieces
        listed = heapq.nsmallest(n_listed, found, key=lambda one: (len(pieces[one]), pieces[one]))
        return NextTokens(
            count=len(found),
            tokens=tuple((one, pieces[one]) for one in listed),
            forced=self._readable(self._state.forced),
            may_end=self._state.may_end,
        )

    def _readable(self, forced: bytes) -> str:
        """Give forced bytes as text, control tokens by their names."""
        named = _SPECIAL.sub(lambda found: self._vocabulary.pieces[int(found[1])], forced)
        return named.decode("utf-8", "ignore")
