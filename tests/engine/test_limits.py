"""Settings, models and grammars at the edge of what can work: a clear error, never a crash."""

from __future__ import annotations

import dataclasses
import json
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from llamanb import engine
from llamanb.engine import native
from llamanb.engine.context import NativeContext
from llamanb.engine.pace import Pace
from llamanb.errors import GrammarError, ModelLoadError, OptionError
from llamanb.settings import MAX_SEED, Constraint, ContextSettings, WeightSettings
from tests.support import random_gguf
from tests.support.vocabularies import byte_bpe

from .conftest import ask, request, text_of

if TYPE_CHECKING:
    from pathlib import Path

    from llamanb.engine import LoadedModel

    from .conftest import OpenEngine

LONG = 3000


def chain_of_rules(length: int) -> str:
    """Give a Lark grammar whose rules refer to each other in one long row."""
    rules = [f'r{n}: "a" r{n + 1} | "b"' for n in range(length)]
    return "\n".join(["start: r0", *rules, f'r{length}: "z"'])


def chain_of_references(length: int) -> str:
    """Give a JSON Schema whose definitions refer to each other in one long row."""
    definitions: dict[str, Any] = {
        f"d{n}": {
            "type": "object",
            "properties": {"a": {"$ref": f"#/$defs/d{n + 1}"}},
            "required": ["a"],
        }
        for n in range(length)
    }
    definitions[f"d{length}"] = {"type": "null"}
    return json.dumps({"$ref": "#/$defs/d0", "$defs": definitions})


# ---- models that cannot do it ------------------------------------------------------------


def test_an_embedding_model_is_not_opened_for_text(
    load: Any, embedding_gguf: Path, open_engine: OpenEngine
) -> None:
    with pytest.raises(ModelLoadError, match=r"cannot generate text.*embed\(\)"):
        open_engine(load(embedding_gguf), n_ctx=64)


def test_an_encoder_decoder_is_not_opened_for_text(tiny_gguf: Path) -> None:
    loaded = engine.load_weights(str(tiny_gguf), WeightSettings())
    loaded.info = dataclasses.replace(loaded.info, has_encoder=True, architecture="t5")
    with pytest.raises(ModelLoadError, match=r"encoder-decoder model \(t5\)"):
        engine.open_engine(loaded, ContextSettings(n_ctx=64, n_threads=1))
    loaded.close()


def test_a_file_without_vocabulary_is_refused_and_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = dataclasses.replace(random_gguf.RECIPES["tiny"], vocabulary=no_vocabulary)
    path = tmp_path / "mute.gguf"
    random_gguf.write_model(path, recipe, name="mute")
    api, freed = native.library().api, threading.Event()
    free = api.llama_model_free

    def note(pointer: object) -> None:
        freed.set()
        free(pointer)

    monkeypatch.setattr(api, "llama_model_free", note)
    with pytest.raises(ModelLoadError, match="no vocabulary"):
        engine.load_weights(str(path), WeightSettings())
    assert freed.is_set()


def no_vocabulary() -> Any:
    """Give a vocabulary that llama.cpp takes for none at all."""
    return dataclasses.replace(byte_bpe(), model="none")


@pytest.mark.parametrize("pooling", ["rank", "none"])
def test_a_pooling_without_vectors_is_refused(
    pooling: Any, load: Any, embedding_gguf: Path
) -> None:
    with pytest.raises(OptionError, match=f"pooling='{pooling}' gives no vector"):
        engine.open_embedding_engine(load(embedding_gguf), ContextSettings(pooling=pooling))


# ---- sizes -------------------------------------------------------------------------------


def test_more_tokens_than_llama_cpp_can_count_are_refused(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    with pytest.raises(ModelLoadError, match=r"more than llama\.cpp can count"):
        open_engine(tiny, n_ctx=1 << 24, n_seq_max=256)


def test_more_sequences_than_a_batch_has_rows_all_go_on(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    crowded = open_engine(tiny, n_ctx=64, n_seq_max=16, n_batch=8, n_ubatch=8)
    generations = [crowded.submit(request([n + 1], max_tokens=20)) for n in range(16)]
    assert {generation.wait(30).finish_reason for generation in generations} == {"length"}


def test_a_context_that_cannot_be_equipped_is_given_back(
    tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    freed: list[object] = []
    free = tiny.native.api.llama_free

    def count(pointer: object) -> None:
        freed.append(pointer)
        free(pointer)

    monkeypatch.setattr(tiny.native.api, "llama_free", count)

    def fail(self: NativeContext) -> None:
        raise MemoryError

    monkeypatch.setattr(NativeContext, "_bind_short_calls", fail)
    with pytest.raises(MemoryError):
        engine.open_engine(tiny, ContextSettings(n_ctx=64, n_threads=1))
    assert len(freed) == 1


def test_an_old_error_is_not_blamed_on_a_new_context(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    from llamanb.engine.compute import compute_thread

    compute_thread().call(lambda: native._on_native_log(4, b"from an earlier decode", None))
    with pytest.raises(ModelLoadError) as caught:
        open_engine(tiny, type_v="q4_0", flash_attn="off")
    assert "earlier" not in str(caught.value)


# ---- sampling ----------------------------------------------------------------------------


def test_the_largest_seed_repeats_too(tiny: LoadedModel, open_engine: OpenEngine) -> None:
    opened = open_engine(tiny)
    twice = [opened.submit(request([1, 2], temperature=1.0, seed=MAX_SEED)) for _ in range(2)]
    assert text_of(twice[0]) == text_of(twice[1])


def test_a_temperature_next_to_zero_is_greedy(tiny: LoadedModel, open_engine: OpenEngine) -> None:
    opened = open_engine(tiny)
    cold = opened.submit(request([1, 2, 3], temperature=1e-40))
    assert text_of(cold) == text_of(opened.submit(request([1, 2, 3])))


@pytest.mark.parametrize(
    ("token", "bias", "words"),
    [
        pytest.param(5, float("inf"), "too large", id="infinite"),
        pytest.param(5, 1e300, "too large", id="beyond 32 bits"),
        pytest.param(10**6, 1.0, "not in the vocabulary", id="no such token"),
    ],
)
def test_an_impossible_logit_bias_is_refused_at_once(
    token: int, bias: float, words: str, tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    with pytest.raises(OptionError, match=words):
        open_engine(tiny).submit(request([1], logit_bias={token: bias}))


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_forbidding_every_token_is_named_as_what_it_is(
    temperature: float, tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    nothing = dict.fromkeys(range(tiny.vocabulary.n_tokens), float("-inf"))
    generation = open_engine(tiny).submit(request([1], logit_bias=nothing, temperature=temperature))
    assert "every token is forbidden" in (generation.wait(30).error or "")


@pytest.mark.parametrize("options", [{"temperature": 1.0}, {"temperature": 1.0, "top_k": 0}])
def test_a_model_that_breaks_down_half_way_is_an_error(
    options: dict[str, Any], tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    opened = open_engine(tiny)
    logits, count = opened._context.logits, 0

    def poisoned(row: int) -> Any:
        nonlocal count
        count += 1
        view = logits(row)
        assert view is not None
        if count == 3:
            view[7] = np.nan
        return view

    opened._context.logits = poisoned  # type: ignore[method-assign]  # fault injection
    generation = opened.submit(request([1, 2], **options))
    assert generation.wait(30).error_type == "NumericalError"
    assert len(generation.tokens) == 2


def test_a_bug_while_choosing_ends_that_request_only(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    opened = open_engine(tiny)
    other = opened.submit(request([1, 2], max_tokens=None))
    bad = opened.submit(request([3], constraint=Constraint(kind="regex", source="a+")))
    (run,) = [r for r in _runs(opened) if r.generation is bad]
    run.constraint.choose = None  # fault injection
    assert bad.wait(30).finish_reason == "error"
    assert not other.done
    other.cancel()


def _runs(opened: engine.Engine) -> list[Any]:
    scheduler = opened._scheduler
    return [*scheduler._waiting, *(slot.run for slot in scheduler._slots if slot.run)]


# ---- grammars ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        pytest.param("lark", chain_of_rules(LONG), id="rules"),
        pytest.param("json_schema", chain_of_references(LONG), id="references"),
    ],
)
def test_a_long_chain_does_not_overflow_the_stack(
    kind: Any,
    source: str,
    tiny: LoadedModel,
    open_engine: OpenEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("llamanb.engine.constraint.COMPILE_TIMEOUT_S", 30.0)
    constraint = Constraint(kind=kind, source=source)
    generation = open_engine(tiny).submit(request([1], constraint=constraint, max_tokens=3))
    assert generation.wait(30).finish_reason in ("stop", "length")


def test_a_long_gbnf_is_refused_before_its_slow_conversion(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    long = Constraint(kind="gbnf", source="root ::= " + '"a" ' * 200_000)
    with pytest.raises(GrammarError, match="larger than 64 KiB"):
        open_engine(tiny).submit(request([1], constraint=long))


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        pytest.param("lark", chain_of_rules(20_000), id="many rules"),
        pytest.param("regex", "((a{100}){100}){100}", id="a costly first mask"),
    ],
)
def test_a_grammar_that_compiles_too_long_is_given_up(
    kind: Any,
    source: str,
    tiny: LoadedModel,
    open_engine: OpenEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = open_engine(tiny)
    monkeypatch.setattr("llamanb.engine.constraint.COMPILE_TIMEOUT_S", 0.05)
    slow = Constraint(kind=kind, source=source)
    with pytest.raises(GrammarError, match=r"takes longer than 0\.05 s"):
        opened.submit(request([1], constraint=slow))
    monkeypatch.undo()
    simple = Constraint(kind="regex", source="yes|no")
    assert text_of(opened.submit(request([1], constraint=simple))) in ("yes", "no")


def test_a_chat_models_end_of_turn_ends_a_constrained_answer(
    demo: LoadedModel, open_engine: OpenEngine
) -> None:
    (other_end, *_) = sorted(demo.vocabulary.eog - {demo.vocabulary.eos})
    words = Constraint(kind="regex", source="[a-z ]*")
    liking = {"logit_bias": {other_end: 1000.0}}
    generation = open_engine(demo).submit(ask("Hello", demo, constraint=words, **liking))
    assert generation.wait(30).finish_reason == "stop"
    assert generation.text == ""


# ---- pace --------------------------------------------------------------------------------


def steps(pace: Pace, tokens_per_s: float, fixed_s: float, beside: int = 0) -> list[float]:
    """Simulate reading 2,000 prompt tokens; give the seconds of every step."""
    seconds, left = [], 2000
    while left > 0:
        taken = min(left, pace.budget(beside, 2048))
        left -= taken
        seconds.append(fixed_s + taken / tokens_per_s)
        pace.learn(taken, 0, seconds[-1])
    return seconds


@pytest.mark.parametrize("tokens_per_s", [20.0, 100.0, 1000.0, 10_000.0])
def test_steps_of_a_lone_prompt_stay_near_a_second(tokens_per_s: float) -> None:
    assert max(steps(Pace(), tokens_per_s, 0.05)[2:]) < 2.5


def test_a_very_slow_model_is_noticed_after_one_chunk() -> None:
    seconds = steps(Pace(), 5.0, 0.2)
    assert seconds[0] < 7
    assert max(seconds[1:]) < 2.5


def test_steps_beside_a_stream_stay_short() -> None:
    assert max(steps(Pace(), 200.0, 0.02, beside=1)[1:]) < 0.4


def test_a_costly_step_does_not_trap_the_chunks_at_their_smallest() -> None:
    pace = Pace()
    pace.learn(0, 1, 0.5)  # reading the weights takes half a second
    assert len(steps(pace, 2000.0, 0.5)) < 20


def test_where_decodes_cannot_be_interrupted_steps_are_short() -> None:
    assert max(steps(Pace(interruptible=False), 200.0, 0.02)[1:]) < 0.4


def test_without_strlen_the_engine_works_in_short_steps(
    tiny: LoadedModel, open_engine: OpenEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    opened = open_engine(tiny)
    assert not opened._context.can_be_interrupted
    assert opened.submit(request([1, 2, 3], max_tokens=3)).wait(30).finish_reason == "length"
