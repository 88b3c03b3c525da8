"""The arguments of a tool one by one: which kinds of values each may have."""

from __future__ import annotations

from typing import Any

import pytest

from llamanb.chat_layer.syntax import ToolShape
from llamanb.chat_layer.syntax.arguments import arguments_of, json_of, kinds_of, words_of
from llamanb.chat_layer.syntax.elements import Choice, Json, Literal, Schema

UNIT = {"enum": ["C", "F"]}
DEFINITIONS: dict[str, Any] = {"Unit": UNIT, "Deep": {"$ref": "#/$defs/Unit"}}
ALL = ("string", "number", "boolean", "null", "object", "array")


def only_argument(schema: Any, **others: Any) -> Any:
    parameters = {"properties": {"a": schema}, "$defs": DEFINITIONS, **others}
    (argument,) = arguments_of(ToolShape(name="t", parameters=parameters))
    return argument


@pytest.mark.parametrize(
    ("schema", "kinds"),
    [
        pytest.param({"type": "integer"}, ("number",), id="integer"),
        pytest.param({"type": ["string", "null"]}, ("string", "null"), id="types"),
        pytest.param({"$ref": "#/$defs/Deep"}, ("string",), id="reference"),
        pytest.param({"allOf": [{"$ref": "#/$defs/Unit"}], "default": "C"}, ("string",), id="all"),
        pytest.param(
            {"anyOf": [{"$ref": "#/$defs/Unit"}, {"type": "null"}]}, ("string", "null"), id="any-of"
        ),
        pytest.param({"enum": ["a", 1, True, None]}, ALL[:4], id="enum"),
        pytest.param({"const": {"a": 1}}, ("object",), id="const"),
        pytest.param({"properties": {}}, ("object",), id="properties"),
        pytest.param({"type": "object", "anyOf": [{"required": ["x"]}]}, ("object",), id="both"),
        pytest.param({}, ALL, id="anything"),
        pytest.param({"type": [{}, 1]}, ALL, id="no-types"),
        pytest.param(True, ALL, id="no-schema"),
        pytest.param({"$ref": "#/$defs/gone"}, ALL, id="no-target"),
    ],
)
def test_kinds_of_values(schema: Any, kinds: tuple[str, ...]) -> None:
    assert tuple(kind.name for kind in kinds_of(only_argument(schema).schema)) == kinds


def test_words_are_listed() -> None:
    (kind,) = kinds_of(only_argument({"$ref": "#/$defs/Unit"}).schema)
    assert words_of(kind) == Choice((Literal("C"), Literal("F")))
    (kind,) = kinds_of(only_argument({"type": "string"}).schema)
    assert words_of(kind) is None


def test_json_schemas_hold_what_they_refer_to() -> None:
    schema = only_argument({"type": "array", "items": {"$ref": "#/$defs/Unit"}}).schema
    found = json_of(kinds_of(schema), schema)
    assert isinstance(found, Schema)
    assert found.schema["$defs"]["Unit"] == UNIT
    schema = only_argument({"type": "integer"}).schema
    assert json_of(kinds_of(schema), schema) == Schema({"type": "integer"})
    assert json_of(kinds_of({}), {}) == Json()


def test_odd_schemas_do_no_harm() -> None:
    assert arguments_of(ToolShape(name="t", parameters={"properties": [], "required": 1})) == ()
    assert not only_argument({}, required=True).is_required
    loop = {"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"$ref": "#/$defs/x"}}}
    assert arguments_of(ToolShape(name="t", parameters=loop))
