"""What must hold after every step, checked by looking over the engine's shoulder."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from llamanb.errors import EngineError, NumericalError
from llamanb.settings import Constraint

from .conftest import EXACT, request, text_of

if TYPE_CHECKING:
    from llamanb.engine import Engine, LoadedModel
    from llamanb.engine.context import NativeContext

    from .conftest import OpenEngine

SCHEMA = """{"type": "object", "properties": {"n": {"type": "boolean"}},
"required": ["n"], "additionalProperties": false}"""
POSSIBLE = ('{"n":true}', '{"n":false}')
NATIVE_METHODS = ("decode", "logits", "sample", "resident", "truncate", "forget", "copy", "free")


def context_of(engine: Engine) -> NativeContext:
    """Give the native context inside an engine."""
    return engine._context


class Watcher:
    """Checks memory, rows and threads around every decode of one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.context = engine, context_of(engine)
        self.threads: set[str] = set()
        self.largest_batch = 0
        self.row_had_logits: list[bool] = []
        self._logits_flags: list[int] = []
        for name in NATIVE_METHODS:
            self._watch(name)

    def _watch(self, name: str) -> None:
        original = getattr(self.context, name)
        before = getattr(self, f"_before_{name}", None)

        def watched(*arguments: Any) -> Any:
            self.threads.add(threading.current_thread().name)
            if before is not None:
                before(*arguments)
            return original(*arguments)

        setattr(self.context, name, watched)

    def _before_decode(self) -> None:
        batch = self.context.batch
        self.largest_batch = max(self.largest_batch, batch.n_tokens)
        self._logits_flags = list(batch._wants_logits[: batch.n_tokens])
        self.check_memory()

    def _before_logits(self, row: int) -> None:
        self.row_had_logits.append(bool(self._logits_flags[row]))

    def check_memory(self) -> None:
        """Compare what every sequence believes with what memory says."""
        for slot in self.engine._scheduler._slots:
            assert len(slot.tokens) == self.context._position_max(self.context._memory, slot.id) + 1


@pytest.fixture
def watched(tiny: LoadedModel, open_engine: OpenEngine) -> Watcher:
    """Give a busy-to-be engine with a watcher on its context."""
    return Watcher(open_engine(tiny, n_ctx=1024, n_seq_max=3, n_batch=64, n_ubatch=64))


def _work(engine: Engine) -> None:
    prompts = [[n + 1, 5, 6] * (1 + 30 * n) for n in range(5)]
    generations = [engine.submit(request(prompt, max_tokens=30)) for prompt in prompts]
    generations[2].cancel()
    for generation in generations:
        generation.wait(60)


def test_only_the_compute_thread_touches_the_context(watched: Watcher) -> None:
    _work(watched.engine)
    watched.engine.close()
    assert watched.threads == {"llamanb-compute"}


def test_sequences_hold_exactly_what_memory_holds(watched: Watcher) -> None:
    _work(watched.engine)
    watched.engine._thread.call(watched.check_memory)


def test_a_batch_is_never_larger_than_it_may_be(watched: Watcher) -> None:
    _work(watched.engine)
    assert 1 < watched.largest_batch <= watched.context.n_batch == 64


def test_every_sampled_row_had_its_flag_in_this_batch(watched: Watcher) -> None:
    _work(watched.engine)
    assert watched.row_had_logits
    assert all(watched.row_had_logits)


def test_a_constraint_never_accepts_an_unchecked_token(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    constraint = Constraint(kind="json_schema", source=SCHEMA)
    engine = open_engine(tiny)
    for seed in range(20):
        sampling = {"temperature": 2.0, "seed": seed, "max_tokens": 200}
        generation = engine.submit(request([seed], constraint=constraint, **sampling))
        compact = "".join(text_of(generation).split())
        if generation.wait().finish_reason == "stop":
            assert compact in POSSIBLE
        else:
            assert any(text.startswith(compact) for text in POSSIBLE)


@pytest.mark.parametrize("code", [1, 2])
def test_a_decode_that_fails_for_a_while_does_not_change_the_text(
    code: int, tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    engine = open_engine(tiny, n_seq_max=3, **EXACT)
    prompts = [[n + 1, 2, 3] for n in range(3)]
    expected = [text_of(open_engine(tiny, **EXACT).submit(request(prompt))) for prompt in prompts]
    _fail_every_fifth_decode(engine, code)
    generations = [engine.submit(request(prompt)) for prompt in prompts]
    assert [text_of(generation) for generation in generations] == expected


def _fail_every_fifth_decode(engine: Engine, code: int) -> None:
    context, count = context_of(engine), 0
    decode = context.decode

    def failing() -> int:
        nonlocal count
        count += 1
        return code if count % 5 == 0 else decode()

    context.decode = failing  # type: ignore[method-assign]  # fault injection


def test_a_failed_decode_ends_only_the_requests_in_it(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    engine = open_engine(tiny, n_seq_max=1)
    expected = text_of(open_engine(tiny).submit(request([4, 5])))
    context = context_of(engine)
    decode, codes = context.decode, [-3]
    context.decode = lambda: codes.pop() if codes else decode()  # type: ignore[method-assign]  # fault injection
    bad, good = engine.submit(request([1, 2, 3])), engine.submit(request([4, 5]))
    assert bad.wait(30).finish_reason == "error"
    with pytest.raises(EngineError, match="code -3"):
        bad.raise_for_error()
    assert text_of(good) == expected


def test_a_context_without_room_ends_a_lone_request_with_an_error(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    engine = open_engine(tiny)
    context_of(engine).decode = lambda: 1  # type: ignore[method-assign]  # fault injection
    record = engine.submit(request([1, 2, 3])).wait(30)
    assert (record.finish_reason, record.error_type) == ("error", "EngineError")


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_not_numbers_are_an_error_not_text(
    value: float, temperature: float, tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    engine = open_engine(tiny)
    context = context_of(engine)
    logits = context.logits

    def poisoned(row: int) -> Any:
        view = logits(row)
        assert view is not None
        view[:] = value
        return view

    context.logits = poisoned  # type: ignore[method-assign]  # fault injection
    generation = engine.submit(request([1, 2], temperature=temperature))
    assert generation.wait(30).finish_reason == "error"
    with pytest.raises(NumericalError, match="finite"):
        generation.raise_for_error()


def test_a_bug_in_a_step_ends_the_requests_and_the_engine_goes_on(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    engine = open_engine(tiny)
    expected = text_of(engine.submit(request([1, 2, 3])))
    context = context_of(engine)
    decode = context.decode
    broken = [True]

    def buggy() -> int:
        if broken.pop() if broken else False:
            raise ZeroDivisionError("a bug")
        return decode()

    context.decode = buggy  # type: ignore[method-assign]  # fault injection
    assert engine.submit(request([7, 8])).wait(30).error == "a bug"
    assert text_of(engine.submit(request([1, 2, 3]))) == expected


def test_every_sampler_chain_is_freed_once(
    tiny: LoadedModel, open_engine: OpenEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = tiny.native.api
    made: list[int] = []
    freed: list[int] = []
    make, free = api.llama_sampler_chain_init, api.llama_sampler_free

    def counting_make(parameters: Any) -> Any:
        chain = make(parameters)
        made.append(_address(chain))
        return chain

    def counting_free(chain: Any) -> None:
        freed.append(_address(chain))
        free(chain)

    monkeypatch.setattr(api, "llama_sampler_chain_init", counting_make)
    monkeypatch.setattr(api, "llama_sampler_free", counting_free)
    engine = open_engine(tiny, n_seq_max=2)
    generations = [engine.submit(request([n], temperature=1.0, max_tokens=9)) for n in range(6)]
    generations[1].cancel()
    for generation in generations:
        generation.wait(30)
    engine.close()
    assert sorted(made) == sorted(freed)


def _address(chain: Any) -> int:
    import ctypes

    return ctypes.cast(chain, ctypes.c_void_p).value or 0
