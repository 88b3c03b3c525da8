"""Many requests at once: same text as alone, nothing left busy, nobody starved."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import EXACT, ask, request, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from llamanb.engine import Engine, Generation, LoadedModel

    from .conftest import OpenEngine

QUESTIONS = ("Why is the sky blue?", "What is R?", "Say pear dashboard", "Hello")
VARIANTS = ("tiny", "tiny-llama", "tiny-swa", "tiny-recurrent")


def test_four_greedy_streams_of_the_demo_equal_their_lone_text(
    demo: LoadedModel, open_engine: OpenEngine
) -> None:
    alone = open_engine(demo, n_seq_max=1)
    expected = [text_of(alone.submit(ask(question, demo))) for question in QUESTIONS]
    together = open_engine(demo, n_seq_max=4)
    generations = [together.submit(ask(question, demo)) for question in QUESTIONS]
    assert [text_of(generation) for generation in generations] == expected


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kv_unified", [False, True])
def test_four_greedy_streams_of_random_models_equal_their_lone_text(
    variant: str,
    kv_unified: bool,
    load: Any,
    tiny_variants: Mapping[str, Path],
    open_engine: OpenEngine,
) -> None:
    loaded: LoadedModel = load(tiny_variants[variant])
    prompts = [[5 + n, 9, 11 + n, 20] * (3 + 7 * n) for n in range(4)]
    alone = open_engine(loaded, n_seq_max=1, **EXACT)
    expected = [_tokens(alone, prompt) for prompt in prompts]
    together = open_engine(loaded, n_seq_max=4, kv_unified=kv_unified, n_ctx=1024, **EXACT)
    generations = [together.submit(request(prompt)) for prompt in prompts]
    for generation in generations:
        generation.wait(60)
    assert [generation.tokens for generation in generations] == expected


def _tokens(engine: Engine, prompt: list[int]) -> tuple[int, ...]:
    generation = engine.submit(request(prompt))
    generation.wait(60)
    return generation.tokens


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_reused_prefix_does_not_change_the_text(
    variant: str, load: Any, tiny_variants: Mapping[str, Path], open_engine: OpenEngine
) -> None:
    loaded: LoadedModel = load(tiny_variants[variant])
    prefix, ends = [7, 8, 9] * 30, ([1, 2], [3], [3, 4, 5])
    expected = [_tokens(open_engine(loaded, n_seq_max=1, **EXACT), [*prefix, *end]) for end in ends]
    reusing = open_engine(loaded, n_seq_max=1, **EXACT)
    assert [_tokens(reusing, [*prefix, *end]) for end in ends] == expected


def test_the_prefix_of_a_running_request_is_copied(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    prefix = [7, 8, 9] * 60
    expected = _tokens(open_engine(tiny, n_seq_max=1, **EXACT), [*prefix, 4])
    engine = open_engine(tiny, n_seq_max=2, **EXACT)
    running = engine.submit(request([*prefix, 3], max_tokens=None))
    next(iter_first(running))
    second = engine.submit(request([*prefix, 4]))
    record = second.wait(60)
    running.cancel()
    assert second.tokens == expected
    assert record.usage.cached_tokens >= len(prefix)


def iter_first(generation: Generation) -> Any:
    """Give the first piece without ending the generation."""
    first = threading.Event()
    generation.subscribe(lambda _value: first.set())
    assert first.wait(30)
    yield generation.text


@pytest.mark.parametrize("kv_unified", [False, True])
def test_answers_to_one_long_prompt_read_it_once(
    demo: LoadedModel, open_engine: OpenEngine, *, kv_unified: bool
) -> None:
    prompt = [300 + n % 900 for n in range(1200)]
    engine = open_engine(demo, n_seq_max=3, n_ctx=4096, kv_unified=kv_unified)
    generations = [engine.submit(request(prompt, max_tokens=4)) for _ in range(3)]
    cached = [generation.wait(60).usage.cached_tokens for generation in generations]
    assert cached[0] == 0
    assert min(cached[1:]) >= 900
    assert len({generation.tokens for generation in generations}) == 1


def test_requests_beyond_the_sequences_wait_their_turn(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    engine = open_engine(tiny, n_seq_max=2)
    ended: list[int] = []
    generations = [engine.submit(request([n + 1, 2, 3], max_tokens=20)) for n in range(7)]
    for number, generation in enumerate(generations):
        generation.subscribe(
            lambda _v, n=number, g=generation: ended.append(n) if g.done else None  # type: ignore[misc]  # lambda defaults
        )
    for generation in generations:
        generation.wait(60)
    assert sorted(ended) == list(range(7))
    assert [n // 2 for n in ended] == sorted(n // 2 for n in ended)


def test_a_waiting_request_can_be_cancelled(tiny: LoadedModel, open_engine: OpenEngine) -> None:
    engine = open_engine(tiny, n_seq_max=1)
    running = engine.submit(request([1, 2, 3], max_tokens=None))
    waiting = engine.submit(request([4, 5, 6]))
    waiting.cancel()
    assert waiting.wait(30).finish_reason == "cancelled"
    assert not running.done
    running.cancel()


def test_a_running_stream_goes_on_while_a_long_prompt_is_read(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    engine = open_engine(tiny, n_ctx=4096, n_seq_max=2)
    stream = engine.submit(request([1, 2, 3], max_tokens=None))
    next(iter_first(stream))
    prompt = engine.submit(request(list(range(3, 403)) * 9, max_tokens=1))
    before = len(stream.tokens)
    prompt.wait(60)
    assert len(stream.tokens) - before >= 3
    stream.cancel()


def test_200_random_operations_leave_no_busy_sequence(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    chance = random.Random(20)  # noqa: S311  # a reproducible order of operations
    engines = [open_engine(tiny, n_seq_max=3, **EXACT) for _ in range(2)]
    expected = _tokens(open_engine(tiny, n_seq_max=1, **EXACT), [9, 8, 7])
    alive: list[Generation] = []
    for _ in range(200):
        match chance.choice(["start", "start", "start", "cancel", "wait", "close"]):
            case "start":
                prompt = [chance.randrange(256) for _ in range(chance.randrange(1, 80))]
                alive.append(
                    chance.choice(engines).submit(
                        request(prompt, max_tokens=chance.choice([1, 40, None]))
                    )
                )
            case "cancel" if alive:
                chance.choice(alive).cancel()
            case "wait" if alive:
                alive.pop(0).cancel()
            case "close" if chance.random() < 0.2:
                position = chance.randrange(2)
                engines[position].close()
                engines[position] = open_engine(tiny, n_seq_max=3, **EXACT)
            case _:
                pass
    for generation in alive:
        generation.cancel()
        assert generation.wait(60).finish_reason in ("cancelled", "length", "stop")
    for engine in engines:
        assert _tokens(engine, [9, 8, 7]) == expected
        assert (engine.status().running, engine.status().waiting) == (0, 0)
