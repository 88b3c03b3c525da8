"""JSON that a grammar allows has an end: white space and whole numbers are bounded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llamanb.engine.json_bounds import bounded_lark, bounded_schema
from tests.chat_layer.syntax.cases import LarkReader

SCHEMA = {
    "type": "object",
    "properties": {"days": {"type": "integer"}, "type": {"type": "string"}},
    "required": ["days"],
    "additionalProperties": False,
}


def reader(grammar: str) -> LarkReader:
    return LarkReader(bounded_lark(grammar))


@pytest.mark.parametrize("indent", [None, 1, 4, "\t"])
def test_usual_white_space_is_free(indent: Any) -> None:
    text = json.dumps({"days": 3, "type": "x"}, indent=indent)
    assert reader(f"start: %json {json.dumps(SCHEMA)}").accepts(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"days":' + "\n" * 5 + "3}", id="lines"),
        pytest.param('{"days": ' + "3" * 40 + "}", id="digits"),
        pytest.param('{"days":' + " " * 9 + "3}", id="spaces"),
    ],
)
def test_endless_parts_are_not(text: str) -> None:
    grammar = f"start: %json {json.dumps(SCHEMA)}"
    assert LarkReader(grammar).accepts(text)
    assert not reader(grammar).accepts(text)


def test_limits_that_are_given_are_kept() -> None:
    given = {"type": "integer", "minimum": 1}
    assert bounded_schema(given)["minimum"] == 1
    assert "maximum" not in bounded_schema(given)
    assert bounded_schema({"enum": [{"type": "integer"}]})["enum"] == [{"type": "integer"}]
    own = {"x-guidance": {"whitespace_pattern": " ?"}}
    assert bounded_schema(own)["x-guidance"] == own["x-guidance"]
    assert bounded_schema(True) is True


def test_a_property_may_have_the_name_of_a_keyword() -> None:
    schema = {"properties": {"type": {"type": "integer"}, "enum": {"type": "integer"}}}
    properties = bounded_schema(schema)["properties"]
    assert all("minimum" in one for one in properties.values())


@pytest.mark.parametrize(
    "grammar",
    [
        'start: "%json {}"',
        'start: /a%json {}/ "b"',
        'start: "a" // %json {"type": "integer"}',
        "start: %json {broken",
        "start: TEXT\nTEXT: /(?s:.*)/",
    ],
)
def test_what_is_no_schema_stays_as_it_is(grammar: str) -> None:
    assert bounded_lark(grammar) == grammar


def test_lines_stay_lines() -> None:
    grammar = 'start: a b\na: %json {\n  "type":\n  "integer"\n}\nb: "x"'
    bounded = bounded_lark(grammar)
    assert bounded.count("\n") == grammar.count("\n")
    assert bounded.splitlines()[-1] == 'b: "x"'
    assert '"minimum"' in bounded
