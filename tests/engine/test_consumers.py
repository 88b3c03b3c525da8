"""Three ways to receive, and leaving early."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import pytest

from llamanb.engine import FinalRecord, Piece

from .conftest import ask, request, text_of

if TYPE_CHECKING:
    from llamanb.engine import Generation, LoadedModel

    from .conftest import OpenEngine

SKY = "Why is the sky blue?"


def test_all_three_consumers_receive_the_same(demo: LoadedModel, open_engine: OpenEngine) -> None:
    engine = open_engine(demo)
    expected = text_of(engine.submit(ask(SKY, demo)))
    received: list[Piece | FinalRecord] = []
    over = threading.Event()

    def consumer(value: Piece | FinalRecord) -> None:
        received.append(value)
        if isinstance(value, FinalRecord):
            over.set()

    engine.submit(ask(SKY, demo)).subscribe(consumer)
    assert over.wait(30)
    assert "".join(p.text for p in received if isinstance(p, Piece)) == expected
    assert "".join(p.text for p in engine.submit(ask(SKY, demo))) == expected
    assert asyncio.run(_read(engine.submit(ask(SKY, demo)))) == expected


async def _read(generation: Generation) -> str:
    return "".join([piece.text async for piece in generation])


def test_a_late_reader_sees_everything_from_the_start(
    demo: LoadedModel, open_engine: OpenEngine
) -> None:
    generation = open_engine(demo).submit(ask(SKY, demo))
    text = text_of(generation)
    assert "".join(piece.text for piece in generation) == text
    assert asyncio.run(_read(generation)) == text


def test_leaving_a_loop_early_cancels_and_keeps_the_text(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    generation = open_engine(tiny).submit(request([1, 2, 3], max_tokens=None))
    for position, _piece in enumerate(generation):
        if position == 3:
            break
    assert generation.wait(30).finish_reason == "cancelled"
    assert len(generation.tokens) >= 4


def test_a_cancelled_task_cancels_its_generation(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    generation = open_engine(tiny).submit(request([1, 2, 3], max_tokens=None))

    async def reader() -> None:
        started = asyncio.Event()

        async def read() -> None:
            async for _piece in generation:
                started.set()

        task = asyncio.create_task(read())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(reader())
    assert generation.wait(30).finish_reason == "cancelled"


def test_a_closed_event_loop_cancels_what_it_waited_for(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    generation = open_engine(tiny).submit(request([1, 2, 3], max_tokens=None))
    loop = asyncio.new_event_loop()
    reader = generation.__aiter__()
    loop.run_until_complete(reader.__anext__())
    loop.close()
    assert generation.wait(30).finish_reason == "cancelled"


def test_a_consumer_that_raises_ends_only_its_own_request(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    engine = open_engine(tiny)
    expected = text_of(engine.submit(request([4, 5, 6])))

    def broken(_value: Piece | FinalRecord) -> None:
        raise RuntimeError("no")

    bad, good = (
        engine.submit(request([1, 2, 3], max_tokens=None)),
        engine.submit(request([4, 5, 6])),
    )
    bad.subscribe(broken)
    assert text_of(good) == expected
    assert bad.wait(30).finish_reason == "cancelled"


def test_a_consumer_that_never_reads_is_cancelled(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    generation = open_engine(tiny).submit(request([1, 2], max_tokens=None, max_pending=5))
    generation.subscribe(lambda _value: None, reads=False)
    next(iter(generation))
    deadline = time.monotonic() + 30
    while generation.record is None and time.monotonic() < deadline:
        threading.Event().wait(0.005)
    assert generation.record is not None
    assert generation.record.finish_reason == "cancelled"


def test_waiting_has_a_limit(tiny: LoadedModel, open_engine: OpenEngine) -> None:
    generation = open_engine(tiny).submit(request([1, 2, 3], max_tokens=None))
    with pytest.raises(TimeoutError, match="did not end"):
        generation.wait(0.01)
    generation.cancel()
    assert generation.wait(30).finish_reason == "cancelled"
