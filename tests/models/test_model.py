"""A real model through its front door: text, streams, batches, tokens, vectors."""

from __future__ import annotations

import inspect
import pickle
import re
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from llamanb.errors import (
    ContextLengthError,
    GrammarError,
    ModelClosedError,
    OptionError,
)
from llamanb.models import Completion, Model

if TYPE_CHECKING:
    from pathlib import Path

    from llamanb.models import ModelManager

SKY = (
    "<|im_start|>user\nWhy is the sky blue?<|im_end|>\n"
    "<|im_start|>assistant\n<think>\n\n</think>\n\n"
)
GREEDY: Any = {"temperature": 0, "max_tokens": 40}


def test_completion_is_text_with_facts(demo: Model) -> None:
    answer = demo.generate(SKY, **GREEDY)
    assert isinstance(answer, str)
    assert "blue" in answer
    assert answer.finish_reason == "stop"
    assert answer.usage.completion_tokens >= len(answer.tokens) > 5
    assert answer.usage.prompt_tokens == len(demo.tokenize(SKY, parse_special=True))
    assert answer.timings.total_s > 0
    assert demo.last_completion is answer


def test_completion_survives_pickling(demo: Model) -> None:
    answer = demo.generate(SKY, **GREEDY)
    copied = pickle.loads(pickle.dumps(answer))  # noqa: S301  # our own bytes
    assert (copied, copied.seed, copied.usage) == (answer, answer.seed, answer.usage)


def test_seed_is_reported_and_repeats_the_text(demo: Model) -> None:
    first = demo.generate(SKY, temperature=1.5, max_tokens=20)
    again = demo.generate(SKY, temperature=1.5, max_tokens=20, seed=first.seed)
    assert first == again


def test_stream_joins_to_the_completion(demo: Model) -> None:
    stream = demo.stream(SKY, **GREEDY)
    pieces = list(stream)
    assert len(pieces) > 3
    assert "".join(pieces) == stream.completion == demo.generate(SKY, **GREEDY)


def test_closed_stream_cancels_and_keeps_the_text(demo: Model) -> None:
    with demo.stream("a", max_tokens=200, ignore_eos=True) as stream:
        first = next(stream)
    record = stream._generation.wait(10)
    assert record.finish_reason == "cancelled"
    assert stream.completion.startswith(first)
    assert next(stream, None) is None
    stream.close()


def test_ids_are_a_prompt_too(demo: Model) -> None:
    ids = demo.tokenize(SKY, parse_special=True)
    assert demo.generate(ids, **GREEDY) == demo.generate(SKY, **GREEDY)


@pytest.mark.anyio
async def test_async_forms_give_the_same_text(demo: Model, anyio_backend_name: str) -> None:
    assert anyio_backend_name == "asyncio"
    answer = await demo.agenerate(SKY, **GREEDY)
    async with demo.astream(SKY, **GREEDY) as stream:
        pieces = [piece async for piece in stream]
    assert "".join(pieces) == answer == stream.completion


@pytest.fixture
def anyio_backend() -> str:
    """Run the async tests on asyncio only."""
    return "asyncio"


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        pytest.param({"grammar": 'start: "yes" | "no"'}, r"yes|no", id="lark"),
        pytest.param({"grammar": 'root ::= "yes" | "no"'}, r"yes|no", id="gbnf"),
        pytest.param({"regex": r"[0-9]{3}"}, r"[0-9]{3}", id="regex"),
        pytest.param({"json_schema": {"const": 7}}, r"7", id="schema"),
        pytest.param({"json_schema": '{"enum": ["a"]}'}, r'"a"', id="schema text"),
    ],
)
def test_constraint_is_obeyed(demo: Model, options: dict[str, object], pattern: str) -> None:
    answer = demo.generate(SKY, max_tokens=12, **options)
    assert re.fullmatch(pattern, answer)


def test_one_of_the_choices_is_written(demo: Model) -> None:
    choices = ['say "hi"\n', "new\\line", "été 🙂"]
    assert {demo.generate("x", choices=choices, temperature=2, seed=n) for n in range(20)} <= set(
        choices
    )


def test_a_trigger_starts_the_grammar_in_the_middle(demo: Model) -> None:
    answer = demo.generate(
        SKY, grammar='root ::= "blue " ("cat" | "dog")', trigger_patterns=["blue"], temperature=0
    )
    assert answer in ("The sky is blue cat", "The sky is blue dog")


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        pytest.param({"temperatur": 1}, OptionError, "temperatur", id="unknown"),
        pytest.param({"temperature": -1}, OptionError, "temperature=-1", id="range"),
        pytest.param({"regex": "a", "grammar": "b"}, OptionError, "only one", id="two"),
        pytest.param({"grammar": 7}, OptionError, "grammar=", id="grammar type"),
        pytest.param({"grammar": "start: ("}, GrammarError, ".", id="bad grammar"),
        pytest.param({"json_schema": "{"}, GrammarError, "not JSON", id="bad schema"),
        pytest.param({"json_schema": {1, 2}}, GrammarError, "not JSON", id="a set"),
        pytest.param({"trigger_tokens": [1]}, OptionError, "needs a grammar", id="trigger"),
        pytest.param(
            {"regex": "a", "trigger_patterns": "("}, GrammarError, "trigger pattern", id="pattern"
        ),
        pytest.param({"choices": "ab"}, OptionError, "list of texts", id="choices"),
        pytest.param({"choices": []}, OptionError, "list of texts", id="no choices"),
    ],
)
def test_impossible_request_is_refused_before_it_starts(
    demo: Model, options: dict[str, object], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        demo.generate("hello", **options)
    assert not demo.busy


def test_help_shows_the_options() -> None:
    parameters = inspect.signature(Model.generate).parameters
    assert parameters["max_tokens"].default == 256
    assert "json_schema" in parameters


def test_impossible_prompts_are_refused(demo: Model) -> None:
    with pytest.raises(OptionError, match="not int"):
        demo.generate(7)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(OptionError, match="not in the vocabulary"):
        demo.generate([10**9])
    with pytest.raises(ContextLengthError, match="holds 256"):
        demo.generate("word " * 2000)
    assert not demo.busy


# ---- batches -------------------------------------------------------------------------------


def test_batch_gives_results_in_order(demo: Model) -> None:
    prompts = [SKY, "one", SKY, "two", SKY] * 4
    answers = demo.generate_batch(prompts, progress=False, **GREEDY)
    assert len(answers) == 20
    assert answers[0] == answers[2] == demo.generate(SKY, **GREEDY)


def test_batch_error_says_which_prompt(demo: Model) -> None:
    with pytest.raises(ContextLengthError) as caught:
        demo.generate_batch(["a", "word " * 2000, "b"], progress=False, max_tokens=2)
    assert any("prompts[1]" in note for note in caught.value.__notes__)
    assert not demo.busy


def test_batch_can_return_errors_in_their_place(demo: Model) -> None:
    answers = demo.generate_batch(
        ["a", "word " * 2000, "b"], errors="return", progress=False, max_tokens=2
    )
    assert [type(answer) for answer in answers] == [Completion, ContextLengthError, Completion]


def test_batch_refuses_an_unknown_rule(demo: Model) -> None:
    with pytest.raises(OptionError, match="errors='ignore'"):
        demo.generate_batch(["a"], errors="ignore")  # type: ignore[arg-type]  # wrong on purpose


def test_empty_batch_is_empty(demo: Model) -> None:
    assert demo.generate_batch([], progress=False) == []


# ---- tokens --------------------------------------------------------------------------------


def test_tokens_round_trip(demo: Model) -> None:
    ids = demo.tokenize("The sky is blue.")
    assert demo.detokenize(ids) == "The sky is blue."
    assert "".join(map(demo.token_to_piece, ids)) == "The sky is blue."
    assert demo.count_tokens("The sky is blue.") == len(ids)


def test_template_renders_messages_and_counts_them(demo: Model) -> None:
    messages = [{"role": "user", "content": "Why is the sky blue?"}]
    assert demo.apply_template(messages) == SKY
    assert demo.count_tokens(messages) == len(demo.tokenize(SKY, parse_special=True))


def test_own_template_replaces_the_files(real: ModelManager) -> None:
    model = real.load("demo", n_ctx=64, n_seq_max=1, n_threads=1, chat_template="Hi")
    assert model.chat_template == "Hi"
    assert model.apply_template([{"role": "user", "content": "x"}]) == "Hi"


def test_model_without_template_says_so(real: ModelManager) -> None:
    model = real.load("demo-embed", n_threads=1)
    with pytest.raises(OptionError, match="has no chat template"):
        model.apply_template([{"role": "user", "content": "x"}])


def test_facts_about_the_model(demo: Model, demo_path: Path) -> None:
    assert demo.path == str(demo_path)
    assert demo.info.n_vocab == 2304
    assert demo.metadata["general.architecture"] == "qwen3"
    assert demo.n_ctx == 256
    assert demo.is_toy
    assert "toy" in repr(demo)
    assert "toy" in demo._repr_html_()
    assert demo.perf()["n_seq_max"] == 2


# ---- vectors -------------------------------------------------------------------------------


def test_texts_become_unit_vectors(real: ModelManager) -> None:
    model = real.load("demo-embed", n_threads=1)
    one, several = model.embed("a cat"), model.embed(["a cat", "the moon"])
    assert one.shape == (model.info.n_embd,)
    assert several.shape == (2, model.info.n_embd)
    assert several.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(several, axis=1), 1, rtol=1e-4)
    np.testing.assert_allclose(one, several[0], rtol=1e-3, atol=1e-5)


def test_no_texts_give_no_rows(real: ModelManager) -> None:
    model = real.load("demo-embed", n_threads=1)
    assert model.embed([]).shape == (0, model.info.n_embd)


def test_long_text_is_cut_or_refused(real: ModelManager) -> None:
    model = real.load("demo-embed", n_ctx=32, n_threads=1)
    assert np.isfinite(model.embed("cat " * 500)).all()
    with pytest.raises(ContextLengthError, match=r"texts\[1\]"):
        model.embed(["a", "cat " * 500], truncate=False)


def test_impossible_texts_are_named(real: ModelManager) -> None:
    model = real.load("demo-embed", n_threads=1)
    with pytest.raises(OptionError, match=r"texts\[1\] must be a str, not int"):
        model.embed(["a", 3])  # type: ignore[list-item]  # wrong on purpose
    with pytest.raises(OptionError, match="input_type='passage'"):
        model.embed("a", input_type="passage")  # type: ignore[arg-type]  # wrong on purpose


def test_writer_embeds_and_embedder_does_not_write(demo: Model, real: ModelManager) -> None:
    assert demo.embed("a cat").shape == (demo.info.n_embd,)
    with pytest.raises(OptionError, match="is an embedding model"):
        real.load("demo-embed", n_threads=1).generate("a")


# ---- life ----------------------------------------------------------------------------------


def test_evicted_model_answers_after_loading_again(demo: Model, real: ModelManager) -> None:
    before = demo.generate(SKY, **GREEDY)
    assert real.evict("demo")
    assert demo.state == "evicted"
    assert demo.info.n_vocab == 2304
    assert demo.generate(SKY, **GREEDY) == before
    assert demo.state == "idle"


def test_tokens_of_an_evicted_model(demo: Model, real: ModelManager) -> None:
    ids = demo.tokenize("hello")
    real.evict("demo")
    assert demo.tokenize("hello") == ids


def test_closed_model_says_how_to_load_it_again(demo: Model) -> None:
    demo.close()
    with pytest.raises(ModelClosedError, match=r"llamanb\.load"):
        demo.generate("a")
    with pytest.raises(ModelClosedError):
        demo.tokenize("a")


def test_forced_unload_ends_a_running_stream(demo: Model) -> None:
    stream = demo.stream("a", max_tokens=250, ignore_eos=True)
    next(stream)
    demo.unload(force=True)
    assert stream._generation.wait(10).finish_reason in ("cancelled", "error", "length")


def test_requests_of_many_threads_equal_lone_ones(demo: Model) -> None:
    alone = demo.generate(SKY, **GREEDY)
    answers: list[Completion] = []
    threads = [
        threading.Thread(target=lambda: answers.append(demo.generate(SKY, **GREEDY)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == [alone] * 8
    assert not demo.busy
