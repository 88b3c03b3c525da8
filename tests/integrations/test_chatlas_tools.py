"""Tools in a chat of chatlas: described, asked about, checked, run."""

from __future__ import annotations

import asyncio
import copy
import threading
from typing import TYPE_CHECKING, Annotated, Any, Literal

import chatlas
import pytest
from chatlas import ContentToolRequest, ContentToolResult
from pydantic import BaseModel, Field

import llamanb
from llamanb import ToolDecision, ToolRequest
from llamanb.errors import OptionError
from llamanb.integrations.chatlas.provider import _choice
from llamanb.integrations.chatlas.tools import ask_person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from llamanb.integrations.chatlas.talk import LlamaChat

    MakeChat = Callable[..., LlamaChat]

OSLO = "What is the weather in Oslo?"


@llamanb.tool
def get_weather(city: str, unit: Literal["c", "f"] = "c") -> str:
    """Give the weather in a city.

    It is made up.

    Args:
        city: name of the city.
        unit: of the temperature.
    """
    return f"3 °{unit.upper()} and rain in {city}"


@llamanb.tool(approve=True)
async def get_weather_slowly(city: str) -> str:
    """Give the weather in a city."""
    await asyncio.sleep(0)
    return f"3 °C in {city}"


class Place(BaseModel):
    city: str
    people: int = 0


class Topic(BaseModel):
    topic: Literal["weather", "sport"]


@pytest.fixture
def make_chat(demo_path: Path) -> Iterator[MakeChat]:
    """Give a function that makes chats and closes them."""
    made: list[LlamaChat] = []

    def make(**options: Any) -> LlamaChat:
        made.append(llamanb.chat(demo_path, n_ctx=1024, n_threads=1, temperature=0, **options))
        return made[-1]

    yield make
    for chat in made:
        chat.close()


def results(chat: chatlas.Chat[Any, Any]) -> list[ContentToolResult]:
    contents = [one for turn in chat.get_turns() for one in turn.contents]
    return [one for one in contents if isinstance(one, ContentToolResult)]


def result(chat: chatlas.Chat[Any, Any]) -> str:
    (only,) = results(chat)
    return str(only.get_model_value())


def run(chat: LlamaChat, *unread: str, **arguments: Any) -> Any:
    """Call a chat's only tool, as chatlas does."""
    (tool,) = chat.get_tools()
    assert isinstance(tool, chatlas.Tool)
    return tool.func(*unread, **arguments)


# ---- described -------------------------------------------------------------------------


def test_descriptions_reach_any_chat_of_chatlas() -> None:
    elsewhere = chatlas.ChatOpenAICompletions(api_key="none", model="any")
    elsewhere.register_tool(get_weather)
    (tool,) = elsewhere.get_tools()
    assert isinstance(tool, chatlas.Tool)
    function: dict[str, Any] = dict(tool.schema["function"])
    assert function["name"] == "get_weather"
    assert function["description"] == get_weather.__doc__
    told = function["parameters"]["properties"]
    assert told["city"]["description"] == "name of the city."
    assert told["unit"]["description"] == "of the temperature."


@pytest.mark.parametrize("way", ["given", "registered", "as chatlas' own"])
def test_model_reads_our_definition(make_chat: MakeChat, demo_path: Path, way: str) -> None:
    chat = make_chat(tools=[get_weather] if way == "given" else ())
    if way == "registered":
        chat.register_tool(get_weather)
    elif way != "given":
        chat.register_tool(chatlas.Tool.from_func(get_weather))
    model = llamanb.load(demo_path, n_ctx=1024, n_threads=1)
    count = model.count_tokens([{"role": "user", "content": OSLO}], [get_weather])
    assert chat.token_count(OSLO) == count


def test_plain_functions_are_described_by_their_docstring(make_chat: MakeChat) -> None:
    def forecast(city: Annotated[str, "where"], days: int = 1) -> str:
        """Look ahead.

        Args:
            days: how far.
        """
        return f"{city}: rain for {days} days"

    chat = make_chat(tools=[forecast])
    (tool,) = chat.get_tools()
    assert isinstance(tool, chatlas.Tool)
    told: Any = tool.schema["function"]["parameters"]
    assert told["properties"]["days"]["description"] == "how far."
    assert told["properties"]["city"]["description"] == "where"


# ---- run -------------------------------------------------------------------------------


def test_tool_runs_and_its_result_is_read(make_chat: MakeChat) -> None:
    chat = make_chat(tools=[get_weather], approve="auto")
    parts = list(chat.stream(OSLO, content="all"))
    assert [type(part) for part in parts if not isinstance(part, str)] == [
        ContentToolRequest,
        ContentToolResult,
    ]
    assert result(chat) == "3 °C and rain in Oslo"
    assert "3 °C" in str(chat.get_last_turn())


def test_async_tools_run_on_the_loop(make_chat: MakeChat) -> None:
    chat = make_chat()
    chat.register_tool(get_weather_slowly, name="get_weather")

    async def ask() -> str:
        return await (await chat.chat_async(OSLO, echo="none")).get_content()

    assert "3 °C" in asyncio.run(ask())
    assert result(chat) == "3 °C in Oslo"


def test_structured_answer_comes_after_the_tools(make_chat: MakeChat) -> None:
    chat = make_chat(tools=[get_weather], approve="auto")
    found = chat.chat_structured(OSLO, data_model=Topic, kwargs={"tool_choice": "required"})
    assert isinstance(found, Topic)
    assert 1 <= len(results(chat)) <= 8  # the toy likes to call again
    other = copy.deepcopy(chat)
    again = other.chat_structured_async(OSLO, data_model=Topic)
    assert isinstance(asyncio.run(again), Topic)


def test_forced_tool_is_called_once_for_each_question(make_chat: MakeChat) -> None:
    chat = make_chat(tools=[get_weather], approve="auto", tool_choice="required")
    chat.chat("Hello", echo="none")
    assert len(results(chat)) == 1


def test_tools_run_at_most_eight_times_for_a_question() -> None:
    chosen = [_choice("required", n_rounds) for n_rounds in range(10)]
    assert chosen == ["required", *["auto"] * 7, "none", "none"]


def test_arguments_are_checked_and_failures_are_told(make_chat: MakeChat) -> None:
    @llamanb.tool(approve=True)
    def count(place: Place) -> int:
        """Count people."""
        assert isinstance(place, Place)
        return 10 // place.people

    chat = make_chat(tools=[count])
    assert run(chat, place={"city": "Oslo", "people": 2}) == 5
    assert "ZeroDivisionError" in str(run(chat, place={"city": "Oslo"}).error)
    assert "place.city" in str(run(chat, place={}).error)
    assert "JSON" in str(run(chat, "{broken").error)


def test_time_limits_hold(make_chat: MakeChat) -> None:
    over = threading.Event()

    @llamanb.tool(approve=True, timeout=0.05)
    def wait() -> str:
        """Wait."""
        over.wait(10)
        return "late"

    assert "took longer than 0.05 s" in str(run(make_chat(tools=[wait])).error)
    over.set()


# ---- asked about -----------------------------------------------------------------------


def test_nothing_runs_where_nobody_can_be_asked(make_chat: MakeChat) -> None:
    chat = make_chat(tools=[get_weather])
    chat.chat(OSLO, echo="none")
    assert "get_weather was not run" in result(chat)
    assert "nobody can be asked here" in result(chat)


def test_person_is_asked_and_heard(make_chat: MakeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    answers = iter(["yes", "no"])

    def read(question: str) -> str:
        asked.append(question)
        return next(answers)

    monkeypatch.setattr("builtins.input", read)
    chat = make_chat(tools=[get_weather])
    chat.chat(OSLO, echo="none")
    assert result(chat) == "3 °C and rain in Oslo"
    assert asked == ["Run get_weather(city='Oslo')? [y]es / [n]o "]
    chat.set_turns([])
    chat.chat(OSLO, echo="none")
    assert "the user said no" in result(chat)


def test_hook_sees_the_call_and_may_change_it(make_chat: MakeChat) -> None:
    seen: list[ToolRequest] = []

    async def decide(request: ToolRequest) -> ToolDecision:
        seen.append(request)
        return ToolDecision.allow({"city": "Bergen", "unit": "f"})

    chat = make_chat(tools=[get_weather], approve=decide)
    chat.chat(OSLO, echo="none")
    assert result(chat) == "3 °F and rain in Bergen"
    chat.set_turns([])
    asyncio.run(chat.chat_async(OSLO, echo="none"))
    first, second = seen
    assert (first.name, dict(first.args), first.round) == ("get_weather", {"city": "Oslo"}, 1)
    assert first.tool is get_weather
    assert first.id
    assert first.id != second.id


def test_tools_that_others_put_there_are_asked_about_too(make_chat: MakeChat) -> None:
    def plain(city: str) -> str:
        """Give the weather in a city."""
        return f"cold in {city}"

    chat = make_chat(approve="never")
    chat.set_tools([chatlas.Tool.from_func(plain, name="get_weather")])
    with pytest.warns(RuntimeWarning, match="tools are switched off"):
        chat.chat(OSLO, echo="none")
    assert "tools are switched off" in result(chat)


def test_copies_ask_for_themselves(make_chat: MakeChat) -> None:
    class Store:
        def __deepcopy__(self, memo: dict[int, Any]) -> Store:
            raise AssertionError("a tool's own things are not copied")

        def get_weather(self, city: str) -> str:
            """Give the weather in a city."""
            return f"cold in {city}"

    chat = make_chat(tools=[Store().get_weather], approve="auto")
    other = copy.deepcopy(chat)
    assert other._gate._chat is other
    other.chat(OSLO, echo="none")
    assert result(other) == "cold in Oslo"
    assert results(chat) == []


def test_tools_of_other_providers_are_refused(make_chat: MakeChat) -> None:
    chat = make_chat()
    chat.register_tool(chatlas.ToolBuiltIn(name="search", definition={"type": "search"}))
    with pytest.raises(OptionError, match="'search' is carried out by another provider"):
        chat.chat(OSLO, echo="none")


def test_result_objects_of_chatlas_are_kept(make_chat: MakeChat) -> None:
    def look(city: Annotated[str, Field(description="where")]) -> ContentToolResult:
        """Give the weather in a city."""
        return ContentToolResult(value={"city": city, "degrees": 3}, extra="a picture")

    chat = make_chat(approve="auto")
    chat.register_tool(look, name="get_weather")
    chat.chat(OSLO, echo="none")
    (only,) = results(chat)
    assert only.extra == "a picture"
    assert only.get_model_value() == '{"city":"Oslo","degrees":3}'


def test_asking_at_a_closed_keyboard_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", closed)
    request = ToolRequest(
        id="1", name="get_weather", arguments="{}", args={}, tool=get_weather, round=1
    )
    assert not ask_person(request).is_allowed
