"""The written grammars accept what a family writes, and nothing that is no call."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llguidance.gbnf_to_lark import gbnf_to_lark

from llamanb.chat_layer.syntax import ToolShape, compose, write_example, write_gbnf, write_lark
from llamanb.chat_layer.syntax.delimiters import text_automaton
from llamanb.chat_layer.syntax.elements import (
    Choice,
    Element,
    Json,
    Literal,
    Repeat,
    Schema,
    Token,
    Until,
    optional,
    sequence,
)
from llamanb.chat_layer.syntax.example_values import json_value
from llamanb.errors import GrammarError
from tests.chat_layer.syntax.cases import (
    BY_NAME,
    PLACE,
    TOOLS,
    WISHES,
    ByteVocabulary,
    LarkReader,
    described,
    randomness,
)
from tests.chat_layer.syntax.gbnf_reader import GbnfReader

LARK = {
    (name, wish): LarkReader(write_lark(described(name, wish).output, {}))
    for name in BY_NAME
    for wish in range(len(WISHES))
}
GBNF = {
    (name, wish): GbnfReader(write_gbnf(described(name, wish).output))
    for name in BY_NAME
    for wish in range(len(WISHES))
}
SEEDS = st.integers(0, 1 << 32)
WISH_NUMBERS = st.integers(0, len(WISHES) - 1)


@pytest.mark.parametrize("name", BY_NAME)
@settings(deadline=None, max_examples=15)
@given(wish=WISH_NUMBERS, seed=SEEDS)
def test_both_grammars_accept_every_example(name: str, wish: int, seed: int) -> None:
    text = write_example(described(name, wish), randomness(seed)).text
    assert LARK[name, wish].accepts(text)
    assert GBNF[name, wish].accepts(text)


@pytest.mark.parametrize("name", BY_NAME)
@settings(deadline=None, max_examples=15)
@given(seed=SEEDS)
def test_llguidance_reads_the_gbnf_too(name: str, seed: int) -> None:
    description = described(name, 2)
    converted = gbnf_to_lark(write_gbnf(description.output))
    text = write_example(description, randomness(seed)).text
    assert LarkReader(converted).accepts(text)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_required_call_is_enforced(name: str) -> None:
    for reader in (LARK[name, 2], GBNF[name, 2]):
        assert not reader.accepts("I would rather not.")
        assert not reader.accepts("")


@pytest.mark.parametrize("name", BY_NAME)
@settings(deadline=None, max_examples=15)
@given(seed=SEEDS)
def test_a_named_tool_is_the_only_one(name: str, seed: int) -> None:
    other = compose(BY_NAME[name], TOOLS, tool_choice="free", parallel=False)
    text = write_example(other, randomness(seed)).text
    assert not LARK[name, 3].accepts(text)
    assert not GBNF[name, 3].accepts(text)


HERMES_CALL = '<tool_call>\n{"name": "get", "arguments": {}}\n</tool_call>'


@pytest.mark.parametrize(
    ("text", "is_accepted"),
    [
        pytest.param(HERMES_CALL, True, id="one-call"),
        pytest.param(f"{HERMES_CALL}\n{HERMES_CALL}", True, id="two-calls"),
        pytest.param(f"<think>\nhm\n</think>\n\n{HERMES_CALL}", True, id="thinking-first"),
        pytest.param(HERMES_CALL.replace("get", "gone"), False, id="unknown-tool"),
        pytest.param(HERMES_CALL.replace("{}", '{"a": 1}'), False, id="unknown-argument"),
        pytest.param(HERMES_CALL[:-1], False, id="cut"),
        pytest.param(HERMES_CALL + "!", False, id="text-after"),
    ],
)
def test_hermes_calls(text: str, *, is_accepted: bool) -> None:
    assert LARK["hermes", 2].accepts(text) == is_accepted
    assert GBNF["hermes", 2].accepts(text) == is_accepted


def test_only_one_call_without_parallel() -> None:
    description = compose(BY_NAME["hermes"], TOOLS, tool_choice="required", parallel=False)
    two = f"{HERMES_CALL}\n{HERMES_CALL}"
    assert not LarkReader(write_lark(description.output, {})).accepts(two)
    assert not GbnfReader(write_gbnf(description.output)).accepts(two)


def test_special_tokens_are_written_bare_or_by_number() -> None:
    element = sequence(Token("<a>"), Token("[B]"), Token("<c>"), Literal("x"))
    assert write_lark(element) == 'start: <a> "[B]" <c> "x"'
    assert write_lark(element, {"<a>": 7, "[B]": 8}) == 'start: <a> <[8]> "<c>" "x"'


def test_special_tokens_must_be_tokens() -> None:
    specials = ("<tool_call>", "</tool_call>", "[TOOL_CALLS]")
    vocabulary = ByteVocabulary(specials)
    reader = LarkReader(write_lark(described("hermes").output, vocabulary.ids), vocabulary)
    assert reader.accepts(f"Well.\n{HERMES_CALL}")
    named = LarkReader(write_lark(described("mistral").output, vocabulary.ids), vocabulary)
    assert named.accepts("[TOOL_CALLS]get[ARGS]{}")


def test_the_lark_grammar_is_readable() -> None:
    tool = ToolShape(name="now", parameters={"type": "object", "properties": {}})
    description = compose(BY_NAME["hermes"], [tool], parallel=False)
    assert write_lark(description.output).splitlines() == [
        'start: (<think> TEXT </think> ("\\n"){0,2})? (text_call | TEXT)',
        (
            'text_call: TEXT <tool_call> "\\n{\\"name\\": \\"now\\", \\"arguments\\": " %json '
            '{"type": "object", "properties": {}, "additionalProperties": false} "}" ("\\n" | "") </tool_call>'
        ),
        "TEXT: /(?s:.*)/",
    ]


def test_text_that_has_no_end_cannot_be_followed() -> None:
    with pytest.raises(ValueError, match="followed"):
        write_lark(sequence(Until(("<a>",)), Literal("b")))
    with pytest.raises(ValueError, match="followed"):
        write_lark(sequence(Until(("<a>",)), Json()))


DELIMITERS = ("</a>", "<b>", "aab")


@given(text=st.text("<>/ab é", max_size=30))
def test_the_automaton_finds_the_first_delimiter(text: str) -> None:
    states, state, found = text_automaton(DELIMITERS), 0, ""
    for character in text:
        named = [step for step in states[state] if not step.is_other]
        step = next((one for one in named if character in one.characters), states[state][0])
        found = step.found
        if step.target is None:
            break
        state = step.target
    assert bool(found) == any(one in text for one in DELIMITERS)


@given(text=st.text("</a>\nx", max_size=20))
def test_text_until_a_delimiter_holds_anything_else(text: str) -> None:
    element = sequence(Until(("\n</a>\n",)), Literal("\n</a>\n"))
    whole = text + "\n</a>\n"
    is_first = whole.find("\n</a>\n") == len(text)
    assert GbnfReader(write_gbnf(element)).accepts(whole) == is_first
    assert LarkReader(write_lark(element)).accepts(whole) == is_first


COMBINED: list[Element] = [
    sequence(Until(("<a>",)), Repeat(sequence(Literal("<a>"), Literal("b")), 1, 3)),
    sequence(Until(("<a>", "<b>")), Choice((Literal("<a>x"), Literal("<b>y")))),
    sequence(Until(("<a>",)), optional(Literal("<a>b"))),
    sequence(Literal('é"\\\n\t'), Repeat(Literal("^-]["), 2, 2), Json()),
]
ACCEPTED = ["1<a>b<a>b", "<<b>y", "<<a>b", 'é"\\\n\t^-][^-][{"a": [1, null]}']


@pytest.mark.parametrize(("element", "text"), list(zip(COMBINED, ACCEPTED, strict=True)))
def test_combinations(element: Element, text: str) -> None:
    for reader in (GbnfReader(write_gbnf(element)), LarkReader(write_lark(element))):
        assert reader.accepts(text)
        assert not reader.accepts(text + "<a>!")


SCHEMAS: dict[str, Any] = {
    "object": {**PLACE, "additionalProperties": False},
    "any-object": {"type": "object"},
    "no-members": {"type": "object", "properties": {}, "additionalProperties": False},
    "all-optional": {
        "properties": {"a": {"type": "integer"}, "b": {"type": "null"}, "c": {"type": "boolean"}},
        "additionalProperties": False,
    },
    "array": {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 3},
    "empty-array": {"type": "array", "maxItems": 0},
    "string": {"type": "string", "minLength": 2, "maxLength": 4},
    "enum": {"enum": ["a", 'quote"', 1, None, {"x": []}]},
    "union": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
    "types": {"type": ["string", "null"], "minLength": 1},
    "anything": {},
    "tree": {
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "left": {"$ref": "#/$defs/node"},
                    "value": {"type": "integer"},
                },
                "required": ["value"],
                "additionalProperties": False,
            }
        },
        "$ref": "#/$defs/node",
    },
}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
@settings(deadline=None, max_examples=15)
@given(seed=SEEDS)
def test_schemas_accept_their_values(schema: dict[str, Any], seed: int) -> None:
    value = json.dumps(json_value(randomness(seed), schema), ensure_ascii=False)
    assert GbnfReader(write_gbnf(Schema(schema))).accepts(value)
    assert LarkReader(write_lark(Schema(schema))).accepts(value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("object", '{"tags": []}', id="missing"),
        pytest.param("object", '{"lat": 1, "x": 2}', id="additional"),
        pytest.param("no-members", '{"a": 1}', id="no-members"),
        pytest.param("all-optional", '{"a": 1, }', id="comma"),
        pytest.param("array", "[]", id="too-few"),
        pytest.param("array", "[1, 2, 3, 4]", id="too-many"),
        pytest.param("string", '"a"', id="too-short"),
        pytest.param("string", '"abcde"', id="too-long"),
        pytest.param("enum", '"b"', id="enum"),
        pytest.param("types", '""', id="types"),
        pytest.param("tree", '{"left": 1, "value": 1}', id="tree"),
    ],
)
def test_schemas_refuse_other_values(name: str, text: str) -> None:
    assert not GbnfReader(write_gbnf(Schema(SCHEMAS[name]))).accepts(text)
    assert not LarkReader(write_lark(Schema(SCHEMAS[name]))).accepts(text)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        pytest.param({"type": "string", "pattern": "a+"}, "'pattern' cannot", id="pattern"),
        pytest.param({"type": "integer", "minimum": 1}, "'minimum' cannot", id="minimum"),
        pytest.param({"properties": {"a": {"type": "x"}}}, "schema.a: type 'x'", id="type"),
        pytest.param({"$ref": "#/$defs/gone"}, "points to nothing", id="ref"),
        pytest.param({"$ref": "https://x/y"}, "points to nothing", id="outside"),
        pytest.param({"type": "string", "maxLength": 5000}, "from 0 to 2000", id="long"),
        pytest.param({"type": "array", "minItems": 3, "maxItems": 1}, "more than", id="bounds"),
        pytest.param({"allOf": [{}]}, "cannot", id="all-of"),
        pytest.param({"items": False}, "False cannot", id="never"),
    ],
)
def test_schemas_that_gbnf_cannot_say(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(GrammarError, match=message):
        write_gbnf(Schema(schema))


def test_deep_schemas_are_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(80):
        schema = {"type": "object", "properties": {"a": schema}}
    with pytest.raises(GrammarError, match="nested"):
        write_gbnf(Schema(schema))


@pytest.mark.parametrize("name", BY_NAME)
def test_grammars_are_the_same_every_time(name: str) -> None:
    first, second = (compose(BY_NAME[name], TOOLS) for _ in range(2))
    assert write_lark(first.output) == write_lark(second.output)
    assert write_gbnf(first.output) == write_gbnf(second.output)
