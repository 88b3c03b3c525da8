"""Thousands of short requests: threads, files and memory stay what they were."""

from __future__ import annotations

import gc
import os
import random
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from llamanb.settings import Constraint

from .conftest import request

if TYPE_CHECKING:
    from llamanb.engine import Engine, Generation, LoadedModel

    from .conftest import OpenEngine

N_REQUESTS = 2000
N_WARM = 500
GROWTH_BYTES = 8 << 20
WORD = Constraint(kind="regex", source="(yes|no)")
KINDS: tuple[dict[str, Any], ...] = (
    {"max_tokens": 4},
    {"max_tokens": 6, "temperature": 1.0},
    {"max_tokens": 0},
    {"max_tokens": 4, "repeat_penalty": 1.2, "stop": ("a",)},
    {"max_tokens": 5, "logprobs": 1},
    {"max_tokens": 8, "constraint": WORD},
    {"max_tokens": None},  # cancelled
)

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="memory and files are counted through /proc"
)


def _resources() -> tuple[int, int, int]:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    n_files = len(list(Path("/proc/self/fd").iterdir()))
    return threading.active_count(), n_files, pages * os.sysconf("SC_PAGE_SIZE")


def _work(engine: Engine, count: int, chance: random.Random) -> None:
    waiting: list[Generation] = []
    for _ in range(count):
        options = chance.choice(KINDS)
        prompt = [chance.randrange(200) for _ in range(chance.randrange(1, 40))]
        generation = engine.submit(request(prompt, **options))
        if options["max_tokens"] is None:
            generation.cancel()
        waiting.append(generation)
        if len(waiting) >= 8:
            waiting.pop(0).wait(30)
    for generation in waiting:
        assert generation.wait(30).finish_reason != "error"


def test_2000_mixed_requests_leave_nothing_behind(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    chance = random.Random(4)  # noqa: S311  # a reproducible mixture
    engine = open_engine(tiny, n_ctx=128, n_seq_max=4)
    _work(engine, N_WARM, chance)
    threads, files, memory = _resources()
    _work(engine, N_REQUESTS - N_WARM, chance)
    threads_after, files_after, memory_after = _resources()
    assert (threads_after, files_after) == (threads, files)
    assert memory_after - memory < GROWTH_BYTES
    assert (engine.status().running, engine.status().waiting) == (0, 0)


def test_50_engines_opened_and_closed_leave_nothing_behind(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    def use_one() -> None:
        engine = open_engine(tiny, n_ctx=256)
        engine.submit(request([1, 2, 3], max_tokens=2)).wait(30)
        engine.close()

    for _ in range(10):
        use_one()
    threads, files, memory = _resources()
    for _ in range(50):
        use_one()
    threads_after, files_after, memory_after = _resources()
    assert (threads_after, files_after) == (threads, files)
    assert memory_after - memory < GROWTH_BYTES
