"""Constraints that begin in the middle of an answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from llamanb.engine.triggers import TriggerWatch
from llamanb.errors import GrammarError, OptionError
from llamanb.settings import Constraint, Trigger

from .conftest import ask, text_of

if TYPE_CHECKING:
    from llamanb.engine import LoadedModel

    from .conftest import OpenEngine

SKY = "Why is the sky blue?"


def _triggered(demo: LoadedModel, trigger: Trigger, text: str) -> str | None:
    """Feed a text token by token; give what the constraint would start with."""
    vocabulary = demo.vocabulary
    watch = TriggerWatch(trigger, vocabulary)
    for token in vocabulary.tokenize(text, add_special=False, parse_special=True):
        found = watch.feed(token, vocabulary.token_bytes(token))
        if found is not None:
            return vocabulary.detokenize(found, special=True)
    return None


@pytest.mark.parametrize(
    ("trigger", "text", "begins_with"),
    [
        pytest.param(Trigger(patterns=("call:",)), "I call: f", "call:", id="a word"),
        pytest.param(Trigger(patterns=("all:",)), "I call: f", "all:", id="inside a token"),
        pytest.param(Trigger(patterns=("call",)), "nothing here", None, id="absent"),
        pytest.param(Trigger(patterns=(r"^\s*\{",)), '  {"a"', "  {", id="anchored"),
        pytest.param(Trigger(patterns=(r"^\s*\{",)), 'x {"a"', None, id="anchored elsewhere"),
        pytest.param(Trigger(patterns=(r"call (f|g)",)), "call g now", "g", id="a group"),
        pytest.param(Trigger(patterns=("é🙂",)), "aé🙂b", "é🙂", id="not ASCII"),
        pytest.param(Trigger(patterns=("zzz", "b")), "a b c", "b", id="several patterns"),
        pytest.param(
            Trigger(patterns=("call",), thinking_start="<think>", thinking_ends=("</think>",)),
            "<think>call</think> then call",
            "call",
            id="after thinking",
        ),
        pytest.param(
            Trigger(patterns=("call",), thinking_start="<think>", thinking_ends=("</think>",)),
            "<think>I call and call",
            None,
            id="suspended while thinking",
        ),
        pytest.param(
            Trigger(patterns=("call",), thinking_ends=("</t>",), thinking_open=True),
            "call</t>call",
            "call",
            id="thinking opened by the prompt",
        ),
        pytest.param(
            Trigger(patterns=("<c>",), thinking_ends=("</t>", "<c>"), thinking_open=True),
            "hm<c>f",
            "<c>",
            id="the trigger ends the thinking",
        ),
        pytest.param(
            Trigger(patterns=(r"^\s*\{",), thinking_ends=("</t>",), thinking_open=True),
            "hm {</t>\n{",
            "\n{",
            id="anchored after thinking",
        ),
        pytest.param(
            Trigger(patterns=("<think>",), thinking_start="<think>", thinking_ends=("</think>",)),
            "say <think>",
            "<think>",
            id="a tag in the middle is text",
        ),
    ],
)
def test_the_constraint_begins_at_the_trigger(
    trigger: Trigger, text: str, begins_with: str | None, demo: LoadedModel
) -> None:
    found = _triggered(demo, trigger, text)
    assert (found or "")[: len(begins_with or "")] == (begins_with or "")
    assert (found is None) == (begins_with is None)


def test_a_control_token_triggers_by_its_id(demo: LoadedModel) -> None:
    end = demo.vocabulary.eos
    assert end is not None
    assert _triggered(demo, Trigger(tokens=frozenset({end})), "a <|im_end|>") == "<|im_end|>"


def test_text_before_the_trigger_is_free_and_after_it_constrained(
    demo: LoadedModel, open_engine: OpenEngine
) -> None:
    lazy = Constraint(kind="regex", source="blue (cat|dog)", trigger=Trigger(patterns=("blue",)))
    generation = open_engine(demo).submit(ask(SKY, demo, constraint=lazy))
    assert text_of(generation) in ("The sky is blue cat", "The sky is blue dog")
    assert generation.wait().finish_reason == "stop"


def test_an_answer_without_the_trigger_is_not_touched(
    demo: LoadedModel, open_engine: OpenEngine
) -> None:
    engine = open_engine(demo)
    lazy = Constraint(kind="regex", source="zebra", trigger=Trigger(patterns=("zebra",)))
    assert text_of(engine.submit(ask(SKY, demo, constraint=lazy))) == text_of(
        engine.submit(ask(SKY, demo))
    )


def test_a_trigger_whose_text_does_not_fit_is_passed_over(
    demo: LoadedModel, open_engine: OpenEngine
) -> None:
    engine = open_engine(demo)
    lazy = Constraint(kind="regex", source="b?lue [0-9]", trigger=Trigger(patterns=("sky", "lue")))
    assert text_of(engine.submit(ask(SKY, demo, constraint=lazy)))[:15] == "The sky is blue"


@pytest.mark.parametrize("pattern", ["(", "(?=look)", "a{99999}", "[z-a]", "x" * 10_000])
def test_a_bad_pattern_is_refused_at_once(
    pattern: str, demo: LoadedModel, open_engine: OpenEngine
) -> None:
    lazy = Constraint(kind="regex", source="a", trigger=Trigger(patterns=(pattern,)))
    with pytest.raises(GrammarError, match="trigger pattern"):
        open_engine(demo).submit(ask(SKY, demo, constraint=lazy))


@pytest.mark.parametrize("bad", [{}, {"patterns": ("a",), "thinking_open": True}])
def test_an_impossible_trigger_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="trigger"):
        Trigger(**bad)


def test_watching_a_long_answer_costs_the_same_for_every_token(demo: LoadedModel) -> None:
    def seconds(n_tokens: int) -> float:
        watch = TriggerWatch(Trigger(patterns=("(a+)+$zzz", "never")), demo.vocabulary)
        piece = demo.vocabulary.tokenize("aaaa bbbb ", add_special=False)
        started = time.perf_counter()
        for number in range(n_tokens):
            token = piece[number % len(piece)]
            watch.feed(token, demo.vocabulary.token_bytes(token))
        return time.perf_counter() - started

    short, long = min(seconds(4000) for _ in range(3)), min(seconds(8000) for _ in range(3))
    assert long < 4 * short
