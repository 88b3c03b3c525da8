"""Tools in the shapes of the Responses API, and which of them must be called."""

from __future__ import annotations

from typing import Any

import pytest

from llamanb.servers.openai_responses.tools import custom_input, read_toolbox
from llamanb.servers.problems import Refusal

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS: list[dict[str, Any]] = [
    {"type": "function", "name": "look", "description": "Looks.", "parameters": PARAMETERS},
    {"type": "custom", "name": "exec", "format": {"type": "grammar"}},
    {
        "type": "namespace",
        "name": "agents",
        "description": "Agents.",
        "tools": [{"type": "function", "name": "close"}, {"type": "custom", "name": "tell"}],
    },
    {"type": "web_search", "external_web_access": False},
    {"type": "local_shell"},
]


def test_the_model_is_shown_one_flat_list_of_functions() -> None:
    shown = [tool.shown for tool in read_toolbox(TOOLS, None).tools]
    assert shown == ["look", "exec", "agents__close", "agents__tell"]


def test_a_function_keeps_its_schema_and_description() -> None:
    definition = read_toolbox(TOOLS, None).tools[0].definition
    function = {"name": "look", "parameters": PARAMETERS, "description": "Looks."}
    assert definition == {"type": "function", "function": function}


def test_a_custom_tool_is_a_function_of_one_text() -> None:
    parameters = read_toolbox(TOOLS, None).tools[1].definition["function"]["parameters"]
    assert parameters["required"] == ["input"]


def test_the_shape_of_chat_completions_is_read_too() -> None:
    nested = {"type": "function", "function": {"name": "look", "parameters": None}}
    tool = read_toolbox([nested], None).tools[0]
    assert (tool.name, tool.parameters) == ("look", {"type": "object", "properties": {}})


def test_of_two_tools_with_one_name_the_later_counts() -> None:
    tools = [{"type": "function", "name": "f", "description": text} for text in "ab"]
    assert [tool.description for tool in read_toolbox(tools, None).tools] == ["b"]


@pytest.mark.parametrize("choice", ["none", "auto", "required"])
def test_a_mode_is_passed_on(choice: str) -> None:
    assert read_toolbox(TOOLS, choice).choice == choice


@pytest.mark.parametrize(
    ("choice", "shown"),
    [
        pytest.param({"type": "function", "name": "look"}, "look", id="function"),
        pytest.param({"type": "custom", "name": "exec"}, "exec", id="custom"),
        pytest.param({"type": "function", "name": "close"}, "agents__close", id="bare-name"),
        pytest.param(
            {"type": "function", "name": "close", "namespace": "agents"},
            "agents__close",
            id="namespaced",
        ),
        pytest.param({"type": "function", "function": {"name": "look"}}, "look", id="nested"),
    ],
)
def test_a_named_tool_is_chosen(choice: dict[str, Any], shown: str) -> None:
    toolbox = read_toolbox(TOOLS, choice)
    assert toolbox.choice == {"type": "function", "function": {"name": shown}}
    assert len(toolbox.tools) == 4


def test_allowed_tools_are_the_only_ones_offered() -> None:
    rows = [{"type": "function", "name": "look"}, {"type": "namespace", "name": "agents"}]
    choice = {"type": "allowed_tools", "mode": "required", "tools": rows}
    toolbox = read_toolbox(TOOLS, choice)
    assert [tool.shown for tool in toolbox.tools] == ["look", "agents__close", "agents__tell"]
    assert toolbox.choice == "required"


@pytest.mark.parametrize(
    "choice",
    [
        pytest.param("sometimes", id="word"),
        pytest.param(5, id="number"),
        pytest.param({"type": "function", "name": "nobody"}, id="unknown-name"),
        pytest.param({"type": "web_search"}, id="hosted-tool"),
        pytest.param({"type": "allowed_tools", "mode": "none", "tools": []}, id="mode"),
        pytest.param({"type": "allowed_tools", "tools": "look"}, id="no-list"),
        pytest.param({"type": "allowed_tools", "mode": "required", "tools": []}, id="none-left"),
    ],
)
def test_an_impossible_choice_is_refused(choice: Any) -> None:
    with pytest.raises(Refusal) as refused:
        read_toolbox(TOOLS, choice)
    assert refused.value.problem.param == "tool_choice"


@pytest.mark.parametrize(
    ("tool", "param"),
    [
        pytest.param({"type": "function"}, "tools[0].name", id="no-name"),
        pytest.param(
            {"type": "function", "name": "f", "parameters": 5}, "tools[0].parameters", id="p"
        ),
        pytest.param({"type": "custom", "name": 5}, "tools[0].name", id="name"),
        pytest.param(
            {"type": "namespace", "name": "n", "tools": [5]}, "tools[0].tools", id="inner"
        ),
        pytest.param(
            {"type": "namespace", "name": "n", "tools": [{"type": "function"}]},
            "tools[0].tools[0].name",
            id="inner-name",
        ),
    ],
)
def test_a_tool_that_cannot_be_read_is_named(tool: dict[str, Any], param: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_toolbox([tool], None)
    assert refused.value.problem.param == param


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param('{"input": "a\\nb"}', "a\nb", id="whole"),
        pytest.param('{"input": "a', '{"input": "a', id="cut-off"),
        pytest.param("[1]", "[1]", id="no-object"),
        pytest.param('{"input": 5}', '{"input": 5}', id="no-text"),
    ],
)
def test_the_text_of_a_custom_call_is_inside_its_arguments(arguments: str, text: str) -> None:
    assert custom_input(arguments) == text
