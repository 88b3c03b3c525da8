"""Values in other notations than JSON's: what the grammars let through, and what not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llamanb.chat_layer.syntax import compose, write_example, write_gbnf, write_lark
from llamanb.chat_layer.syntax.elements import Value
from llamanb.chat_layer.syntax.example_values import json_value
from llamanb.chat_layer.syntax.families.python_like import GEMMA_NOTATION, PYTHON_CALL
from llamanb.chat_layer.syntax.value_grammar import value_text
from llamanb.chat_layer.syntax.walk import markers_in
from tests.chat_layer.syntax.cases import BY_NAME, TOOLS, ByteVocabulary, LarkReader, randomness
from tests.chat_layer.syntax.gbnf_reader import GbnfReader

SEEDS = st.integers(0, 1 << 32)
NOTATIONS = {"python": PYTHON_CALL, "gemma": GEMMA_NOTATION}
TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {"left": {"$ref": "#/$defs/node"}, "value": {"type": "integer"}},
            "required": ["value"],
            "additionalProperties": False,
        }
    },
    "properties": {"a": {"$ref": "#/$defs/node"}},
    "required": ["a"],
}
PLACE = {
    "type": "object",
    "properties": {"lat": {"type": "number"}, "tags": {"type": "array", "maxItems": 2}},
    "required": ["lat"],
    "additionalProperties": False,
}


def one(schema: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": schema}, "required": ["a"]}


SCHEMAS: dict[str, dict[str, Any]] = {
    "string": one({"type": "string"}),
    "enum": one({"enum": ["x", "it's", 1, None, True, {"k": [1]}]}),
    "types": one({"type": ["string", "null"]}),
    "union": one({"anyOf": [{"type": "integer"}, {"type": "boolean"}]}),
    "array": one({"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 3}),
    "no-items": one({"type": "array", "maxItems": 0}),
    "object": one(PLACE),
    "anything": one({}),
    "free": {"type": "object"},
    "nothing": {"type": "object", "properties": {}, "additionalProperties": False},
    "all-optional": {"properties": {"a": {"type": "integer"}, "b": {"type": "null"}}},
    "open": {**one({"type": "integer"}), "additionalProperties": {"type": "string"}},
    "tree": TREE,
}


@pytest.mark.parametrize("notation", NOTATIONS.values(), ids=NOTATIONS)
@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
@settings(deadline=None, max_examples=15)
@given(seed=SEEDS)
def test_values_are_accepted(notation: Any, schema: dict[str, Any], seed: int) -> None:
    rng = randomness(seed)
    text = value_text(json_value(rng, schema), notation, rng.choice(notation.quotes))
    element = Value(schema, notation)
    assert LarkReader(write_lark(element, {})).accepts(text)
    assert GbnfReader(write_gbnf(element)).accepts(text)


@pytest.mark.parametrize(
    ("schema", "text", "is_accepted"),
    [
        pytest.param("string", "(a='b')", True, id="string"),
        pytest.param("string", "(a='it's')", True, id="quote-inside"),
        pytest.param("string", "(a='say 'hi'')", True, id="quotes-at-the-end"),
        pytest.param("string", r'(a="\"b\"")', True, id="double-quotes"),
        pytest.param("string", "(a=b)", False, id="no-quotes"),
        pytest.param("string", "(a=1)", False, id="number"),
        pytest.param("string", "()", False, id="missing"),
        pytest.param("string", "(a='b', c=1)", False, id="additional"),
        pytest.param("string", "(a='b',)", False, id="comma"),
        pytest.param("string", "(a='b'", False, id="open"),
        pytest.param("enum", "(a='y')", False, id="enum"),
        pytest.param("enum", "(a={'k': [1]})", True, id="enum-object"),
        pytest.param("types", "(a=None)", True, id="none"),
        pytest.param("union", "(a='1')", False, id="union"),
        pytest.param("array", "(a=[])", False, id="too-few"),
        pytest.param("array", "(a=[1, 2, 3, 4])", False, id="too-many"),
        pytest.param("object", "(a={'lat': 1, 'tags': ['x', {'y': (1)}]})", False, id="tuple"),
        pytest.param("object", "(a={'lat': 1, \"tags\": ['x', {'y': []}]})", True, id="nested"),
        pytest.param("object", "(a={lat: 1})", False, id="bare-key"),
        pytest.param("nothing", "(a=1)", False, id="nothing"),
        pytest.param("all-optional", "(b=None)", True, id="second-only"),
        pytest.param("all-optional", "(b=None, a=1)", False, id="order"),
        pytest.param("open", "(a=1, other='x')", True, id="other"),
        pytest.param("open", "(a=1, other=2)", False, id="other-type"),
        pytest.param("tree", "(a={'left': {'left': 1, 'value': 1}, 'value': 1})", False, id="tree"),
    ],
)
def test_calls_in_pythons_notation(schema: str, text: str, *, is_accepted: bool) -> None:
    element = Value(SCHEMAS[schema], PYTHON_CALL)
    assert LarkReader(write_lark(element, {})).accepts(text) == is_accepted
    assert GbnfReader(write_gbnf(element)).accepts(text) == is_accepted


@pytest.mark.parametrize(
    ("schema", "text", "is_accepted"),
    [
        pytest.param("string", '{a:<|"|>b, "c" {d}\n<|"|>}', True, id="string"),
        pytest.param("string", '{a:"b"}', False, id="other-quotes"),
        pytest.param("object", '{a:{lat:1,tags:[<|"|>x<|"|>]}}', True, id="object"),
        pytest.param("object", "{a:{tags:[],lat:1}}", False, id="order"),
        pytest.param("all-optional", "{a:1,b:None}", True, id="none"),
    ],
)
def test_calls_in_gemmas_notation(schema: str, text: str, *, is_accepted: bool) -> None:
    element = Value(SCHEMAS[schema], GEMMA_NOTATION)
    assert LarkReader(write_lark(element, {})).accepts(text) == is_accepted
    assert GbnfReader(write_gbnf(element)).accepts(text) == is_accepted


def test_limits_of_strings_hold_in_jsons_quotes() -> None:
    reader = LarkReader(write_lark(Value(one({"type": "string", "maxLength": 2}), PYTHON_CALL)))
    assert reader.accepts('(a="xx")')
    assert not reader.accepts('(a="xxx")')
    assert not reader.accepts("(a='xxx')")


def test_limits_of_numbers_hold() -> None:
    schema = one({"type": "integer", "minimum": 5, "maximum": 7})
    for text, is_accepted in (("{a:6}", True), ("{a:8}", False)):
        reader = LarkReader(write_lark(Value(schema, GEMMA_NOTATION)))
        assert reader.accepts(text) == is_accepted


def test_schemas_that_are_too_deep_allow_anything() -> None:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(200):
        schema = {"type": "array", "items": schema}
    text = f"(a={'[' * 200}'x'{']' * 200})"
    assert LarkReader(write_lark(Value(one(schema), PYTHON_CALL))).accepts(text)


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS)
def test_quotes_that_are_special_tokens_must_be_tokens(seed: int) -> None:
    specials = ("<|tool_call>", "<tool_call|>", '<|"|>', "<|channel>", "<channel|>")
    vocabulary = ByteVocabulary(specials)
    description = compose(BY_NAME["gemma-4"], TOOLS, tool_choice="required")
    assert '<|"|>' in set(markers_in(description.output))
    reader = LarkReader(write_lark(description.output, vocabulary.ids), vocabulary)
    example = write_example(description, randomness(seed))
    assert reader.accepts(example.text)
    assert all(isinstance(json.loads(one.arguments), dict) for one in example.message.tool_calls)
