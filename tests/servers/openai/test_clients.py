"""Other programs' clients, as they are: chatlas and LangChain."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Literal

import httpx
import pytest
from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llamanb.servers import Server

chatlas = pytest.importorskip("chatlas", reason="chatlas is not installed: llamanb[chat]")


class Visit(BaseModel):
    """Where somebody goes."""

    kind: Literal["business", "holiday"] | None = None
    city: Annotated[str, Field(max_length=8)] = ""


def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"{city}: 12 degrees and sunny"


# ---- chatlas -------------------------------------------------------------------------------


@pytest.fixture
def chat(demo_server: Server) -> Any:
    return chatlas.ChatOpenAICompletions(
        base_url=demo_server.base_url, model="demo", api_key="local"
    )


def test_chatlas_talks(chat: Any) -> None:
    pieces = list(chat.stream("Hello"))
    assert "".join(pieces) == chat.get_last_turn().text
    assert chat.get_last_turn().tokens is not None
    chat.chat("What is two plus two?", echo="none")
    assert [turn.role for turn in chat.get_turns()] == ["user", "assistant"] * 2


def test_chatlas_lets_a_tool_run(chat: Any) -> None:
    chat.register_tool(get_weather)
    text = chat.chat("What is the weather in Oslo?", echo="none")
    contents = [one for turn in chat.get_turns() for one in turn.contents]
    kinds = {type(one).__name__ for one in contents}
    assert {"ContentToolRequest", "ContentToolResult"} <= kinds
    assert str(text)


def test_chatlas_reads_typed_answers(chat: Any) -> None:
    visit = chat.chat_structured("She flies to Oslo for a meeting.", data_model=Visit)
    assert isinstance(visit, Visit)
    assert visit.model_fields_set == {"kind", "city"}  # although both have defaults


# ---- LangChain -----------------------------------------------------------------------------


def langchain(server: Server, **options: Any) -> Any:
    module = pytest.importorskip("langchain_openai", reason="langchain-openai is not installed")
    options = {"model": "demo", "api_key": "local", "max_retries": 0, **options}
    return module.ChatOpenAI(base_url=server.base_url, **options)


@pytest.fixture
def model(demo_server: Server) -> Iterator[Any]:
    with httpx.Client() as client:
        yield langchain(demo_server, http_client=client)


def test_langchain_streams_what_it_invokes(model: Any) -> None:
    whole = model.invoke("Hello")
    pieces = list(model.stream("Hello"))
    assert "".join(piece.content for piece in pieces) == whole.content
    assert whole.usage_metadata["output_tokens"] > 0


def test_langchain_calls_a_tool_and_gives_its_result(model: Any) -> None:
    from langchain_core.messages import HumanMessage, ToolMessage

    asked = HumanMessage("What is the weather in Oslo?")
    answer = model.bind_tools([get_weather], tool_choice="any").invoke([asked])
    (call, *_) = answer.tool_calls
    assert call["name"] == "get_weather"
    result = ToolMessage(get_weather(**call["args"]), tool_call_id=call["id"])
    assert model.bind_tools([get_weather]).invoke([asked, answer, result]).content is not None


def test_langchain_reads_typed_answers(model: Any) -> None:
    for method in ("json_schema", "function_calling"):
        typed = model.with_structured_output(Visit, method=method)
        assert isinstance(typed.invoke("She flies to Oslo for a meeting."), Visit)


def test_langchain_asks_for_several_at_once(demo_server: Server) -> None:
    async def ask() -> list[Any]:
        async with httpx.AsyncClient() as client:
            model = langchain(demo_server, http_async_client=client)
            return list(await model.abatch(["Hello"] * 6))

    answers = asyncio.run(ask())
    assert len({one.content for one in answers}) == 1
