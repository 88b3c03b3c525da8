"""What is told of a token: probabilities, entropy, and what the grammar forbade."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from llamanb.engine.logprobs import token_logprob
from llamanb.settings import Constraint, Trigger

from .conftest import EXACT, ask, text_of

if TYPE_CHECKING:
    from llamanb.engine import LoadedModel, TokenLogprob

    from .conftest import OpenEngine

SKY = "Why is the sky blue?"
ANIMAL = Constraint(kind="regex", source="(cat|dog)")


def _row(n_tokens: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(3).normal(0, 4, n_tokens).astype(np.float32)


def _probabilities(row: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    shares = np.exp(row.astype(np.float64) - row.max())
    return np.asarray(shares / shares.sum())


@pytest.mark.parametrize("n_top", [0, 1, 5, 64])
def test_probabilities_and_entropy_are_those_of_the_softmax(n_top: int, demo: LoadedModel) -> None:
    row = _row(demo.vocabulary.n_tokens)
    told = token_logprob(row, 17, demo.vocabulary, n_top)
    expected = _probabilities(row)
    assert told.logprob == pytest.approx(math.log(expected[17]), abs=1e-5)
    assert told.entropy == pytest.approx(-(expected * np.log(expected)).sum(), abs=1e-4)
    assert [one for one, _, _ in told.top] == [*np.argsort(-row, kind="stable")[:n_top]]
    for token, text, logprob in told.top:
        assert text == demo.vocabulary.token_to_piece(token)
        assert logprob == pytest.approx(math.log(expected[token]), abs=1e-5)


def test_impossible_tokens_add_nothing(demo: LoadedModel) -> None:
    row = np.full(demo.vocabulary.n_tokens, -np.inf, np.float32)
    row[[5, 9]] = 2.0
    told = token_logprob(row, 9, demo.vocabulary, 2)
    assert told.entropy == pytest.approx(math.log(2), abs=1e-6)
    assert [token for token, _, _ in told.top] == [5, 9]


def test_a_certain_token_leaves_no_entropy(demo: LoadedModel) -> None:
    row = np.full(demo.vocabulary.n_tokens, -200.0, np.float32)
    row[5] = 100.0
    told = token_logprob(row, 5, demo.vocabulary, 1)
    assert (told.entropy, told.logprob) == (0.0, 0.0)


def _told(demo: LoadedModel, engine: Any, **options: Any) -> list[TokenLogprob]:
    generation = engine.submit(ask(SKY, demo, logprobs=5, **options))
    text_of(generation)
    return [*generation.logprobs]


def test_a_grammar_that_overrules_the_model_is_told(
    demo: LoadedModel, open_engine: OpenEngine
) -> None:
    first, *_ = _told(demo, open_engine(demo), constraint=ANIMAL)
    assert first.masked
    assert first.top[0][1] == "The"
    assert first.top[0][0] in first.banned
    assert first.token not in first.banned


def test_without_a_grammar_nothing_is_forbidden(demo: LoadedModel, open_engine: OpenEngine) -> None:
    told = _told(demo, open_engine(demo), max_tokens=4)
    assert not any(one.masked or one.banned for one in told)
    assert all(one.token == one.top[0][0] for one in told)  # greedy


def test_a_grammar_that_only_follows_the_model_forbids_other_tokens(
    demo: LoadedModel, open_engine: OpenEngine
) -> None:
    sky = Constraint(kind="regex", source="The sky is blue")
    told = _told(demo, open_engine(demo), constraint=sky)
    assert not any(one.masked for one in told)
    assert all(one.token not in one.banned for one in told)
    assert all(len(one.banned) == 4 for one in told)


def test_before_its_trigger_a_lazy_grammar_forbids_nothing(
    demo: LoadedModel, open_engine: OpenEngine
) -> None:
    lazy = Constraint(kind="regex", source="blue (cat|dog)", trigger=Trigger(patterns=("blue",)))
    told = _told(demo, open_engine(demo), constraint=lazy)
    so_far = [*accumulate(one.text for one in told)]
    start = next(number for number, text in enumerate(so_far) if "blue" in text) + 1
    assert not any(one.banned or one.masked for one in told[:start])
    assert any(one.masked for one in told[start:])


@pytest.mark.parametrize("logprobs", [None, 0, 5])
def test_looking_does_not_change_what_is_drawn(
    logprobs: int | None, demo: LoadedModel, open_engine: OpenEngine
) -> None:
    letters = Constraint(kind="regex", source="[a-z ]{12}")
    options: dict[str, Any] = {"temperature": 1.2, "seed": 5, "constraint": letters}
    engine = open_engine(demo, **EXACT)
    plain = text_of(engine.submit(ask(SKY, demo, **options)))
    assert text_of(engine.submit(ask(SKY, demo, logprobs=logprobs, **options))) == plain
