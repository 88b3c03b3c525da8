"""Going on with another token: the beginning of an answer, given beforehand."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from typing import TYPE_CHECKING, Protocol

from llamanb.errors import OptionError
from llamanb.settings import plain_number

if TYPE_CHECKING:
    from llamanb.engine.values import TokenLogprob

__all__ = ["Answered", "alternative_tokens"]


class Answered(Protocol):
    """What has tokens: a ``Generation`` or a ``Completion``."""

    @property
    def tokens(self) -> tuple[int, ...]:
        """The token ids of the answer."""

    @property
    def logprobs(self) -> tuple[TokenLogprob, ...]:
        """One entry for each token, or for the last ones, or none."""


def alternative_tokens(
    answered: Answered, index: int, token: int
) -> tuple[int, ...] | tuple[TokenLogprob, ...]:
    """Give the tokens of an answer before ``index``, and ``token`` in that place.

    For ``answer_tokens=``: the model goes on from there, and what memory holds of the
    prompt and the tokens before is not computed again. If the answer's
    log-probabilities are known, the entries are given instead of the bare ids, so that
    they are those of the new answer, too.

    Parameters
    ----------
    answered : a generation, or what ``generate`` gave.
    index : the token's place in the answer, from 0 on; one behind the last adds a token.
    token : the id to put there.

    Raises
    ------
    OptionError
        If there is no such place, or ``token`` is no id.

    Examples
    --------
    >>> text = model.generate("The sky is", logprobs=5)
    >>> other = text.logprobs[2].top[1][0]
    >>> model.generate("The sky is", answer_tokens=alternative_tokens(text, 2, other))
    """
    tokens, logprobs = answered.tokens, answered.logprobs
    place, other = plain_number(index), _token_id(token)
    if isinstance(place, bool) or not isinstance(place, int) or not 0 <= place <= len(tokens):
        raise OptionError(
            f"index={index!r} is no place in this answer: it has {len(tokens)} tokens, "
            f"so 0 … {len(tokens)} are"
        )
    if not tokens or len(logprobs) < len(tokens) or place == len(tokens):
        return (*tokens[:place], other)
    return (*logprobs[:place], _replaced(logprobs[place], other))


def _token_id(token: object) -> int:
    number = plain_number(token)
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise OptionError(f"token={token!r} is no token id: a whole number such as those in .top")
    return number


def _replaced(entry: TokenLogprob, other: int) -> TokenLogprob:
    """Give the entry for another token of the same place; NaN if nothing is known of it."""
    text, logprob = next(
        ((text, logprob) for token, text, logprob in entry.top if token == other),
        ("", nan),
    )
    if other == entry.token:
        return entry
    return replace(entry, token=other, text=text, logprob=logprob)
