"""What a model writes under a constraint when it is asked several times."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llamanb.errors import OptionError

if TYPE_CHECKING:
    from llamanb.chat_layer import ChatPrompt
    from llamanb.models.completion import Completion
    from llamanb.models.model import Model
    from llamanb.settings import Constraint

__all__ = ["Sample", "draw_samples"]

MOST_SAMPLES = 100
# The model's own probabilities, changed by nothing but the grammar.
_AS_IT_IS: dict[str, Any] = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One text that the model wrote.

    Attributes
    ----------
    text, n_tokens, seed : what it wrote, in how many tokens, from which seed.
    is_whole : whether it came to its end within ``max_tokens``.
    value : the Python value of a text that is JSON, else None.
    """

    text: str
    n_tokens: int
    seed: int
    is_whole: bool
    value: Any = None


def draw_samples(
    model: Model,
    constraint: Constraint | None,
    *,
    prompt: str | ChatPrompt = "",
    n: int = 5,
    seed: int = 0,
    max_tokens: int = 200,
) -> list[Sample]:
    """Let ``model`` write ``n`` texts under ``constraint``, at temperature 1.

    Parameters
    ----------
    prompt : what it goes on from; "" is the mere beginning of a text. A ``ChatPrompt``
        brings its stops and preserved tokens.
    seed : of the first text; the next has the next seed.

    Raises
    ------
    OptionError, GrammarError, ContextLengthError
        Before anything is computed.
    """
    if not 1 <= n <= MOST_SAMPLES:
        raise OptionError(f"n={n!r} is not possible: give 1 to {MOST_SAMPLES}")
    options = {**_AS_IT_IS, "max_tokens": max_tokens, **_rules(prompt, constraint)}
    start = prompt or _beginning(model)
    return [_sample(model.generate(start, seed=one, **options)) for one in range(seed, seed + n)]


def _rules(prompt: str | ChatPrompt, constraint: Constraint | None) -> dict[str, Any]:
    own = {} if isinstance(prompt, str) else prompt.sampling()
    return {**own, "grammar": constraint} if constraint else own


def _beginning(model: Model) -> list[int]:
    """Give the one token that texts begin with, or are kept apart by."""
    vocabulary = model.vocab
    marks = (vocabulary.bos, vocabulary.eos, vocabulary.eot)
    found = [one for one in marks if one is not None]
    return found[:1] or vocabulary.tokenize("\n", add_special=False)


def _sample(completion: Completion) -> Sample:
    is_whole = completion.finish_reason == "stop"
    return Sample(
        text=str(completion),
        n_tokens=len(completion.tokens),
        seed=completion.seed,
        is_whole=is_whole,
        value=_value(completion) if is_whole else None,
    )


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
