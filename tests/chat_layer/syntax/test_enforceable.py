"""What no grammar can keep is left out of a schema; the rest is enforced."""

from __future__ import annotations

import json
from typing import Any

import pytest
from llguidance import LLMatcher, LLTokenizer

from llamanb.chat_layer.syntax import Description, write_lark
from llamanb.chat_layer.syntax.elements import Schema
from llamanb.chat_layer.syntax.enforceable import enforceable

TEXT = {"type": "string"}
CASES = [
    pytest.param(TEXT | {"format": "path"}, TEXT, id="unknown format"),
    pytest.param(TEXT | {"format": "date"}, TEXT | {"format": "date"}, id="known format"),
    pytest.param(TEXT | {"pattern": "(?=a)b"}, TEXT, id="look-ahead"),
    pytest.param(TEXT | {"pattern": r"\bx"}, TEXT, id="word border"),
    pytest.param(TEXT | {"pattern": r"\\b"}, TEXT | {"pattern": r"\\b"}, id="a backslash and b"),
    pytest.param({"items": TEXT, "uniqueItems": True}, {"items": TEXT}, id="unique items"),
    pytest.param({"oneOf": [TEXT]}, {"anyOf": [TEXT]}, id="one of"),
    pytest.param(
        {"oneOf": [TEXT], "anyOf": [{}]},
        {"anyOf": [{}], "allOf": [{"anyOf": [TEXT]}]},
        id="one of and any of",
    ),
    pytest.param({"properties": {"not": TEXT}}, {"properties": {"not": TEXT}}, id="a name"),
    pytest.param({"enum": [{"not": 1}]}, {"enum": [{"not": 1}]}, id="a value"),
    pytest.param(
        {"$defs": {"x": {"not": {}}}, "$ref": "#/$defs/x"},
        {"$defs": {"x": {}}, "$ref": "#/$defs/x"},
        id="inside a definition",
    ),
    pytest.param(True, True, id="true"),
]


@pytest.mark.parametrize(("schema", "kept"), CASES)
def test_only_what_can_be_enforced_is_kept(schema: Any, kept: Any) -> None:
    assert enforceable(schema) == kept


@pytest.mark.parametrize(
    "schema",
    [
        {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"},
        {"type": "array", "items": TEXT, "uniqueItems": True, "contains": {"const": "a"}},
        {"oneOf": [{"type": "object", "properties": {"a": TEXT}}, {"type": "object"}]},
        TEXT | {"format": "uri-reference", "pattern": r"^(?!a).*$"},
        {"type": "object", "propertyNames": {"maxLength": 3}, "if": {}, "then": {}, "else": {}},
    ],
)
def test_grammars_of_such_schemas_compile(schema: Any) -> None:
    grammar = write_lark(Description(output=Schema(schema)).output)
    matcher = LLMatcher(LLTokenizer("byte"), LLMatcher.grammar_from_lark(grammar), log_level=0)
    assert not matcher.is_error(), matcher.get_error()


def test_a_deep_schema_is_left_as_it_is_below_a_limit() -> None:
    schema: Any = {"not": {}}
    for _ in range(200):
        schema = {"items": schema}
    assert json.dumps(enforceable(schema)).count("items") == 200
