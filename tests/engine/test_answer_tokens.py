"""The beginning of an answer, given beforehand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from llamanb.errors import ContextLengthError, GrammarError, OptionError
from llamanb.settings import Constraint, Trigger

from .conftest import EXACT, ask, request, text_of

if TYPE_CHECKING:
    from llamanb.engine import Engine, EngineRequest, Generation, LoadedModel

    from .conftest import OpenEngine

SKY = "Why is the sky blue?"
COLOUR = Constraint(kind="regex", source="The sky is (blue|green), (cat|dog)")
LAZY = Constraint(kind="regex", source="blue (cat|dog)", trigger=Trigger(patterns=("blue",)))


@pytest.fixture
def engine(demo: LoadedModel, open_engine: OpenEngine) -> Engine:
    """Give an engine whose figures do not depend on the shape of a batch."""
    return open_engine(demo, **EXACT)


def begun(asked: EngineRequest, tokens: tuple[int, ...]) -> EngineRequest:
    return replace(asked, answer_tokens=tokens)


def inside(text: str, demo: LoadedModel) -> tuple[int, ...]:
    return tuple(demo.vocabulary.tokenize_inside(text))


def answered(engine: Engine, asked: EngineRequest) -> Generation:
    generation = engine.submit(asked)
    generation.wait(60)
    generation.raise_for_error()
    return generation


@pytest.mark.parametrize("constraint", [None, COLOUR, LAZY], ids=["free", "held", "lazy"])
def test_an_answer_goes_on_as_before_from_every_place(
    constraint: Constraint | None, demo: LoadedModel, engine: Engine
) -> None:
    asked = ask(SKY, demo, max_tokens=12, constraint=constraint)
    whole = answered(engine, asked)
    for place in range(len(whole.tokens)):
        again = answered(engine, begun(asked, whole.tokens[:place]))
        assert again.tokens[: len(whole.tokens)] == whole.tokens
        assert again.text.startswith(whole.text)


def test_what_memory_holds_of_prompt_and_beginning_is_not_read_again(
    demo: LoadedModel, engine: Engine
) -> None:
    whole = answered(engine, ask(SKY, demo))
    asked = begun(ask(SKY, demo, max_tokens=3), whole.tokens[:5])
    usage = answered(engine, asked).wait().usage
    n_read = len(asked.prompt_tokens) + 5
    assert (usage.prompt_tokens, usage.completion_tokens) == (n_read, 3)
    assert usage.cached_tokens == n_read - 1


def test_the_beginning_is_there_before_anything_is_computed(
    demo: LoadedModel, engine: Engine
) -> None:
    generation = engine.submit(begun(ask(SKY, demo), inside("Because it", demo)))
    assert generation.text == "Because it"
    assert [piece.tokens for piece in generation][:2] == [
        (token,) for token in generation.request.answer_tokens
    ][:2]
    assert generation.tokens[: len(generation.request.answer_tokens)] == (
        generation.request.answer_tokens
    )


def test_another_token_leads_elsewhere(demo: LoadedModel, engine: Engine) -> None:
    generation = answered(engine, begun(ask(SKY, demo), inside("The moon", demo)))
    assert generation.text.startswith("The moon")


@pytest.mark.parametrize("n_tokens", [0, 1, 4])
def test_only_new_tokens_count_for_the_limit(
    n_tokens: int, tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    asked = begun(request([1, 2, 3], max_tokens=n_tokens), (7, 8))
    generation = answered(open_engine(tiny), asked)
    assert len(generation.tokens) == 2 + n_tokens
    assert generation.wait().finish_reason == "length"


def test_characters_cut_at_the_border_are_whole(demo: LoadedModel, engine: Engine) -> None:
    tokens = inside("blü🙂", demo)
    text = Constraint(kind="regex", source="blü🙂")
    for place in range(len(tokens) + 1):
        asked = begun(ask(SKY, demo, constraint=text), tokens[:place])
        assert answered(engine, asked).text == "blü🙂"


@pytest.mark.parametrize("n_given", range(1, 7))
def test_stop_strings_may_span_the_border(n_given: int, demo: LoadedModel, engine: Engine) -> None:
    whole = answered(engine, ask(SKY, demo))
    asked = ask(SKY, demo, stop=("sky is blue",))
    generation = answered(engine, begun(asked, whole.tokens[:n_given]))
    assert generation.text == "The "
    assert generation.wait().stop_string == "sky is blue"


def test_a_beginning_with_a_stop_string_is_the_whole_answer(
    demo: LoadedModel, engine: Engine
) -> None:
    before = engine.status().n_decodes
    asked = begun(ask(SKY, demo, stop=("sky",)), inside("The sky is blue", demo))
    generation = answered(engine, asked)
    record = generation.wait()
    assert (generation.text, record.finish_reason, record.stop_string) == ("The ", "stop", "sky")
    assert engine.status().n_decodes == before


def test_a_token_that_ends_answers_ends_this_one(demo: LoadedModel, engine: Engine) -> None:
    end = demo.vocabulary.eos
    assert end is not None
    generation = answered(engine, begun(ask(SKY, demo), (*inside("No", demo), end)))
    assert (generation.text, generation.wait().finish_reason) == ("No", "stop")
    with pytest.raises(OptionError, match="after a token that ends an answer"):
        engine.submit(begun(ask(SKY, demo), (end, *inside("No", demo))))


def test_a_beginning_that_completes_the_grammar_is_the_whole_answer(
    demo: LoadedModel, engine: Engine
) -> None:
    asked = begun(ask(SKY, demo, constraint=COLOUR), inside("The sky is green, dog", demo))
    assert answered(engine, asked).text == "The sky is green, dog"


@pytest.mark.parametrize(
    ("constraint", "text", "named"),
    [
        pytest.param(COLOUR, "The cat", r"answer_tokens\[\d+\], .* does not match", id="held"),
        pytest.param(LAZY, "It is blue moons", "does not match", id="lazy"),
        pytest.param(COLOUR, "The sky is blue, dogs and cats", "grammar", id="too long"),
    ],
)
def test_a_beginning_against_the_grammar_is_refused_at_once(
    constraint: Constraint, text: str, named: str, demo: LoadedModel, engine: Engine
) -> None:
    with pytest.raises(GrammarError, match=named):
        engine.submit(begun(ask(SKY, demo, constraint=constraint), inside(text, demo)))
    assert not engine.busy


def test_impossible_beginnings_are_refused(demo: LoadedModel, engine: Engine) -> None:
    with pytest.raises(OptionError, match="not in the vocabulary"):
        engine.submit(begun(ask(SKY, demo), (demo.vocabulary.n_tokens,)))
    with pytest.raises(ContextLengthError, match="at least one must be left"):
        engine.submit(begun(ask(SKY, demo), (5,) * 512))
    told = answered(engine, ask(SKY, demo, logprobs=1, max_tokens=2)).logprobs
    with pytest.raises(OptionError, match="one for each"):
        engine.submit(replace(begun(ask(SKY, demo), (5, 5)), answer_logprobs=told))


def test_known_log_probabilities_are_told_with_the_beginning(
    demo: LoadedModel, engine: Engine
) -> None:
    asked = ask(SKY, demo, logprobs=2, max_tokens=6)
    whole = answered(engine, asked)
    known: Any = whole.logprobs[:3]
    again = answered(engine, replace(begun(asked, whole.tokens[:3]), answer_logprobs=known))
    assert [one.token for one in again.logprobs] == [*again.tokens]
    assert again.logprobs[:3] == known


def test_many_beginnings_run_side_by_side(demo: LoadedModel, open_engine: OpenEngine) -> None:
    engine = open_engine(demo, n_seq_max=4, **EXACT)
    asked = ask(SKY, demo, max_tokens=10)
    whole = answered(engine, asked)
    generations = [engine.submit(begun(asked, whole.tokens[:place])) for place in range(8)]
    assert all(text_of(one).startswith(whole.text) for one in generations)


@pytest.mark.parametrize("n_batch", [8, 512])
def test_a_given_answer_is_scored_as_it_was_when_written(
    n_batch: int, demo: LoadedModel, open_engine: OpenEngine
) -> None:
    engine = open_engine(demo, n_batch=n_batch, n_ubatch=n_batch, **EXACT)
    asked = ask(SKY, demo, logprobs=3, max_tokens=60)
    whole = answered(engine, asked)
    nothing_more = replace(asked.sampling, max_tokens=0)
    again = replace(begun(asked, whole.tokens), scores_answer=True, sampling=nothing_more)
    for _ in range(2):  # what memory holds of the answer makes no difference
        scored = answered(engine, again)
        assert (scored.tokens, scored.text) == (whole.tokens, whole.text)
        assert [one.token for one in scored.logprobs] == [*whole.tokens]
        for one, other in zip(scored.logprobs, whole.logprobs, strict=True):
            assert one.logprob == pytest.approx(other.logprob, abs=1e-4)
            assert one.top[0][0] == other.top[0][0]


def test_a_scored_beginning_goes_on_beside_others(
    demo: LoadedModel, open_engine: OpenEngine
) -> None:
    engine = open_engine(demo, n_seq_max=3, **EXACT)
    asked = ask(SKY, demo, logprobs=2, max_tokens=8)
    whole = answered(engine, asked)
    again = replace(begun(asked, whole.tokens[:5]), scores_answer=True)
    several = [engine.submit(again), engine.submit(ask("Who are you?", demo)), engine.submit(again)]
    for one in several:
        one.wait(60)
    for one in (several[0], several[2]):
        assert [entry.token for entry in one.logprobs] == [*one.tokens]
        assert one.tokens[:8] == whole.tokens


def test_scoring_survives_cancelled_neighbours(tiny: LoadedModel, open_engine: OpenEngine) -> None:
    engine = open_engine(tiny, n_seq_max=2)
    tokens = tuple(range(1, 200))
    scored = engine.submit(
        replace(request([5], max_tokens=0, logprobs=1), answer_tokens=tokens, scores_answer=True)
    )
    for _ in range(5):
        engine.submit(request([*range(3, 150)])).cancel()
    scored.wait(60)
    assert [one.token for one in scored.logprobs] == [*tokens]
