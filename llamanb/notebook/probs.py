"""What the model thought of each token it wrote, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, isnan, log
from typing import TYPE_CHECKING, Any, NamedTuple

from llamanb.notebook.token_view import Token

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from llamanb.engine import TokenLogprob, Vocabulary
    from llamanb.models.alternatives import Answered

__all__ = ["Alternative", "Summary", "TokenProb", "summary_of", "token_probs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """One of the likeliest tokens of a place; ``is_forbidden`` by the grammar."""

    token: Token
    probability: float
    is_forbidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenProb:
    """One token of an answer.

    Attributes
    ----------
    index : its place in the answer, from 0 on.
    token : its number, text and kind.
    logprob : the natural logarithm of the probability that the model gave it, before
        filters and temperature; None for a given token of which nothing is known.
    entropy_bits : how open the choice was, in bits; None if not known.
    alternatives : the likeliest tokens of the place, best first, this one among them
        if it was likely enough.
    is_overruled : whether the grammar forbade the likeliest token.
    """

    index: int
    token: Token
    logprob: float | None = None
    entropy_bits: float | None = None
    alternatives: tuple[Alternative, ...] = ()
    is_overruled: bool = False

    @property
    def probability(self) -> float | None:
        """From 0 to 1; None if not known."""
        return None if self.logprob is None else exp(self.logprob)

    @property
    def is_likeliest(self) -> bool:
        """Whether no other token was likelier, as far as is known."""
        return not self.alternatives or self.alternatives[0].token.id == self.token.id

    def row(self) -> dict[str, Any]:
        """Give it as a dictionary of plain values."""
        return {
            "index": self.index,
            "id": self.token.id,
            "token": self.token.piece,
            "kind": self.token.kind,
            "probability": self.probability,
            "entropy_bits": self.entropy_bits,
            "is_likeliest": self.is_likeliest,
            "is_overruled": self.is_overruled,
            "alternatives": [(one.token.piece, one.probability) for one in self.alternatives],
            "forbidden": [one.token.piece for one in self.alternatives if one.is_forbidden],
        }


class Summary(NamedTuple):
    """The figures of an answer; ``mean_logprob`` is in nats, None if nothing is known."""

    n_tokens: int
    mean_logprob: float | None
    n_unlikely: int
    n_overruled: int

    @property
    def perplexity(self) -> float | None:
        """How many tokens the model wavered between, on average."""
        return None if self.mean_logprob is None else exp(-self.mean_logprob)

    def line(self, model: str) -> str:
        """Say it in one line."""
        facts = [_counted(self.n_tokens, "token") + f" of {model}"]
        if self.mean_logprob is not None:
            facts.append(f"mean log-probability {self.mean_logprob:.3f}")
            facts.append(f"perplexity {self.perplexity:,.2f}")
            facts.append(f"{self.n_unlikely} not the likeliest")
        if self.n_overruled:
            facts.append(f"the grammar overruled the model {_counted(self.n_overruled, 'time')}")
        return " · ".join(facts)


def token_probs(rounds: Iterable[Answered], vocabulary: Vocabulary) -> tuple[TokenProb, ...]:
    """Give the tokens of one or several answers, counted through."""
    entries = [entry for answered in rounds for entry in _entries(answered)]
    return tuple(
        _token_prob(index, token, entry, vocabulary) for index, (token, entry) in enumerate(entries)
    )


def _entries(answered: Answered) -> Iterator[tuple[int, TokenLogprob | None]]:
    """Give each token with what is known of it: nothing of the first, if they were given."""
    tokens, logprobs = answered.tokens, answered.logprobs
    n_given = len(tokens) - len(logprobs)
    yield from ((token, None) for token in tokens[:n_given])
    yield from zip(tokens[n_given:], logprobs, strict=True)


def summary_of(tokens: Sequence[TokenProb]) -> Summary:
    """Count and average what is known."""
    return Summary(
        n_tokens=len(tokens),
        mean_logprob=_mean(one.logprob for one in tokens if one.logprob is not None),
        n_unlikely=sum(not one.is_likeliest for one in tokens),
        n_overruled=sum(one.is_overruled for one in tokens),
    )


def _token_prob(
    index: int, token: int, entry: TokenLogprob | None, vocabulary: Vocabulary
) -> TokenProb:
    shown = Token.of(token, vocabulary)
    if entry is None:
        return TokenProb(index=index, token=shown)
    return TokenProb(
        index=index,
        token=shown,
        logprob=None if isnan(entry.logprob) else entry.logprob,
        entropy_bits=entry.entropy / log(2),
        alternatives=tuple(
            Alternative(
                token=Token.of(other, vocabulary),
                probability=exp(logprob),
                is_forbidden=other in entry.banned,
            )
            for other, _, logprob in entry.top
        ),
        is_overruled=entry.masked,
    )


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return sum(known) / len(known) if known else None


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
