"""Show how likely each token of an answer was, and what else the model had in mind."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, cast

from llamanb.errors import OptionError
from llamanb.notebook.clean_text import clean_text
from llamanb.notebook.probs import Summary, TokenProb, summary_of, token_probs
from llamanb.notebook.tables import Table
from llamanb.notebook.token_view import code_cell, quoted_piece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from llamanb.models import Model
    from llamanb.models.alternatives import Answered
    from llamanb.notebook.probs import Alternative
    from llamanb.notebook.reply import Reply

    GoOn = Callable[[int, int], Reply]

__all__ = ["ProbsView"]

MOST_IN_STRIP = 2000
MOST_ROWS = 100
_PRE = "white-space:pre-wrap;overflow-wrap:anywhere"
_MUTED = "color:var(--jp-ui-font-color2,#666)"
_CELL = "text-align:left;vertical-align:top"
_HEADER = ("#", "token", "probability", "entropy", "likeliest tokens", "")
# least probability, what the legend says, how it looks: a line as well as a colour
_LEVELS = (
    (0.9, "90 % or more", "background:none"),
    (0.5, "50 % or more", "background:rgba(255,193,7,.18);border-bottom:1px dotted"),
    (0.1, "10 % or more", "background:rgba(255,152,0,.30);border-bottom:1px dashed"),
    (0.0, "less than 10 %", "background:rgba(244,67,54,.34);border-bottom:2px solid"),
)
_GIVEN = ("given, not known", "border-bottom:1px dotted;opacity:.75")
_OVERRULED = (
    "the grammar forbade the likeliest",
    "outline:2px solid var(--jp-brand-color1,#1976d2);outline-offset:-1px",
)


@dataclass(frozen=True, slots=True)
class ProbsView:
    """The tokens of an answer with their probabilities; a sequence of :class:`TokenProb`.

    Attributes
    ----------
    tokens : one :class:`TokenProb` for each token.
    model : the model's name.

    Examples
    --------
    >>> view = ProbsView.of(model.generate("The sky is", logprobs=5), model)
    >>> pandas.DataFrame(view.to_rows())
    """

    tokens: tuple[TokenProb, ...]
    model: str
    _go_on: GoOn | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(
        cls, answered: Answered | Sequence[Answered], model: Model, go_on: GoOn | None = None
    ) -> ProbsView:
        """Look at a generation, or at what ``generate(…, logprobs=5)`` gave.

        Parameters
        ----------
        answered : one answer, or a list of a turn's, whose tokens are counted through.
        model : who answered.
        go_on : gives the reply with another token (its id) in a place.
        """
        rounds = answered if isinstance(answered, list | tuple) else (cast("Answered", answered),)
        return cls(token_probs(rounds, model.vocab), model.name, go_on)

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> TokenProb:
        return self.tokens[index]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.tokens, self.model)  # a model cannot be saved

    @property
    def summary(self) -> Summary:
        """The figures of the whole answer."""
        return summary_of(self.tokens)

    @property
    def perplexity(self) -> float | None:
        """How many tokens the model wavered between, on average; None if not known."""
        return self.summary.perplexity

    @property
    def mean_logprob(self) -> float | None:
        """The mean natural-log probability of the tokens; None if not known."""
        return self.summary.mean_logprob

    def to_rows(self) -> list[dict[str, Any]]:
        """Give a dictionary of plain values for each token, as for a data frame."""
        return [one.row() for one in self.tokens]

    def continue_with(self, index: int, token: int | str) -> Reply:
        """Let the model go on from a place with another token there.

        What came before it is still in the model's memory and is not computed again;
        the chat stays as it is.

        Parameters
        ----------
        index : the place in the answer, from 0 on.
        token : an id, or the text of one of the alternatives shown there.

        Raises
        ------
        OptionError
            If there is no such place or alternative, or nothing can go on from here.
        GrammarError
            If the grammar forbids the token.
        """
        if self._go_on is None:
            raise OptionError(
                "this view cannot go on: it was saved, or made without a chat; "
                "llamanb.models.alternatives.alternative_tokens() gives the answer_tokens"
            )
        return self._go_on(index, self._id_of(index, token))

    def _id_of(self, index: int, token: int | str) -> int:
        if not isinstance(token, str):
            return token
        if not 0 <= index < len(self.tokens):
            raise OptionError(f"index={index!r}: there are {len(self.tokens)} tokens, from 0 on")
        known = {one.token.piece: one.token.id for one in self.tokens[index].alternatives}
        if token not in known:
            raise OptionError(f"{token!r} is none of the alternatives there: {[*known]}")
        return known[token]

    # ---- showing ----------------------------------------------------------------------

    def __repr__(self) -> str:
        rows = [_plain_row(one) for one in self.tokens[:MOST_ROWS]]
        return repr(Table(self._title(), _HEADER, rows, self._note()))

    def _repr_markdown_(self) -> str:
        lines = [self._title(), "", f"| {' | '.join(_HEADER)} |", "|" + "---|" * len(_HEADER)]
        for one in self.tokens[:MOST_ROWS]:
            number, token, probability, entropy, others, note = _plain_row(one)
            cells = (number, code_cell(token), probability, entropy, code_cell(others), note)
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join([*lines, "", self._note()] if self._note() else lines)

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_html(self, first: int = 0) -> str:
        """Give the view as HTML, the table from the token ``first`` on.

        Alternatives that the model may go on with have ``data-token`` (the place) and
        ``data-alternative`` (the id), tokens of the text ``data-token`` alone.
        """
        shown = self.tokens[first : first + MOST_ROWS]
        strip = "".join(map(_colored, self.tokens[:MOST_IN_STRIP]))
        strip += " …" if len(self.tokens) > MOST_IN_STRIP else ""
        head = "".join(f'<th style="{_CELL}">{escape(one)}</th>' for one in _HEADER)
        rows = "".join(map(_html_row, shown))
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        note = f'<small style="{_MUTED}">{escape(self._note(first))}</small>'
        return (
            f'<div class="llamanb-probs"><b>{escape(self._title())}</b>'
            f'<pre style="{_PRE}">{strip}</pre>{_legend()}{table if shown else ""}{note}</div>'
        )

    def _title(self) -> str:
        return self.summary.line(self.model)

    def _note(self, first: int = 0) -> str:
        more = len(self.tokens) - first - MOST_ROWS
        return f"and {more} more; .to_rows() gives all" if more > 0 else ""


def _style(one: TokenProb) -> str:
    style = _GIVEN[1]
    if one.probability is not None:
        style = next(look for least, _, look in _LEVELS if one.probability >= least)
    return f"{style};{_OVERRULED[1]}" if one.is_overruled else style


def _colored(one: TokenProb) -> str:
    title = escape(clean_text("\n".join(_facts(one))))
    shown = escape(clean_text(one.token.piece))
    return f'<span data-token="{one.index}" style="{_style(one)}" title="{title}">{shown}</span>'


def _facts(one: TokenProb) -> Iterator[str]:
    """Say in words what the colour says, for the tip that a pointer shows."""
    yield f"{quoted_piece(one.token)} {_percent(one.probability)}"
    if one.is_overruled:
        yield _OVERRULED[0]
    for other in one.alternatives:
        yield f"  {_alternative_text(other)}"


def _legend() -> str:
    looks = [(text, look) for _, text, look in _LEVELS] + [_GIVEN, _OVERRULED]
    shown = " · ".join(f'<span style="{look}">{escape(text)}</span>' for text, look in looks)
    return f'<small style="{_MUTED}">probability: {shown}</small>'


def _plain_row(one: TokenProb) -> tuple[str, ...]:
    others = "  ".join(_alternative_text(other) for other in one.alternatives)
    bits = "" if one.entropy_bits is None else f"{one.entropy_bits:.2f} bits"
    shown = quoted_piece(one.token)
    return str(one.index), shown, _percent(one.probability), bits, others, _remark(one)


def _remark(one: TokenProb) -> str:
    if one.is_overruled:
        return "grammar overruled"
    return "" if one.is_likeliest else "not the likeliest"


def _alternative_text(other: Alternative) -> str:
    mark = " (forbidden)" if other.is_forbidden else ""
    return f"{quoted_piece(other.token)} {_percent(other.probability)}{mark}"


def _html_row(one: TokenProb) -> str:
    number, token, probability, entropy, _, note = _plain_row(one)
    others = " ".join(_alternative_html(one, other) for other in one.alternatives)
    texts = (escape(clean_text(text)) for text in (number, token, probability, entropy))
    cells = (*texts, others, escape(note))
    return "<tr>" + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells) + "</tr>"


def _alternative_html(one: TokenProb, other: Alternative) -> str:
    text = escape(clean_text(_alternative_text(other)))
    if other.token.id == one.token.id:
        return f"<b>{text}</b>"
    if other.is_forbidden:
        return f'<s title="forbidden by the grammar">{text}</s>'
    return f'<span data-token="{one.index}" data-alternative="{other.token.id}">{text}</span>'


def _percent(probability: float | None) -> str:
    if probability is None:
        return "given"
    return f"{100 * probability:.1f} %" if probability >= 0.001 else f"{100 * probability:.1g} %"
