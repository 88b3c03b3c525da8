"""Show what a grammar makes of a text: where it stops, what may come, what a model writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from llamanb.notebook.call_view import fenced
from llamanb.notebook.clean_text import clean_text
from llamanb.notebook.tables import Table
from llamanb.notebook.token_view import Token, quoted_piece

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llamanb.engine import GrammarStep, GrammarTrace, NextTokens, Vocabulary
    from llamanb.models.grammar_samples import Sample

__all__ = ["AllowedTokens", "GrammarCheck", "GrammarSteps", "Samples", "marked_text"]

MOST_ROWS = 400
MOST_NAMED = 12
_PRE = "white-space:pre-wrap;overflow-wrap:anywhere"
# Underlined one way or the other, so that nobody has to tell green from red.
_ACCEPTED = (
    "background:rgba(76,175,80,.2);"
    "text-decoration:underline solid var(--jp-success-color1,#2e7d32) 2px;"
    "text-underline-offset:3px"
)
_REFUSED = (
    "background:rgba(244,67,54,.16);text-decoration:underline wavy var(--jp-error-color1,#c00);"
    "text-underline-offset:3px"
)
_MARK = "color:var(--jp-error-color1,#c00);font-weight:bold"


class _View:
    """What these views share: Markdown is the text in a block."""

    def _repr_markdown_(self) -> str:
        return fenced(repr(self))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AllowedTokens(_View):
    """The tokens that may come at one place; a sequence of :class:`Token`.

    Attributes
    ----------
    tokens : those that are listed, the shortest first; ``count`` is how many there are.
    forced : the text that has to come, "" if there are several ways to go on.
    may_end : whether the text may end here.
    is_free : whether the grammar has not begun, so that anything may come.
    """

    count: int
    tokens: tuple[Token, ...]
    forced: str
    may_end: bool
    is_free: bool

    @classmethod
    def of(cls, found: NextTokens, vocabulary: Vocabulary) -> AllowedTokens:
        """Look the tokens up."""
        return cls(
            count=found.count,
            tokens=tuple(Token.of(one, vocabulary) for one, _ in found.tokens),
            forced=found.forced,
            may_end=found.may_end,
            is_free=found.is_free,
        )

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> Token:
        return self.tokens[index]

    def __iter__(self) -> Iterator[Token]:
        return iter(self.tokens)

    def __repr__(self) -> str:
        return repr(self._table())

    def _repr_html_(self) -> str:
        return self._table()._repr_html_()

    def line(self) -> str:
        """Say in one line what may come."""
        if self.is_free:
            return "anything: no trigger has come, so the grammar has not begun"
        named = [self._forced_or_pieces()] if self.count or self.forced else []
        ends = ["the end of the text"] if self.may_end else []
        return " or ".join([*named, *ends]) or "nothing"

    def _forced_or_pieces(self) -> str:
        if self.forced:
            return f"only {clean_text(self.forced)!r}"
        pieces = [quoted_piece(one) for one in self.tokens[:MOST_NAMED]]
        more = self.count - len(pieces)
        return "  ".join([*pieces, *([f"and {more:,} more tokens"] if more else [])])

    def _table(self) -> Table:
        rows = [(one.id, quoted_piece(one), one.kind) for one in self.tokens]
        more = self.count - len(rows)
        notes = [f"and {more:,} more"] if more and not self.is_free else []
        return Table(self._title(), ("id", "piece", "kind"), rows, ", ".join(notes))

    def _title(self) -> str:
        if self.is_free:
            return f"{self.line()} ({self.count:,} tokens)"
        only = f", which begin {clean_text(self.forced)!r}" if self.forced else ""
        end = "; the text may end here" if self.may_end else "; the text may not end here"
        return f"{self.count:,} token{'s' * (self.count != 1)} may come{only}{end}"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GrammarCheck(_View):
    """Whether a text matches, and where it stops if it does not.

    Attributes
    ----------
    text : the text; ``accepted`` and ``refused`` are its two parts.
    position : the index of the first character that is refused, else its length.
    line, column : the same place, counted from 1.
    could_end : whether all of it is accepted, and it may end here.
    expected : what may come at ``position``.
    begins_at : the character at which the grammar begins; None if no trigger came.
    """

    text: str
    position: int
    line: int
    column: int
    could_end: bool
    expected: AllowedTokens
    begins_at: int | None

    @classmethod
    def of(cls, trace: GrammarTrace, vocabulary: Vocabulary) -> GrammarCheck:
        """Give what a walk came to."""
        return cls(
            text=trace.text,
            position=trace.accepted,
            line=trace.line,
            column=trace.column,
            could_end=trace.could_end,
            expected=AllowedTokens.of(trace.next, vocabulary),
            begins_at=trace.begins_at,
        )

    @property
    def ok(self) -> bool:
        """Whether the text matches as it is; one that still has to go on does not."""
        return self.could_end

    @property
    def accepted(self) -> str:
        """The part that fits."""
        return self.text[: self.position]

    @property
    def refused(self) -> str:
        """The part from the first character on that does not fit."""
        return self.text[self.position :]

    def __bool__(self) -> bool:
        return self.ok

    def verdict(self) -> str:
        """Say in a few words how it went."""
        if self.refused:
            place = f"character {self.position} (line {self.line}, column {self.column})"
            return f"refused at {place}: {self.refused[0]!r}"
        if self.expected.is_free:
            return "matches: no trigger came, so nothing was held to the grammar"
        return "matches" if self.ok else "fits so far, and has to go on"

    def __repr__(self) -> str:
        return "\n".join([*self._pointed(), self.verdict(), f"may come here: {self._expected()}"])

    def _pointed(self) -> list[str]:
        """Give the line where it stops, with an arrow below the place."""
        if not self.refused:
            return [clean_text(self.text)]
        before, after = self.accepted.split("\n")[-1], self.refused.split("\n")[0]
        shown = clean_text(before)
        return [shown + clean_text(after), " " * len(shown) + "^"]

    def _expected(self) -> str:
        return self.expected.line()

    def _repr_html_(self) -> str:
        facts = f"<div><b>{escape(clean_text(self.verdict()))}</b></div>"
        expected = f"<div>may come here: <code>{escape(self._expected())}</code></div>"
        shown = marked_text(self.text, self.begins_at, self.position)
        return f'<div><pre style="{_PRE}">{shown}</pre>{facts}{expected}</div>'


def marked_text(text: str, begins_at: int | None, position: int) -> str:
    """Give HTML of a text whose accepted and refused parts are marked."""
    start = len(text) if begins_at is None else begins_at
    free, accepted, refused = text[:start], text[start:position], text[position:]
    parts = [escape(clean_text(free))]
    if accepted:
        parts.append(_span(_ACCEPTED, "accepted", accepted))
    if refused:
        arrow = f'<span style="{_MARK}" role="img" aria-label="refused from here on">▸</span>'
        parts += [arrow, _span(_REFUSED, "refused", refused)]
    return "".join(parts)


def _span(style: str, title: str, text: str) -> str:
    return f'<span style="{style}" title="{title}">{escape(clean_text(text))}</span>'


@dataclass(frozen=True, slots=True, repr=False)
class GrammarSteps(_View):
    """The tokens of a text, with the number of those that were allowed at each."""

    steps: tuple[GrammarStep, ...]
    check: GrammarCheck

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int) -> GrammarStep:
        return self.steps[index]

    def __repr__(self) -> str:
        return repr(self._table())

    def _repr_html_(self) -> str:
        return self._table()._repr_html_()

    def _table(self) -> Table:
        rows = [
            (one.start, _step_text(one), "" if one.n_allowed is None else one.n_allowed, _kind(one))
            for one in self.steps[:MOST_ROWS]
        ]
        more = len(self.steps) - len(rows)
        note = f"and {more:,} more" if more else ""
        return Table(self._title(), ("character", "token", "allowed", ""), rows, note)

    def _title(self) -> str:
        n_forced = sum(one.is_forced for one in self.steps)
        return f"{len(self.steps)} tokens, {n_forced} of them forced; {self.check.verdict()}"


def _step_text(step: GrammarStep) -> str:
    try:
        return repr(step.piece.decode("utf-8"))
    except UnicodeDecodeError:
        return step.piece.decode("utf-8", "backslashreplace")


def _kind(step: GrammarStep) -> str:
    if step.is_free:
        return "before the grammar"
    return "forced" if step.is_forced else "free choice"


@dataclass(frozen=True, slots=True, repr=False)
class Samples(_View):
    """What a model wrote under a grammar; a sequence of :class:`Sample`."""

    samples: tuple[Sample, ...]
    model: str

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index]

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def __repr__(self) -> str:
        return repr(self._table())

    def _repr_html_(self) -> str:
        return self._table()._repr_html_()

    def _table(self) -> Table:
        rows = [
            (one.seed, repr(one.text), _value(one), one.n_tokens, "" if one.is_whole else "cut off")
            for one in self.samples
        ]
        title = f"{len(rows)} texts of {self.model} at temperature 1"
        return Table(title, ("seed", "text", "value", "tokens", ""), rows)


def _value(sample: Sample) -> str:
    return "" if sample.value is None else json.dumps(sample.value, ensure_ascii=False)
