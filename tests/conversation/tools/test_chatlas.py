"""A tool goes through ``chatlas.register_tool`` with nothing lost."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

import llamanb

chatlas = pytest.importorskip("chatlas", reason="chatlas is not installed: llamanb[chat]")


@dataclass
class Point:
    x: int
    y: int


@llamanb.tool
def get_weather(
    city: str,
    unit: Literal["c", "f"] = "c",
    days: Annotated[int, Field(ge=1, le=9)] = 3,
    near: Point | None = None,
) -> str:
    """Give the weather.

    As it was measured.

    Parameters
    ----------
    city : str
        Name of the city.
    unit : str
        Degrees Celsius or Fahrenheit.
    days : int
        How many days.
    """
    return f"{city}: 3 {unit}, {days} days"


@llamanb.tool(name="weather_later")
async def get_weather_later(city: Annotated[str, "Name of the city."]) -> str:
    """Give the weather later."""
    await asyncio.sleep(0)
    return f"{city}: 3"


class Station:
    @llamanb.tool
    def measure(self, depth: int) -> int:
        """Measure.

        Args:
            depth: In metres.
        """
        return depth * 2


def _registered(made: Any) -> Any:
    chat = chatlas.ChatOpenAICompletions(
        api_key="none", model="none", base_url="http://127.0.0.1:9/v1"
    )
    chat.register_tool(made)
    (found,) = chat.get_tools()
    return found


def test_descriptions_types_and_defaults_arrive() -> None:
    function = _registered(get_weather).schema["function"]
    properties = function["parameters"]["properties"]
    assert (function["name"], function["description"]) == (
        "get_weather",
        "Give the weather. As it was measured.",
    )
    assert properties["city"] == {"type": "string", "description": "Name of the city."}
    assert properties["unit"]["enum"] == ["c", "f"]
    assert properties["unit"]["description"] == "Degrees Celsius or Fahrenheit."
    assert (properties["days"]["minimum"], properties["days"]["maximum"]) == (1, 9)
    assert (properties["unit"]["default"], properties["days"]["default"]) == ("c", 3)


def test_it_is_called_as_the_function_was() -> None:
    assert _registered(get_weather).func(city="Oslo", days=1) == "Oslo: 3 c, 1 days"


def test_a_coroutine_stays_one() -> None:
    found = _registered(get_weather_later)
    assert found.name == "weather_later"
    assert asyncio.run(found.func(city="Oslo")) == "Oslo: 3"
    parameters = found.schema["function"]["parameters"]
    assert parameters["properties"]["city"]["description"] == "Name of the city."


def test_a_request_of_a_model_is_answered() -> None:
    chat = chatlas.ChatOpenAICompletions(
        api_key="none", model="none", base_url="http://127.0.0.1:9/v1"
    )
    chat.register_tool(get_weather_later)
    request = chatlas.types.ContentToolRequest(
        id="1", name="weather_later", arguments={"city": "Oslo"}
    )

    async def answers() -> list[Any]:
        return [result async for result in chat._invoke_tool_async(request)]

    (answer,) = asyncio.run(answers())
    assert answer.value == "Oslo: 3"


def test_a_method_is_registered_with_its_object() -> None:
    found = _registered(Station().measure)
    assert found.schema["function"]["parameters"]["properties"] == {
        "depth": {"type": "integer", "description": "In metres."}
    }
    assert found.func(depth=2) == 4


def test_a_chatlas_tool_becomes_one_of_ours() -> None:
    theirs = _registered(get_weather)
    made = llamanb.conversation.tools.as_tool(theirs)
    assert made.schema["function"]["name"] == "get_weather"
    assert made.call('{"city": "Oslo", "days": 2}').content == "Oslo: 3 c, 2 days"
