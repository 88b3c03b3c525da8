"""Shared memory that is too small, and event loops under hasty thread switches."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest

from .conftest import EXACT, request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llamanb.engine import Generation, LoadedModel

    from .conftest import OpenEngine


@pytest.fixture
def hasty_switches() -> Iterator[None]:
    """Let threads take turns after every few bytecodes."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_requests_that_together_exceed_shared_memory_all_end_with_their_own_text(
    temperature: float, tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    prompts = [[n + 1, 5, 6, 7] * 20 for n in range(5)]
    options = {"max_tokens": 150, "temperature": temperature, "seed": 5}
    alone = open_engine(tiny, n_ctx=256, n_seq_max=1, **EXACT)
    expected = [_ended(alone.submit(request(prompt, **options))) for prompt in prompts]
    shared = open_engine(tiny, n_ctx=256, n_seq_max=3, kv_unified=True, **EXACT)
    generations = [shared.submit(request(prompt, **options)) for prompt in prompts]
    assert [_ended(generation) for generation in generations] == expected


def test_a_request_that_fills_shared_memory_alone_is_not_starved(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    shared = open_engine(tiny, n_ctx=256, n_seq_max=3, kv_unified=True)
    small = [shared.submit(request([n + 1], max_tokens=60)) for n in range(4)]
    large = shared.submit(request([9] * 250, max_tokens=None))
    after = [shared.submit(request([n + 1], max_tokens=60)) for n in range(4)]
    assert len(_ended(large)) == 6
    for generation in [*small, *after]:
        assert len(_ended(generation)) == 60


def _ended(generation: Generation) -> tuple[int, ...]:
    assert generation.wait(60).finish_reason == "length"
    return generation.tokens


def test_no_wake_up_of_an_event_loop_is_lost(
    hasty_switches: None, tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    opened = open_engine(tiny, n_seq_max=4)

    async def read(number: int) -> int:
        generation = opened.submit(request([number + 1, 2], max_tokens=20))
        async for _ in generation:
            pass
        return len(generation.tokens)

    async def read_many() -> list[int]:
        return await asyncio.wait_for(asyncio.gather(*map(read, range(40))), 30)

    assert asyncio.run(read_many()) == [20] * 40


def test_an_abandoned_async_stream_is_cancelled(tiny: LoadedModel, open_engine: OpenEngine) -> None:
    opened = open_engine(tiny)

    async def read_one() -> Generation:
        generation = opened.submit(request([1, 2], max_tokens=None))
        async for _ in generation:
            break
        return generation

    generation = asyncio.run(read_one())
    assert generation.wait(30).finish_reason == "cancelled"
    assert not generation.loops_to_wake()
