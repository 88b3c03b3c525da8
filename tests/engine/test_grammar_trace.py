"""A text walked through a constraint stops at the very character that does not fit."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llamanb.engine import trace_grammar
from llamanb.errors import GrammarError, OptionError
from llamanb.settings import Constraint, Trigger

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from llamanb.engine import GrammarTrace, LoadedModel, Vocabulary

NUMBERS = 'start: "yes" | "no" /[0-9]{3}/'
ATOMS = st.tuples(
    st.sampled_from(["a", "[ab]", "é", "[^ac]", "🙂"]), st.sampled_from(["", "?", "*"])
)
LETTERS = st.text(st.sampled_from("abcé🙂"), max_size=8)
SCHEMA = {
    "type": "array",
    "items": {"anyOf": [{"type": "boolean"}, {"enum": ["é", "a\n"]}, {"type": "integer"}]},
    "maxItems": 3,
}
VALUES = st.lists(
    st.one_of(st.booleans(), st.sampled_from(["é", "a\n", "b"]), st.integers(-99, 99), st.none()),
    max_size=4,
)


def walk(vocabulary: Vocabulary, kind: Any, source: str, text: str) -> GrammarTrace:
    return trace_grammar(vocabulary, Constraint(kind=kind, source=source), text)


@pytest.fixture(params=["llamanb-demo", "tiny", "tiny-llama"], scope="module")
def vocabulary(
    request: pytest.FixtureRequest, load: Any, demo_path: Path, tiny_variants: Mapping[str, Path]
) -> Vocabulary:
    """Vocabularies that cut the same text in different ways."""
    found: Vocabulary = load(tiny_variants.get(request.param, demo_path)).vocabulary
    return found


@pytest.mark.parametrize(
    ("text", "accepted", "could_end"),
    [
        pytest.param("", 0, False, id="nothing"),
        pytest.param("n", 1, False, id="a beginning"),
        pytest.param("yes", 3, True, id="a whole"),
        pytest.param("yes sir", 3, False, id="too much"),
        pytest.param("no12x", 4, False, id="inside a token"),
        pytest.param("né", 1, False, id="not ASCII"),
        pytest.param("no🙂", 2, False, id="four bytes"),
    ],
)
def test_a_walk_stops_at_the_first_character_that_does_not_fit(
    vocabulary: Vocabulary, text: str, accepted: int, *, could_end: bool
) -> None:
    found = walk(vocabulary, "lark", NUMBERS, text)
    assert (found.accepted, found.could_end) == (accepted, could_end)
    assert b"".join(one.piece for one in found.steps) == text[:accepted].encode()


@settings(max_examples=120, deadline=None)
@given(atoms=st.lists(ATOMS, min_size=1, max_size=5), text=LETTERS)
def test_places_agree_with_python_re(
    vocabulary: Vocabulary, atoms: list[tuple[str, str]], text: str
) -> None:
    found = walk(vocabulary, "regex", "".join(a + q for a, q in atoms), text)
    begun = "".join(f"(?:{a}{q}" for a, q in atoms) + ")?" * len(atoms)
    longest = max(n for n in range(len(text) + 1) if re.fullmatch(begun, text[:n]))
    assert found.accepted == longest
    whole = re.fullmatch("".join(a + q for a, q in atoms), text)
    assert found.could_end == bool(whole)


@settings(max_examples=60, deadline=None)
@given(value=VALUES, is_ascii=st.booleans())
def test_json_is_accepted_as_jsonschema_says(
    vocabulary: Vocabulary, value: list[Any], *, is_ascii: bool
) -> None:
    text = json.dumps(value, ensure_ascii=False) if not is_ascii else json.dumps(value)
    found = walk(vocabulary, "json_schema", json.dumps(SCHEMA), text)
    is_valid = jsonschema.Draft202012Validator(SCHEMA).is_valid(value)
    assert found.could_end <= is_valid
    if not is_ascii or "\\u" not in text:  # an enum's texts are written in one way
        assert found.could_end == is_valid


@settings(max_examples=60, deadline=None)
@given(choices=st.lists(LETTERS.filter(bool), min_size=1, max_size=4), text=LETTERS)
def test_of_choices_the_longest_shared_beginning_fits(
    vocabulary: Vocabulary, choices: list[str], text: str
) -> None:
    source = "start: " + " | ".join(json.dumps(one, ensure_ascii=False) for one in choices)
    found = walk(vocabulary, "lark", source, text)
    begun = [n for n in range(len(text) + 1) if any(c.startswith(text[:n]) for c in choices)]
    assert found.accepted == max(begun)
    assert found.could_end == (text in choices)


def test_line_and_column_count_from_one(demo: LoadedModel) -> None:
    found = walk(demo.vocabulary, "regex", r"ab\ncd\nef", "ab\ncx\n")
    assert (found.accepted, found.line, found.column) == (4, 2, 2)


def test_what_may_come_next_is_listed(demo: LoadedModel) -> None:
    found = walk(demo.vocabulary, "lark", NUMBERS, "no1").next
    assert [piece for _, piece in found.tokens] == [b"%d" % digit for digit in range(10)]
    assert (found.count, found.forced, found.may_end) == (10, "", False)
    first = trace_grammar(
        demo.vocabulary, Constraint(kind="regex", source="(?s:.)+"), "", n_listed=7
    )
    assert len(first.next.tokens) == 7 < first.next.count


def test_what_has_to_come_is_given_as_text(demo: LoadedModel) -> None:
    assert walk(demo.vocabulary, "lark", NUMBERS, "y").next.forced == "es"
    control = walk(demo.vocabulary, "lark", 'start: "a" <|im_start|> "b"', "a")
    assert control.next.forced == "<|im_start|>b"


def test_steps_say_where_there_was_a_choice(demo: LoadedModel) -> None:
    steps = walk(demo.vocabulary, "lark", 'start: "the " /[0-9]/ " end"', "the 7 end").steps
    assert [one.is_forced for one in steps if one.piece == b"7"] == [False]
    assert all(one.is_forced for one in steps if one.piece != b"7")
    assert [one.n_allowed for one in steps if one.piece == b"7"] == [10]


def test_the_name_of_a_control_token_is_token_or_letters(demo: LoadedModel) -> None:
    for source in ("start: <|im_start|>", 'start: "<|im_start|>"'):
        assert walk(demo.vocabulary, "lark", source, "<|im_start|>").could_end


@pytest.mark.parametrize(
    ("text", "begins_at", "accepted"),
    [
        pytest.param("I call: no", 3, 7, id="inside a token"),
        pytest.param("nothing here", None, 12, id="no trigger"),
        pytest.param("all:ab", 0, 6, id="at once"),
        pytest.param("é🙂all:a", 2, 7, id="not ASCII"),
        pytest.param("all1 all:a", 5, 10, id="nearly"),
    ],
)
def test_a_lazy_constraint_begins_at_its_trigger(
    demo: LoadedModel, text: str, begins_at: int | None, accepted: int
) -> None:
    lazy = Constraint(
        kind="lark", source='start: "all:" /[ab]+/', trigger=Trigger(patterns=("all:",))
    )
    found = trace_grammar(demo.vocabulary, lazy, text)
    assert (found.begins_at, found.accepted) == (begins_at, accepted)
    assert found.next.is_free == (begins_at is None)
    free = [one for one in found.steps if one.is_free]
    assert b"".join(one.piece for one in free).decode() == text[:begins_at]


def test_what_the_prompt_began_is_taken_in(demo: LoadedModel) -> None:
    begun = Constraint(kind="lark", source='start: "yes" "no"', begun="yes")
    assert trace_grammar(demo.vocabulary, begun, "no").could_end


@pytest.mark.parametrize(
    ("kind", "source"),
    [("lark", 'start: "a" b'), ("regex", "(?=a)"), ("json_schema", '{"type": "foo"}')],
)
def test_bad_grammars_raise_one_kind_of_error(demo: LoadedModel, kind: Any, source: str) -> None:
    with pytest.raises(GrammarError, match="does not compile"):
        walk(demo.vocabulary, kind, source, "a")


def test_texts_have_bounds(demo: LoadedModel) -> None:
    with pytest.raises(GrammarError, match="at most 65,536"):
        walk(demo.vocabulary, "regex", "a*", "a" * 70_000)
    with pytest.raises(OptionError, match="not valid Unicode"):
        walk(demo.vocabulary, "regex", "a*", "\ud800")
    long = walk(demo.vocabulary, "regex", "[ab]*", "ab" * 20_000)
    assert long.could_end
    assert long.steps[-1].n_allowed is None
