"""llamanb.chat on a server: the same chat over HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import chatlas
import pytest

import llamanb
from llamanb.errors import ServerError

if TYPE_CHECKING:
    from pathlib import Path

    from llamanb.servers import Server

BLUE = "The sky is blue because air scatters blue light more than red light."
SKY = "Why is the sky blue?"


def test_server_answers_a_chat(server: Server) -> None:
    with llamanb.chat(base_url=server.base_url, top_k=1, enable_thinking=False) as chat:
        assert isinstance(chat, chatlas.Chat)
        assert chat.provider.model == server.models[0]
        assert str(chat.chat(SKY, echo="none")) == BLUE
        assert "".join(chat.stream(SKY)) == BLUE
    chat.close()


def test_server_answers_on_an_event_loop(server: Server) -> None:
    async def ask() -> str:
        async with llamanb.chat(base_url=server.base_url) as chat:
            return await (await chat.chat_async(SKY, echo="none")).get_content()

    assert asyncio.run(ask()) == BLUE


def test_address_without_a_path_is_completed(server: Server) -> None:
    with llamanb.chat(base_url=server.url, model_id=server.models[0]) as chat:
        assert str(chat.chat(SKY, echo="none")) == BLUE


def test_tools_are_asked_about(server: Server) -> None:
    def get_weather(city: str) -> str:
        """Give the weather in a city."""
        return f"3 °C in {city}"

    with llamanb.chat(base_url=server.base_url, tools=[get_weather], approve="never") as chat:
        chat.chat("What is the weather in Oslo?", echo="none")
        told = [str(one) for turn in chat.get_turns() for one in turn.contents]
    assert any("tools are switched off" in text for text in told)


def test_stopped_server_is_named(demo_path: Path) -> None:
    running = llamanb.serve(llamanb.load(demo_path, n_threads=1), temperature=0)
    with llamanb.chat(base_url=running.base_url) as chat:
        assert chat.chat(SKY, echo="none").content
        running.stop()
        with pytest.raises(ServerError, match=f"no server answers at {running.base_url}"):
            chat.chat(SKY, echo="none")


def test_wrong_key_is_told(locked_server: Server) -> None:
    with pytest.raises(ServerError, match="refuses this api_key"):
        llamanb.chat(base_url=locked_server.base_url, api_key="wrong")
