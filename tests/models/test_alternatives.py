"""Answers that go on from another token."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

import pytest

from llamanb.chat_layer import Finished
from llamanb.conversation import Session, reply
from llamanb.errors import GrammarError, OptionError
from llamanb.models.alternatives import alternative_tokens
from llamanb.settings import SamplingSettings

if TYPE_CHECKING:
    from llamanb.models import Completion, Model

PROMPT = "<|im_start|>user\nWhy is the sky blue?<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
SKY = [{"role": "user", "content": "Why is the sky blue?"}]
GREEDY: dict[str, Any] = {"temperature": 0, "max_tokens": 16}


@pytest.fixture
def answer(demo: Model) -> Completion:
    """Give a known answer with its probabilities."""
    return demo.generate(PROMPT, logprobs=5, **GREEDY)


def test_an_alternative_is_the_answer_so_far_and_another_token(
    demo: Model, answer: Completion
) -> None:
    other = answer.logprobs[2].top[1][0]
    entries = alternative_tokens(answer, 2, other)
    again = demo.generate(PROMPT, logprobs=5, answer_tokens=entries, **GREEDY)
    assert again.tokens[:3] == (*answer.tokens[:2], other)
    assert again != answer
    assert again.usage.completion_tokens <= GREEDY["max_tokens"]
    assert again.usage.cached_tokens >= again.usage.prompt_tokens - 2
    assert [one.token for one in again.logprobs] == [*again.tokens]
    assert again.logprobs[2].logprob == answer.logprobs[2].top[1][2]


def test_without_probabilities_there_are_only_ids(demo: Model) -> None:
    answer = demo.generate(PROMPT, **GREEDY)
    assert alternative_tokens(answer, 1, 7) == (answer.tokens[0], 7)
    assert alternative_tokens(answer, len(answer.tokens), 7) == (*answer.tokens, 7)


def test_nothing_is_known_of_a_token_that_was_not_likely(answer: Completion) -> None:
    *_, last = alternative_tokens(answer, 3, 0)
    assert not isinstance(last, int)
    assert isnan(last.logprob)
    assert alternative_tokens(answer, 3, answer.tokens[3]) == answer.logprobs[:4]


@pytest.mark.parametrize(
    ("index", "token", "named"),
    [(-1, 5, "no place"), (99, 5, "no place"), (True, 5, "no place"), ("1", 5, "no place"),
     (0, -1, "no token id"), (0, "blue", "no token id"), (0, None, "no token id"),
     (0, 1.5, "no token id")],
)  # fmt: skip
def test_bad_places_and_tokens_are_named(
    index: Any, token: Any, named: str, answer: Completion
) -> None:
    with pytest.raises(OptionError, match=named):
        alternative_tokens(answer, index, token)


@pytest.mark.parametrize("given", ["text", 5, {"a": 1}, [1, "two"], [10**9], [None]])
def test_bad_beginnings_are_refused(given: Any, demo: Model) -> None:
    with pytest.raises(OptionError):
        demo.generate(PROMPT, answer_tokens=given)


def test_a_beginning_that_the_grammar_forbids_is_refused(demo: Model) -> None:
    tokens = demo.vocab.tokenize_inside("perhaps")
    with pytest.raises(GrammarError, match=r"answer_tokens\[0\]"):
        demo.generate(PROMPT, choices=["yes", "no"], answer_tokens=tokens)


def test_a_reply_holds_its_given_beginning(demo: Model) -> None:
    tokens = demo.vocab.tokenize_inside("Because")
    sampling = SamplingSettings(temperature=0, max_tokens=4)
    stream = reply(demo, SKY, answer_tokens=tokens, sampling=sampling)
    finished = list(stream)[-1]
    assert isinstance(finished, Finished)
    assert stream.message.content.startswith("Because")
    assert stream.generation.tokens[: len(tokens)] == (*tokens,)
    assert finished.usage["completion_tokens"] == 4
    assert len(stream.generation.tokens) == len(tokens) + 4


def test_given_thinking_is_counted_as_reasoning(demo: Model) -> None:
    options: dict[str, Any] = {"enable_thinking": True}
    whole = reply(demo, SKY, **options)
    list(whole)
    again = reply(demo, SKY, answer_tokens=whole.generation.tokens, **options)
    finished = list(again)[-1]
    assert isinstance(finished, Finished)
    assert again.message == whole.message
    assert whole.finished is not None
    assert finished.usage["reasoning_tokens"] == whole.finished.usage["reasoning_tokens"] > 0


def test_a_session_answers_again_from_another_token(demo: Model) -> None:
    session = Session(demo)
    session.send("Why is the sky blue?", logprobs=5, **GREEDY)
    first = session.regenerate(logprobs=5, **GREEDY)
    list(first)
    entries = alternative_tokens(first.generation, 1, first.generation.logprobs[1].top[1][0])
    with session.regenerate(answer_tokens=entries, logprobs=5, **GREEDY) as stream:
        list(stream)
    assert stream.generation.tokens[:2] == tuple(one.token for one in entries)  # type: ignore[union-attr]  # entries, not ids
    assert session.messages[-1]["content"] == stream.message.content
    assert len(session.messages) == 2
