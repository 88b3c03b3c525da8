"""llamanb.chat on a model of this kernel: a true chatlas.Chat without HTTP."""

from __future__ import annotations

import asyncio
import copy
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Literal

import chatlas
import pytest
from chatlas.types import ContentThinking, ContentThinkingDelta
from pydantic import BaseModel

import llamanb
from llamanb.errors import (
    ExtractionError,
    ModelClosedError,
)
from llamanb.integrations.chatlas.provider import LocalProvider
from llamanb.models.kernel import manager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from llamanb.integrations.chatlas.talk import LlamaChat
    from llamanb.models import Model

    MakeChat = Callable[..., LlamaChat]

SKY = "Why is the sky blue?"
BLUE = "The sky is blue because air scatters blue light more than red light."
SMALL = {"n_ctx": 1024, "n_threads": 1, "temperature": 0}


class Sorted(BaseModel):
    """What a question is about."""

    topic: Literal["weather", "sport"]
    is_question: bool


@pytest.fixture
def make_chat(demo_path: Path) -> Iterator[MakeChat]:
    """Give a function that makes chats and closes them."""
    made: list[LlamaChat] = []

    def make(model: Any = demo_path, **options: Any) -> LlamaChat:
        given = SMALL if model == demo_path else {}
        made.append(llamanb.chat(model, **{**given, **options}))
        return made[-1]

    yield make
    for chat in made:
        chat.close()


@pytest.fixture
def endless(make_chat: MakeChat, tiny_gguf: Path) -> LlamaChat:
    """Give a chat whose model never ends by itself."""
    return make_chat(tiny_gguf, n_threads=1, n_ctx=4096, max_tokens=3000, temperature=0)


def model_of(chat: LlamaChat) -> Model:
    provider = chat.provider
    assert isinstance(provider, LocalProvider)
    return provider.local


def completion_of(chat: LlamaChat) -> dict[str, Any]:
    """What chatlas keeps of the last answer."""
    turn = chat.get_last_turn()
    assert turn is not None
    assert turn.completion is not None
    return dict(turn.completion)


def wait_until_idle(model: Model) -> float:
    """Give the seconds until nothing runs; fail after ten."""
    started = time.monotonic()
    while model.busy:
        assert time.monotonic() - started < 10
        threading.Event().wait(0.005)
    return time.monotonic() - started


def wait_until_busy(model: Model) -> None:
    started = time.monotonic()
    while (model.perf().get("running") or 0) == 0:
        assert time.monotonic() - started < 10
        threading.Event().wait(0.001)


# ---- answering -------------------------------------------------------------------------


def test_chat_is_a_chatlas_chat_that_answers(make_chat: MakeChat) -> None:
    chat = make_chat()
    assert isinstance(chat, chatlas.Chat)
    assert str(chat.chat(SKY, echo="none")) == BLUE
    assert str(chat.chat(SKY, echo="none", stream=False)) == BLUE
    turn = chat.get_last_turn()
    assert turn is not None
    assert turn.finish_reason == "success"
    assert turn.cost == 0
    read, written, kept = turn.tokens or (0, 0, 0)
    assert (read > 0, written > 0, kept > 0) == (True, True, True)
    assert completion_of(chat)["usage"]["completion_tokens"] == written


def test_chat_opens_no_socket(make_chat: MakeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = make_chat()

    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refused)
    assert "".join(chat.stream(SKY)) == BLUE


def test_chat_streams_pieces_also_on_an_event_loop(make_chat: MakeChat) -> None:
    chat = make_chat()
    pieces = list(chat.stream(SKY))

    async def read() -> list[str]:
        other = copy.deepcopy(chat)
        other.set_turns([])
        return [piece async for piece in await other.stream_async(SKY)]

    assert len(pieces) > 5
    assert asyncio.run(read()) == pieces

    async def ask() -> str:
        other = make_chat()
        response = await other.chat_async(SKY, echo="none", stream=False)
        return await response.get_content()

    assert asyncio.run(ask()) == BLUE


def test_two_chats_answer_side_by_side_on_one_loop(make_chat: MakeChat) -> None:
    async def ask(chat: LlamaChat) -> str:
        return await (await chat.chat_async(SKY, echo="none")).get_content()

    async def both() -> list[str]:
        return list(await asyncio.gather(ask(make_chat()), ask(make_chat())))

    assert asyncio.run(both()) == [BLUE, BLUE]


def test_system_prompt_is_the_first_message(make_chat: MakeChat) -> None:
    chat = make_chat(system_prompt="Answer in one sentence.")
    assert chat.system_prompt == "Answer in one sentence."
    assert chat.token_count(SKY, include="complete") > chat.token_count(SKY)


def test_reasoning_is_thinking_content(make_chat: MakeChat) -> None:
    chat = make_chat(enable_thinking=True)
    parts = list(chat.stream(SKY, content="all"))
    assert any(isinstance(part, ContentThinkingDelta) for part in parts)
    turn = chat.get_last_turn()
    assert turn is not None
    assert isinstance(turn.contents[0], ContentThinking)
    assert "".join(part for part in parts if isinstance(part, str)) == turn.text


def test_model_parameters_count_in_this_order(make_chat: MakeChat) -> None:
    chat = make_chat(max_tokens=4)
    assert _n_written(chat) == 4
    chat.set_model_params(max_tokens=3, log_probs=True, stop_sequences=["never"])
    assert _n_written(chat) == 3
    assert len(completion_of(chat)["logprobs"]) == 3
    assert _n_written(chat, max_tokens=2) == 2


def _n_written(chat: LlamaChat, **options: Any) -> int:
    with pytest.warns(UserWarning, match="max_tokens"):
        chat.chat(SKY, echo="none", kwargs=options)
    turn = chat.get_last_turn()
    assert turn is not None
    assert turn.tokens is not None
    return turn.tokens[1]


def test_stop_sequence_is_told(make_chat: MakeChat) -> None:
    chat = make_chat()
    chat.set_model_params(stop_sequences=[" because"])
    assert str(chat.chat(SKY, echo="none")) == "The sky is blue"
    turn = chat.get_last_turn()
    assert turn is not None
    assert turn.finish_reason == "stop_sequence"


# ---- typed answers ---------------------------------------------------------------------


def test_structured_answers_are_of_their_type(make_chat: MakeChat) -> None:
    chat = make_chat()
    found = chat.chat_structured("Is it cold in Oslo?", data_model=Sorted)
    assert isinstance(found, Sorted)
    assert isinstance(
        asyncio.run(chat.chat_structured_async("And now?", data_model=Sorted)), Sorted
    )
    text = "".join(chat.stream("And now?", data_model=Sorted))
    assert isinstance(Sorted.model_validate_json(text), Sorted)


def test_cut_off_value_is_an_error(make_chat: MakeChat) -> None:
    chat = make_chat(max_tokens=3)
    with pytest.raises(ExtractionError, match="cut off before it was complete"):
        chat.chat_structured("Is it cold in Oslo?", data_model=Sorted)


# ---- counting --------------------------------------------------------------------------


def test_tokens_are_counted_by_the_models_own_tokenizer(make_chat: MakeChat) -> None:
    chat = make_chat()
    model: Model = model_of(chat)
    expected = model.count_tokens([{"role": "user", "content": SKY}])
    assert chat.token_count(SKY) == expected
    assert asyncio.run(chat.token_count_async(SKY)) == expected
    chat.chat(SKY, echo="none")
    turn = chat.get_last_turn()
    assert turn is not None
    assert turn.tokens is not None
    assert turn.tokens[0] + turn.tokens[2] == expected


def test_tools_are_counted_too(make_chat: MakeChat) -> None:
    @llamanb.tool
    def get_weather(city: str) -> str:
        """Give the weather in a city."""
        return f"cold in {city}"

    chat = make_chat(tools=[get_weather])
    messages = [{"role": "user", "content": SKY}]
    assert chat.token_count(SKY) == model_of(chat).count_tokens(messages, [get_weather])


# ---- ending ----------------------------------------------------------------------------


def test_closing_twice_is_harmless_and_the_model_stays(make_chat: MakeChat) -> None:
    with make_chat() as chat:
        chat.close()
    chat.close()
    model: Model = model_of(chat)
    assert model.name in manager()
    assert not model.busy
    with pytest.raises(ModelClosedError, match="this chat is closed"):
        chat.chat(SKY, echo="none")


def test_leaving_a_stream_frees_the_sequence_within_a_second(endless: LlamaChat) -> None:
    stream = endless.stream("Go on.")
    next(stream)
    assert model_of(endless).busy
    stream.close()
    assert wait_until_idle(model_of(endless)) < 1
    turns = endless.get_turns()
    assert [turn.role for turn in turns] == ["user", "assistant"]
    assert getattr(turns[1], "is_partial", False)


def test_controller_and_close_stop_an_answer(endless: LlamaChat) -> None:
    controller = chatlas.StreamController()
    pieces = 0
    for _ in endless.stream("Go on.", controller=controller):
        pieces += 1
        controller.cancel()
    assert pieces < 3
    assert wait_until_idle(model_of(endless)) < 1
    stream = endless.stream("Go on.")
    next(stream)
    endless.close()
    with pytest.raises(ModelClosedError, match="cut short"):
        list(stream)
    assert wait_until_idle(model_of(endless)) < 1


def test_leaving_an_async_stream_frees_the_sequence(endless: LlamaChat) -> None:
    async def leave() -> None:
        stream = await endless.stream_async("Go on.")
        async for _ in stream:
            break
        await stream.aclose()

    asyncio.run(leave())
    assert wait_until_idle(model_of(endless)) < 1


def test_cancelled_tasks_stop_their_answer(endless: LlamaChat) -> None:
    async def cancel() -> None:
        task = asyncio.create_task(endless.chat_async("Go on.", echo="none", stream=False))
        await asyncio.to_thread(wait_until_busy, model_of(endless))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert wait_until_idle(model_of(endless)) < 1


def test_next_question_after_a_broken_one_is_answered(make_chat: MakeChat) -> None:
    chat = make_chat()
    stream = chat.stream(SKY)
    next(stream)
    stream.close()
    assert str(chat.chat(SKY, echo="none")).startswith("The sky")


# ---- copies and sessions -----------------------------------------------------------------


def test_copies_go_their_own_way_on_the_same_model(make_chat: MakeChat) -> None:
    chat = make_chat(approve=lambda _: True)
    chat.chat(SKY, echo="none")
    other = copy.deepcopy(chat)
    assert type(other) is type(chat)
    assert other.provider is chat.provider
    other.chat(SKY, echo="none")
    assert (len(chat.get_turns()), len(other.get_turns())) == (2, 4)


def test_session_becomes_a_chat(make_chat: MakeChat) -> None:
    @llamanb.tool(approve=True)
    def get_weather(city: str) -> str:
        """Give the weather in a city."""
        return f"3 °C in {city}"

    model = model_of(make_chat())
    session = llamanb.Session(model, system_prompt="Be brief.", tools=[get_weather])
    session.send("What is the weather in Oslo?", temperature=0)
    chat = make_chat(session, temperature=0)
    assert chat.system_prompt == "Be brief."
    assert [tool.name for tool in chat.get_tools()] == ["get_weather"]
    kinds = [[one.content_type for one in turn.contents] for turn in chat.get_turns()]
    assert kinds == [["text"], ["tool_request"], ["tool_result"], ["text"]]
    said = [*session.export(), {"role": "user", "content": SKY}]
    expected = model.count_tokens(said, [get_weather])
    assert chat.token_count(SKY, include="complete") == expected
    assert chat.chat(SKY, echo="none").content


def test_models_are_listed_and_named(make_chat: MakeChat) -> None:
    chat = make_chat(model_id="sky-7b")
    assert chat.provider.model == "sky-7b"
    assert model_of(chat).name in [one["id"] for one in chat.list_models()]
