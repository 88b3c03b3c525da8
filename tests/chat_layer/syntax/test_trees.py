"""Values that are trees of tags become JSON, and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llamanb.chat_layer.syntax import ToolShape, compose, parse_syntax, write_lark
from llamanb.chat_layer.syntax.elements import Tree
from llamanb.chat_layer.syntax.trees import tree_json, tree_text
from tests.chat_layer.syntax.cases import BY_NAME, LarkReader

NODE: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "left": {"$ref": "#/$defs/Node"}},
    "required": ["name"],
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "number": {"type": "number"},
        "items": {"type": "array", "items": {"type": "integer"}},
        "rows": {"type": "array", "items": {"type": "array", "items": {"type": "string"}}},
        "maybe": {"anyOf": [{"type": "object", "properties": {}}, {"type": "null"}]},
        "node": {"$ref": "#/$defs/Node"},
        "open": {"type": "object"},
        "any": {},
    },
    "$defs": {"Node": NODE},
}
VALUES: list[Any] = [
    {},
    {"text": "7", "number": 7},
    {"text": " <item>*</item>\n", "items": [1, 2]},
    {"items": [], "rows": [["a", "b"], [], ["3"]]},
    {"node": {"name": "a", "left": {"name": "b", "left": {"name": "c"}}}},
    {"open": {"a": 1, "b": {"c": ["x", "y"]}}, "any": {"deep": [True, 2.5]}},
    {"any": "some text", "maybe": {}},
]
MARKERS = ("#", "]<]minimax[>[")


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_values_are_read_back(value: Any, marker: str) -> None:
    text = tree_text(value, marker)
    assert json.loads(tree_json(text, Tree(SCHEMA, marker, "x"))) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("plain", '"plain"', id="text-for-an-object"),
        pytest.param("{'a': None}", '{"a": null}', id="python"),
        pytest.param("#<text>a", '{"text": "a"}', id="not-closed"),
        pytest.param("a#<text>b#</text>", '"a#<text>b#</text>"', id="text-between"),
        pytest.param("#</x>#</y>", '"#</x>#</y>"', id="closed-too-often"),
        pytest.param("#<a>1#</a>#<a>2#</a>", '{"a": 1, "a": 2}', id="name-twice"),
    ],
)
def test_what_is_no_tree_is_kept(text: str, expected: str) -> None:
    assert tree_json(text, Tree(SCHEMA, "#", "x")) == expected


def test_deep_trees_are_kept_as_text() -> None:
    text = "#<a>" * 5000
    assert json.loads(tree_json(text, Tree({}, "#", "x"))) == text


@pytest.mark.parametrize("value", VALUES[:-1], ids=range(len(VALUES) - 1))
def test_trees_are_in_the_grammar_and_read_from_calls(value: Any) -> None:
    tool = ToolShape(
        name="put",
        parameters={
            "properties": {"value": {k: v for k, v in SCHEMA.items() if k != "$defs"}},
            "required": ["value"],
            "$defs": SCHEMA["$defs"],
        },
    )
    description = compose(BY_NAME["minimax-m3"], [tool], tool_choice="required")
    begin = '*<tool_call>\n*<invoke name="put">*<value>'.replace("*", MARKERS[1])
    end = "*</value>*</invoke>\n*</tool_call>".replace("*", MARKERS[1])
    text = begin + tree_text(value, MARKERS[1]) + end
    assert LarkReader(write_lark(description.output, {})).accepts(text)
    (call,) = parse_syntax(text, description).tool_calls
    assert json.loads(call.arguments) == {"value": value}
