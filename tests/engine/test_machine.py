"""Any order of submit, cancel, iterate, await, close and reopen keeps the promises."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from llamanb import engine
from llamanb.errors import ContextLengthError, GrammarError, ModelClosedError, OptionError
from llamanb.settings import Constraint, ContextSettings

from .conftest import request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llamanb.engine import Generation, LoadedModel, Piece

N_CTX = 256
PROMPTS = ([5], [7, 8, 9] * 30, [7, 8, 9] * 30 + [4], list(range(3, 200)), [6] * (N_CTX - 1))
PATTERN = Constraint(kind="regex", source="(yes|no)+!")
SAMPLING: tuple[dict[str, Any], ...] = (
    {},
    {"temperature": 1.0, "seed": 3},
    {"repeat_penalty": 1.3},
    {"stop": ("a", "bc")},
    {"logprobs": 2, "ignore_eos": True},
    {"temperature": 1.5, "constraint": PATTERN},
)
IMPOSSIBLE: tuple[tuple[list[int], dict[str, Any], type[Exception]], ...] = (
    ([], {}, OptionError),
    ([1 << 20], {}, OptionError),
    ([1] * N_CTX, {}, ContextLengthError),
    ([1], {"constraint": Constraint(kind="regex", source="(")}, GrammarError),
)


class EngineMachine(RuleBasedStateMachine):
    """One engine over a tiny model; ``loaded`` and ``unified`` are set by the test."""

    loaded: LoadedModel
    unified: bool

    def __init__(self) -> None:
        super().__init__()
        self.alive: list[Generation] = []
        self.open()

    def open(self) -> None:
        """Open a fresh engine with fewer sequences than there will be requests."""
        options = ContextSettings(
            n_ctx=N_CTX, n_seq_max=2, n_batch=64, n_ubatch=64, n_threads=1, kv_unified=self.unified
        )
        self.engine = engine.open_engine(self.loaded, options)

    @rule(
        prompt=st.sampled_from(PROMPTS),
        sampling=st.sampled_from(SAMPLING),
        max_tokens=st.sampled_from([0, 1, 12, None]),
    )
    def submit(self, prompt: list[int], sampling: dict[str, Any], max_tokens: int | None) -> None:
        """Start a request."""
        asked = request(prompt, max_tokens=max_tokens, **sampling)
        self.alive.append(self.engine.submit(asked))

    @rule(case=st.sampled_from(IMPOSSIBLE))
    def submit_something_impossible(
        self, case: tuple[list[int], dict[str, Any], type[Exception]]
    ) -> None:
        """Be refused at once."""
        tokens, options, error = case
        with pytest.raises(error):
            self.engine.submit(request(tokens, **options))

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Cancel any request, perhaps one that is done."""
        data.draw(st.sampled_from(self.alive)).cancel()

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), n_pieces=st.integers(0, 3))
    def iterate_a_little(self, data: st.DataObject, n_pieces: int) -> None:
        """Read some pieces and leave; leaving cancels."""
        pieces = iter(data.draw(st.sampled_from(self.alive)))
        for _, _ in zip(range(n_pieces), pieces, strict=False):
            pass
        pieces.close()  # type: ignore[attr-defined]  # a generator

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), n_pieces=st.integers(1, 5))
    def await_a_little(self, data: st.DataObject, n_pieces: int) -> None:
        """Read some pieces in an event loop and leave."""
        generation = data.draw(st.sampled_from(self.alive))
        asyncio.run(_read(generation.__aiter__(), n_pieces))

    @precondition(lambda self: self.alive)
    @rule()
    def wait_for_the_oldest(self) -> None:
        """See it end by itself, and its parts agree."""
        _check_ended(self.alive.pop(0))

    @rule()
    def close_and_reopen(self) -> None:
        """End everything by closing."""
        self.engine.close()
        for generation in self.alive:
            assert generation.done
            _check_ended(generation)
        self.alive.clear()
        with pytest.raises(ModelClosedError):
            self.engine.submit(request([5]))
        self.open()

    @invariant()
    def the_status_is_possible(self) -> None:
        """Never more at work than there are sequences, never more held than fits."""
        status = self.engine.status()
        assert status.state in ("ready", "busy")
        assert status.running <= 2
        assert max(status.used) <= N_CTX

    def teardown(self) -> None:
        """Nothing may be left busy, and the memory must hold what the lists say."""
        for generation in self.alive:
            generation.cancel()
            _check_ended(generation)
        assert not self.engine.busy
        self.engine._thread.call(self._compare_memory)
        self.engine.close()

    def _compare_memory(self) -> None:
        for slot in self.engine._scheduler._slots:
            assert len(slot.tokens) == self.engine._context.resident(slot.id)


async def _read(pieces: AsyncIterator[Piece], n_pieces: int) -> None:
    async for _ in pieces:
        n_pieces -= 1
        if not n_pieces:
            break
    await pieces.aclose()  # type: ignore[attr-defined]  # an async generator


def _check_ended(generation: Generation) -> None:
    record = generation.wait(30)
    assert record.finish_reason in ("stop", "length", "cancelled")
    assert "".join(piece.text for piece in generation._pieces) == generation.text
    extra = record.usage.completion_tokens - len(generation.tokens)
    assert extra in (0, 1)
    assert (generation.request.sampling.max_tokens or N_CTX) >= len(generation.tokens)


@pytest.mark.parametrize("unified", [False, True], ids=["partitions", "unified"])
def test_any_order_of_operations_is_safe(unified: bool, tiny: LoadedModel) -> None:
    EngineMachine.loaded, EngineMachine.unified = tiny, unified
    run_machine(
        EngineMachine,
        settings=settings(
            max_examples=30,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
