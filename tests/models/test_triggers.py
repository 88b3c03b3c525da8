"""When a constraint begins, given as users give it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from llamanb.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from llamanb.models import Model, ModelManager

GRAMMAR = 'start: "a"'


def test_a_control_token_is_waited_for_by_its_id_and_shows(demo: Model) -> None:
    request = demo.request("x", grammar=GRAMMAR, trigger_tokens=["<|im_end|>"])
    end = demo.tokenize("<|im_end|>", add_special=False, parse_special=True)
    assert request.constraint.trigger.tokens == frozenset(end)  # type: ignore[union-attr]  # given above
    assert request.preserved_tokens == frozenset(end)


def test_a_text_of_several_tokens_is_watched_for(demo: Model) -> None:
    request = demo.request("x", grammar=GRAMMAR, trigger_tokens=["the (sky", 5])
    trigger = request.constraint.trigger  # type: ignore[union-attr]  # given above
    assert trigger.patterns == (r"the\ \(sky",)  # type: ignore[union-attr]  # given above
    assert trigger.tokens == frozenset({5})  # type: ignore[union-attr]  # given above


def test_such_a_text_starts_the_grammar(demo: Model) -> None:
    prompt = demo.chat_build([{"role": "user", "content": "Why is the sky blue?"}])
    answer = demo.generate(
        prompt, grammar='start: "sky is " ("red" | "green")', trigger_tokens="sky", temperature=0
    )
    assert answer in {"The sky is red", "The sky is green"}


def test_control_tokens_inside_a_preserved_text_show(demo: Model) -> None:
    request = demo.request("x", preserved_tokens=["so <|im_end|>", 3])
    end = demo.tokenize("<|im_end|>", add_special=False, parse_special=True)
    assert request.preserved_tokens == frozenset({3, *end})


def test_empty_triggers_are_none(demo: Model) -> None:
    request = demo.request("x", grammar=GRAMMAR, trigger_tokens=(), trigger_patterns=[])
    assert request.constraint is not None
    assert request.constraint.trigger is None


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param({"trigger_tokens": [""]}, "a text is empty", id="empty token"),
        pytest.param({"trigger_patterns": [""]}, "trigger_patterns=", id="empty pattern"),
        pytest.param({"trigger_tokens": 5}, "token ids or texts", id="number"),
        pytest.param({"trigger_patterns": [5]}, "give texts", id="pattern"),
        pytest.param({"preserved_tokens": 5}, "token ids or texts", id="preserved"),
    ],
)
def test_an_impossible_trigger_is_named(demo: Model, options: dict[str, Any], told: str) -> None:
    with pytest.raises(OptionError, match=told):
        demo.generate("x", grammar=GRAMMAR, **options)


@pytest.mark.parametrize("name", ["tiny", "tiny-llama"])
def test_a_grammar_begins_at_its_first_character(
    real: ModelManager, tiny_variants: Mapping[str, Path], name: str
) -> None:
    """SentencePiece puts a space before a text; a grammar's text is in the middle of one."""
    model = real.load(tiny_variants[name], n_ctx=256, n_threads=1)
    schema = {"const": {"a": 1}}
    answer = model.generate("x", json_schema=schema, max_tokens=200)
    assert answer.startswith("{")
    assert json.loads(answer) == {"a": 1}
    assert model.generate("x", choices=["zebra", "<yes>"], max_tokens=9) in {"zebra", "<yes>"}
