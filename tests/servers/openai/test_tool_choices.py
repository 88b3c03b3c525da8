"""Which tools the model is shown and may call, and whether it thinks first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.openai.reading import NAMED, NOW, SCHEMA, WEATHER, chat, refused

if TYPE_CHECKING:
    from llamanb.servers.asked import Asked

# ---- tools ---------------------------------------------------------------------------------


def tools_of(asked: Asked) -> list[str]:
    return [tool["function"]["name"] for tool in asked.options["tools"] or ()]


@pytest.mark.parametrize(
    ("choice", "read"),
    [
        pytest.param(None, "auto", id="none given"),
        pytest.param("auto", "auto", id="auto"),
        pytest.param("none", "none", id="none"),
        pytest.param("required", "required", id="required"),
        pytest.param("any", "required", id="any"),
        pytest.param(NAMED, "get_weather", id="named"),
        pytest.param({"type": "function", "name": "get_weather"}, "get_weather", id="flat"),
    ],
)
def test_tool_choice(choice: Any, read: str) -> None:
    asked = chat(tools=[WEATHER, NOW], tool_choice=choice)
    assert asked.options["tool_choice"] == read
    assert tools_of(asked) == ["get_weather", "now"]


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_allowed_tools_leave_the_others_out(mode: str) -> None:
    allowed = {"mode": mode, "tools": [{"type": "function", "function": {"name": "now"}}]}
    choice = {"type": "allowed_tools", "allowed_tools": allowed}
    asked = chat(tools=[WEATHER, NOW], tool_choice=choice)
    assert (tools_of(asked), asked.options["tool_choice"]) == (["now"], mode)


@pytest.mark.parametrize(
    "choice",
    [
        pytest.param("sometimes", id="unknown word"),
        pytest.param({"type": "function", "function": {"name": "nobody"}}, id="unknown tool"),
        pytest.param({"type": "custom", "custom": {"name": "get_weather"}}, id="unknown kind"),
        pytest.param({"type": ["function"], "name": "now"}, id="kind is a list"),
        pytest.param({"type": "function", "function": {"name": [1]}}, id="name is a list"),
        pytest.param({"type": "allowed_tools", "allowed_tools": {"tools": 1}}, id="no list"),
        pytest.param({"type": "allowed_tools", "mode": ["auto"], "tools": []}, id="odd mode"),
        pytest.param(
            {"type": "allowed_tools", "mode": "required", "tools": [{"name": ["now"]}]},
            id="nothing is allowed",
        ),
        pytest.param({}, id="empty"),
    ],
)
def test_a_wrong_tool_choice_is_named(choice: Any) -> None:
    assert refused(tools=[WEATHER, NOW], tool_choice=choice) == "tool_choice"


def test_a_call_without_tools_cannot_be_required() -> None:
    assert refused(tool_choice="required") == "tool_choice"
    assert chat(tool_choice="auto").options["tools"] is None


def test_kinds_of_tools_that_are_no_functions_are_ignored() -> None:
    others = [{"type": "web_search"}, {"type": "custom", "custom": {"name": "x"}}]
    assert tools_of(chat(tools=[*others, NOW])) == ["now"]


def test_a_flat_function_is_read() -> None:
    assert chat(tools=[{"type": "function", "name": "now", "parameters": SCHEMA}]).options[
        "tools"
    ] == [{"type": "function", "function": {"name": "now", "parameters": SCHEMA}}]


@pytest.mark.parametrize(
    ("tool", "place"),
    [
        pytest.param({"type": "function"}, "tools[0].function.name", id="nothing in it"),
        pytest.param({"name": "now", "parameters": []}, "tools[0].parameters", id="no schema"),
    ],
)
def test_a_function_that_cannot_be_called_is_refused(tool: Any, place: str) -> None:
    assert refused(tools=[tool]) == place


def test_definitions_reach_the_template_as_they_are() -> None:
    schema = {"properties": {"x": {"default": None, "type": ["string", "null"]}}, "required": []}
    function = {"name": "f", "parameters": schema, "strict": True}
    asked = chat(tools=[{"type": "function", "function": function | {"description": None}}])
    assert asked.options["tools"] == [{"type": "function", "function": function}]


@pytest.mark.parametrize(
    ("schema", "required"),
    [
        pytest.param(SCHEMA, ["city"], id="never says"),
        pytest.param({**SCHEMA, "required": []}, [], id="says none"),
        pytest.param({"type": "object"}, None, id="no arguments"),
    ],
)
def test_a_tool_called_by_name_tells_every_argument(schema: Any, required: Any) -> None:
    function = {"name": "get_weather", "parameters": schema}
    asked = chat(tools=[{"type": "function", "function": function}], tool_choice=NAMED)
    parameters = asked.options["tools"][0]["function"]["parameters"]
    assert parameters.get("required") == required


def test_functions_of_old_clients() -> None:
    functions = [WEATHER["function"], NOW["function"]]
    asked = chat(functions=functions, function_call={"name": "now"})
    assert tools_of(asked) == ["get_weather", "now"]
    assert asked.options["tool_choice"] == "now"
    assert asked.options["parallel_tool_calls"] is False
    assert refused(functions=functions, function_call={"name": "nobody"}) == "function_call"


# ---- thinking ------------------------------------------------------------------------------

FORCED = {"tools": [WEATHER], "tool_choice": "required"}


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        pytest.param({}, None, id="nothing said"),
        pytest.param({"enable_thinking": True}, True, id="on"),
        pytest.param({"enable_thinking": False}, False, id="off"),
        pytest.param(
            {"chat_template_kwargs": {"enable_thinking": False}, "enable_thinking": True},
            False,
            id="the template's variable wins",
        ),
        pytest.param({"thinking": True}, True, id="flag"),
        pytest.param({"thinking": {"type": "enabled"}}, True, id="enabled"),
        pytest.param({"thinking": {"type": "adaptive"}}, True, id="adaptive"),
        pytest.param({"thinking": {"type": "disabled"}}, False, id="disabled"),
        pytest.param({"reasoning_effort": "none"}, False, id="no effort"),
        pytest.param({"reasoning_effort": "minimal"}, False, id="minimal effort"),
        pytest.param({"reasoning_effort": "high"}, True, id="high effort"),
        pytest.param(FORCED, False, id="forced call"),
        pytest.param({**FORCED, "reasoning_effort": "high"}, False, id="forced, with effort"),
        pytest.param({**FORCED, "enable_thinking": True}, True, id="forced, but asked for"),
    ],
)
def test_thinking(body: dict[str, Any], wanted: bool | None) -> None:
    assert chat(**body).options["enable_thinking"] is wanted


def test_templates_are_told_the_effort() -> None:
    asked = chat(reasoning_effort="low", chat_template_kwargs={"style": "short"})
    assert asked.options["chat_template_kwargs"] == {"style": "short", "reasoning_effort": "low"}


@pytest.mark.parametrize(
    ("wanted", "read"),
    [(None, "auto"), ("auto", "auto"), ("deepseek", "auto"), ("none", "none")],
)
def test_reasoning_format(wanted: str | None, read: str) -> None:
    assert chat(reasoning_format=wanted).options["reasoning_format"] == read
