"""What is asked of an engine: checked in the caller's thread, answered in order."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest

from llamanb.engine import EngineRequest
from llamanb.errors import ContextLengthError, GrammarError, ModelClosedError, OptionError
from llamanb.settings import Constraint, SamplingSettings

from .conftest import ask, request, text_of

if TYPE_CHECKING:
    from llamanb.engine import LoadedModel

    from .conftest import OpenEngine

SKY = "Why is the sky blue?"


def test_a_question_is_answered_and_counted(demo: LoadedModel, open_engine: OpenEngine) -> None:
    generation = open_engine(demo).submit(ask(SKY, demo))
    record = generation.wait(30)
    assert generation.text.startswith("The sky is blue because air scatters blue light")
    assert record.finish_reason == "stop"
    assert record.usage.prompt_tokens == len(generation.request.prompt_tokens)
    assert record.usage.completion_tokens == len(generation.tokens) + 1  # and the end of turn
    assert record.timings.tokens_per_s > 0


def test_the_same_prompt_again_is_taken_from_memory(
    demo: LoadedModel, open_engine: OpenEngine
) -> None:
    engine = open_engine(demo)
    text = text_of(engine.submit(ask(SKY, demo)))
    again = engine.submit(ask(SKY, demo))
    assert text_of(again) == text
    assert again.wait().usage.cached_tokens == len(again.request.prompt_tokens) - 1


def test_a_seed_repeats_a_sampled_answer(tiny: LoadedModel, open_engine: OpenEngine) -> None:
    engine = open_engine(tiny)
    first = engine.submit(request([1, 2, 3], temperature=1.0, seed=7))
    second = engine.submit(request([1, 2, 3], temperature=1.0, seed=7))
    other = engine.submit(request([1, 2, 3], temperature=1.0, seed=8))
    assert text_of(first) == text_of(second) != text_of(other)


def test_the_drawn_seed_is_reported(tiny: LoadedModel, open_engine: OpenEngine) -> None:
    engine = open_engine(tiny)
    first = engine.submit(request([1, 2, 3], temperature=1.0, seed=None))
    text = text_of(first)
    again = engine.submit(request([1, 2, 3], temperature=1.0, seed=first.wait().seed))
    assert text_of(again) == text


def test_a_stop_string_ends_the_answer_and_is_named(
    demo: LoadedModel, open_engine: OpenEngine
) -> None:
    generation = open_engine(demo).submit(ask(SKY, demo, stop=("catter", "zzz")))
    record = generation.wait(30)
    assert generation.text == "The sky is blue because air s"
    assert (record.finish_reason, record.stop_string) == ("stop", "catter")


@pytest.mark.parametrize("n_tokens", [0, 1, 5])
def test_no_more_tokens_than_asked_for(
    n_tokens: int, tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    generation = open_engine(tiny).submit(request([1, 2, 3], max_tokens=n_tokens))
    record = generation.wait(30)
    assert (len(generation.tokens), record.finish_reason) == (n_tokens, "length")
    assert generation.n_tokens == n_tokens


def test_an_answer_ends_where_the_context_ends(tiny: LoadedModel, open_engine: OpenEngine) -> None:
    generation = open_engine(tiny, n_ctx=64).submit(request([1] * 60, max_tokens=None))
    assert generation.wait(30).finish_reason == "length"
    assert len(generation.tokens) == 4


def test_logprobs_are_those_of_a_softmax(demo: LoadedModel, open_engine: OpenEngine) -> None:
    generation = open_engine(demo).submit(ask(SKY, demo, logprobs=3))
    generation.wait(30)
    first = generation.logprobs[0]
    assert len(generation.logprobs) == len(generation.tokens)
    assert first.top[0][0] == first.token
    assert [p for _, _, p in first.top] == sorted((p for _, _, p in first.top), reverse=True)
    assert first.logprob < 0


def test_a_logit_bias_forbids_a_token(demo: LoadedModel, open_engine: OpenEngine) -> None:
    engine = open_engine(demo)
    plain = engine.submit(ask(SKY, demo))
    text_of(plain)
    banned = plain.tokens[0]
    biased = engine.submit(ask(SKY, demo, logit_bias={banned: -100.0}))
    text_of(biased)
    assert banned not in biased.tokens[:1]


def test_a_penalty_changes_a_greedy_repetition(tiny: LoadedModel, open_engine: OpenEngine) -> None:
    engine = open_engine(tiny)
    plain = text_of(engine.submit(request([1, 2, 3])))
    penalised = engine.submit(request([1, 2, 3], repeat_penalty=1.8, repeat_last_n=64))
    assert text_of(penalised) != plain or len(set(plain)) == len(plain)


def test_end_of_sequence_can_be_ignored(demo: LoadedModel, open_engine: OpenEngine) -> None:
    generation = open_engine(demo).submit(ask(SKY, demo, ignore_eos=True, max_tokens=40))
    assert generation.wait(30).finish_reason == "length"


def test_control_tokens_show_only_when_preserved(
    demo: LoadedModel, open_engine: OpenEngine
) -> None:
    start = demo.vocabulary.tokenize("<|im_start|>", add_special=False, parse_special=True)[0]
    engine = open_engine(demo)
    forced = {"logit_bias": {start: 1000.0}, "max_tokens": 2}
    hidden = engine.submit(ask(SKY, demo, **forced))
    shown = engine.submit(ask(SKY, demo, preserved_tokens=frozenset({start}), **forced))
    assert (text_of(hidden), text_of(shown)) == ("", "<|im_start|>" * 2)


@pytest.mark.parametrize(
    ("tokens", "error", "words"),
    [
        pytest.param([], OptionError, "empty", id="no tokens"),
        pytest.param([-1], OptionError, "not in the vocabulary", id="negative"),
        pytest.param([10**9], OptionError, "not in the vocabulary", id="too large"),
        pytest.param([1.5], OptionError, "whole numbers", id="a float"),
        pytest.param([1] * 512, ContextLengthError, "512 tokens", id="too long"),
    ],
)
def test_a_bad_prompt_is_refused_at_once(
    tokens: list[Any],
    error: type[Exception],
    words: str,
    tiny: LoadedModel,
    open_engine: OpenEngine,
) -> None:
    engine = open_engine(tiny)
    with pytest.raises(error, match=words):
        engine.submit(request(tokens))
    assert text_of(engine.submit(request([1, 2, 3], max_tokens=2)))


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        pytest.param("json_schema", '{"type": "nonsense"}', id="schema"),
        pytest.param("json_schema", "{", id="not json"),
        pytest.param("regex", "(", id="regex"),
        pytest.param("lark", "start: undefined_rule", id="lark"),
        pytest.param("gbnf", "root ::= undefined", id="gbnf"),
        pytest.param("lark", "start: " + "(" * 300 + '"a"' + ")" * 300, id="nested too deep"),
        pytest.param("regex", "a\0b", id="NUL"),
    ],
)
def test_a_bad_constraint_is_refused_at_once(
    kind: Any, source: str, tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    engine = open_engine(tiny)
    with pytest.raises(GrammarError):
        engine.submit(request([1], constraint=Constraint(kind=kind, source=source)))


@pytest.mark.parametrize(
    ("kind", "source", "possible"),
    [
        pytest.param("regex", "(yes|no)", {"yes", "no"}, id="regex"),
        pytest.param("json_schema", '{"enum": ["a", "b"]}', {'"a"', '"b"'}, id="schema"),
        pytest.param("lark", 'start: "x" | "y"', {"x", "y"}, id="lark"),
        pytest.param("gbnf", 'root ::= "p" | "q"', {"p", "q"}, id="gbnf"),
    ],
)
@pytest.mark.parametrize("sampling", [{}, {"temperature": 1.5}, {"repeat_penalty": 1.3}])
def test_a_constraint_holds(  # fixtures and cases
    kind: Any,
    source: str,
    possible: set[str],
    sampling: dict[str, Any],
    tiny: LoadedModel,
    open_engine: OpenEngine,
) -> None:
    constraint = Constraint(kind=kind, source=source)
    generation = open_engine(tiny).submit(request([1, 2], constraint=constraint, **sampling))
    assert text_of(generation) in possible
    assert generation.wait().finish_reason == "stop"


def test_a_closed_engine_says_so(demo: LoadedModel, open_engine: OpenEngine) -> None:
    engine = open_engine(demo)
    engine.close()
    engine.close()
    with pytest.raises(ModelClosedError, match="unloaded"):
        engine.submit(ask(SKY, demo))
    assert engine.status().state == "closed"


def test_what_crosses_the_border_can_be_pickled() -> None:
    constraint = Constraint(kind="regex", source="a+")
    sent = EngineRequest(prompt_tokens=(1,), sampling=SamplingSettings(), constraint=constraint)
    assert pickle.loads(pickle.dumps(sent)) == sent  # noqa: S301  # our own bytes
