"""Tools come in many forms."""

from __future__ import annotations

import asyncio
import pickle
from dataclasses import dataclass, field
from typing import Any

import pytest

import llamanb
from llamanb.conversation.tools import as_tool, as_tools
from llamanb.errors import OptionError

PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
}
FUNCTION = {"name": "weather", "description": "Give the weather.", "parameters": PARAMETERS}
OPENAI = {"type": "function", "function": FUNCTION}


def weather(city: str) -> str:
    """Give the weather."""
    return f"fine in {city}"


@dataclass
class Text:
    text: str
    type: str = "text"


@dataclass
class Picture:
    type: str = "image"


@dataclass
class ServerResult:
    """Stands for MCP's ``CallToolResult``."""

    content: list[Any]
    isError: bool = False  # noqa: N815  # MCP's name


@dataclass
class ServerTool:
    """Stands for what an MCP client lists."""

    name: str = "weather"
    description: str | None = "Give the weather."
    inputSchema: dict[str, Any] = field(default_factory=lambda: dict(PARAMETERS))  # noqa: N815  # MCP's name


@dataclass
class OtherTool:
    """Stands for the tool object of another library."""

    func: Any = weather
    schema: dict[str, Any] = field(default_factory=lambda: dict(OPENAI))


def _echo(name: str, arguments: dict[str, Any]) -> str:
    return f"{name} {arguments}"


async def _serve(name: str, arguments: dict[str, Any]) -> ServerResult:
    await asyncio.sleep(0)
    if arguments["city"] == "Atlantis":
        return ServerResult([Text("no such city")], isError=True)
    return ServerResult([Text(f"{name}: fine"), Picture()])


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(OPENAI, id="openai"),
        pytest.param(FUNCTION, id="bare"),
        pytest.param(
            {"name": "weather", "description": "Give the weather.", "input_schema": PARAMETERS},
            id="anthropic",
        ),
        pytest.param(
            {"name": "weather", "description": "Give the weather.", "inputSchema": PARAMETERS},
            id="mcp dictionary",
        ),
        pytest.param(ServerTool(), id="mcp object"),
        pytest.param(OtherTool(), id="another library's"),
    ],
)
def test_every_definition_has_the_same_schema(source: Any) -> None:
    assert as_tool(source).schema == OPENAI


def test_functions_and_tools_are_taken_too() -> None:
    made = as_tool(weather)
    assert made.call('{"city": "Oslo"}').content == "fine in Oslo"
    assert as_tool(made) is made


def test_a_definition_alone_has_nothing_to_run() -> None:
    outcome = as_tool(OPENAI).call('{"city": "Oslo"}')
    assert outcome.is_error
    assert outcome.content == "weather is only described here: there is nothing to run"


def test_a_definition_is_carried_out_by_call() -> None:
    outcome = as_tool(OPENAI, call=_echo).call('{"city": "Oslo"}')
    assert outcome.content == "weather {'city': 'Oslo'}"


def test_another_librarys_tool_runs_its_function() -> None:
    assert as_tool(OtherTool()).call('{"city": "Oslo"}').content == "fine in Oslo"


@pytest.mark.parametrize("is_async", [False, True], ids=["call", "acall"])
def test_a_tool_server_answers(is_async: bool) -> None:
    made = as_tool(ServerTool(), call=_serve)

    def ask(text: str) -> Any:
        return asyncio.run(made.acall(text)) if is_async else made.call(text)

    assert ask('{"city": "Oslo"}').content == "weather: fine\n[image]"
    failed = ask('{"city": "Atlantis"}')
    assert (failed.is_error, failed.content) == (True, "no such city")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "wrong arguments: 'city' is missing"),
        (
            '{"city": "Oslo", "x": 1}',
            "wrong arguments: 'x' is no argument (there are: 'city', 'days')",
        ),
        ("[]", "wrong arguments: give one JSON object"),
        ("{", "wrong arguments: not valid JSON"),
        ("[" * 100_000, "wrong arguments: not valid JSON"),
    ],
)
def test_arguments_are_checked_against_the_definition(text: str, message: str) -> None:
    outcome = as_tool(OPENAI, call=_echo).call(text)
    assert outcome.is_error
    assert outcome.content.startswith(message)


def test_a_definition_without_parameters_takes_none() -> None:
    made = as_tool({"name": "now"}, call=_echo)
    assert made.schema["function"]["parameters"] == {"type": "object", "properties": {}}
    assert made.call("").content == "now {}"


def test_a_definition_pickles() -> None:
    again = pickle.loads(pickle.dumps(as_tool(OPENAI, call=_echo)))  # noqa: S301  # what this test wrote
    assert again.call('{"city": "Oslo"}').content == "weather {'city': 'Oslo'}"


@pytest.mark.parametrize(
    "source",
    [3, "text", None, {}, {"type": "function"}, {"name": "a b"}, {"name": "x", "parameters": [1]}],
    ids=repr,
)
def test_what_is_no_tool_is_refused(source: Any) -> None:
    with pytest.raises(OptionError):
        as_tool(source)


def test_tools_are_found_by_name() -> None:
    other = llamanb.tool(name="other")(weather)
    assert list(as_tools([weather, other])) == ["weather", "other"]


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(OptionError, match="two tools are called 'weather'"):
        as_tools([weather, OPENAI])
