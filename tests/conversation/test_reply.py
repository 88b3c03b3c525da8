"""One reply as a stream of events."""

from __future__ import annotations

import asyncio
import threading

import pytest

from llamanb.chat_layer import ChatMessage, Finished, ReasoningDelta, TextDelta
from llamanb.conversation import ReplyStream, reply
from llamanb.errors import ContextLengthError, EngineDead
from llamanb.settings import SamplingSettings
from tests.conversation.fakes import CONTROL, ScriptedModel

HELLO = [{"role": "user", "content": "Hello"}]
WAIT_S = 10


def answering(pieces: list[str], **script: str | None) -> ScriptedModel:
    model = ScriptedModel()
    model.enqueue(pieces, **script)
    return model


def test_events_are_deltas_and_one_finished() -> None:
    events = list(reply(answering(["Hi", " there"]), HELLO))
    assert events[:2] == [TextDelta(text="Hi"), TextDelta(text=" there")]
    assert isinstance(events[2], Finished)
    assert len(events) == 3


def test_finished_has_usage_timings_and_seed() -> None:
    stream = reply(answering(["<think>", "hm", "</think>", "Hi"]), HELLO)
    finished = list(stream)[-1]
    assert isinstance(finished, Finished)
    assert finished.usage == {
        "prompt_tokens": 7,
        "completion_tokens": 4,
        "total_tokens": 11,
        "cached_tokens": 2,
        "reasoning_tokens": 3,
    }
    assert finished.timings == {
        "queued_s": 0.0,
        "prompt_s": 0.5,
        "generation_s": 1.0,
        "tokens_per_s": 2.0,
    }
    assert (finished.seed, finished.reason, stream.finished) == (5, "stop", finished)


def test_reasoning_is_told_from_content() -> None:
    stream = reply(answering(["<thi", "nk>\nHm", ".\n</think>\n\n", "Hi"]), HELLO)
    kinds = [type(event) for event in stream]
    assert kinds == [ReasoningDelta, ReasoningDelta, TextDelta, Finished]
    assert stream.message == ChatMessage(content="Hi", reasoning_content="Hm.")


def test_held_back_text_comes_at_the_end() -> None:
    events = list(reply(answering(["<thi"]), HELLO))
    assert events[0] == TextDelta(text="<thi")


def test_error_is_the_last_event_and_keeps_the_text() -> None:
    model = answering(["Hi"], reason="error", error="aborted", error_type="EngineDead")
    stream = reply(model, HELLO)
    finished = list(stream)[-1]
    assert isinstance(finished, Finished)
    assert (finished.reason, finished.error, finished.error_type) == (
        "error",
        "aborted",
        "EngineDead",
    )
    assert stream.message.content == "Hi"
    with pytest.raises(EngineDead):
        stream.generation.raise_for_error()


def test_refused_request_raises_at_once() -> None:
    model = ScriptedModel(refusal=ContextLengthError("too long"))
    with pytest.raises(ContextLengthError):
        reply(model, HELLO)


def test_a_second_reader_is_refused() -> None:
    stream = reply(answering(["Hi"]), HELLO)
    list(stream)
    with pytest.raises(RuntimeError, match="once"):
        iter(stream)


def test_leaving_early_cancels_and_settles() -> None:
    settled: list[str] = []
    model = answering(["Hi", " there"], reason=None)
    stream = reply(model, HELLO, on_finish=lambda s: settled.append(s.message.content))
    for _ in stream:
        break
    assert stream.generation.cancelled
    assert stream.finished is not None
    assert (stream.finished.reason, settled) == ("cancelled", ["Hi"])


def test_cancel_from_another_thread_ends_the_events() -> None:
    model = answering(["Hi"], reason=None)
    stream = reply(model, HELLO)
    events = iter(stream)
    assert next(events) == TextDelta(text="Hi")
    thread = threading.Thread(target=stream.cancel)
    thread.start()
    finished = list(events)[-1]
    thread.join(WAIT_S)
    assert isinstance(finished, Finished)
    assert finished.reason == "cancelled"


def test_closing_unread_keeps_nothing() -> None:
    model = answering(["Hi"], reason=None)
    with reply(model, HELLO) as stream:
        pass
    assert stream.message == ChatMessage()
    assert stream.finished is not None


def test_interrupt_passes_through_and_settles() -> None:
    model = answering(["Hi"], reason=None)
    stream = reply(model, HELLO)
    events = stream.__iter__()
    next(events)
    with pytest.raises(KeyboardInterrupt):
        events.throw(KeyboardInterrupt)  # type: ignore[attr-defined]  # a generator
    assert stream.generation.cancelled
    assert stream.message.content == "Hi"


class TestAsync:
    def test_events_come_without_blocking_the_loop(self) -> None:
        model = answering(["Hi"], reason=None)
        stream = reply(model, HELLO)

        async def run() -> tuple[list[object], int]:
            ticks = 0
            events: list[object] = []
            loop = asyncio.get_running_loop()

            async def tick() -> None:
                nonlocal ticks
                for _ in range(20):
                    await asyncio.sleep(0)
                    ticks += 1
                await loop.run_in_executor(None, model.say, stream.generation, " there")
                await loop.run_in_executor(None, model.finish, stream.generation)

            task = asyncio.create_task(tick())
            events += [event async for event in stream]
            await task
            return events, ticks

        events, ticks = asyncio.run(asyncio.wait_for(run(), WAIT_S))
        assert events[:2] == [TextDelta(text="Hi"), TextDelta(text=" there")]
        assert isinstance(events[2], Finished)
        assert ticks == 20

    def test_cancelled_task_cancels_the_reply(self) -> None:
        stream = reply(answering(["Hi"], reason=None), HELLO)

        async def run() -> None:
            started = asyncio.Event()

            async def read() -> None:
                async for _ in stream:
                    started.set()

            task = asyncio.create_task(read())
            await started.wait()
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(asyncio.wait_for(run(), WAIT_S))
        assert stream.generation.cancelled
        assert stream.message.content == "Hi"
        assert stream.finished is not None

    def test_leaving_early_cancels_the_reply(self) -> None:
        stream = reply(answering(["Hi", " there"], reason=None), HELLO)

        async def run() -> None:
            async for _ in stream:
                break
            await asyncio.sleep(0)

        asyncio.run(asyncio.wait_for(run(), WAIT_S))
        assert stream.generation.cancelled
        assert stream.message.content == "Hi"


class TestRequest:
    def test_sampling_gets_the_stop_strings_of_the_template(self) -> None:
        model = answering(["Hi"])
        reply(model, HELLO, sampling=SamplingSettings(stop=("END",), temperature=0))
        assert model.requests[0].sampling.stop == ("END", "<|im_end|>")
        assert model.requests[0].sampling.temperature == 0

    def test_stop_string_of_the_user_is_reported_the_templates_is_not(self) -> None:
        for stop, reported in (("END", "END"), ("<|im_end|>", None)):
            finished = list(reply(answering(["Hi"], stop_string=stop), HELLO))[-1]
            assert isinstance(finished, Finished)
            assert finished.stop_string == reported

    def test_affinity_is_passed_on(self) -> None:
        model = answering(["Hi"])
        reply(model, HELLO, affinity="a")
        assert model.requests[0].affinity == "a"

    def test_control_tokens_around_reasoning_are_preserved(self) -> None:
        model = answering(["Hi"])
        source = "{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}<think></think>"
        reply(model, HELLO, chat_template=source)
        assert model.requests[0].preserved_tokens == frozenset()
        marked = "{{ '<|im_start|>' + messages[-1].reasoning_content + '<|eot|>' }}"
        model.enqueue(["Hi"])
        reply(model, HELLO, chat_template=marked + "{{ messages[-1].content }}")
        shown = {CONTROL[token] for token in model.requests[1].preserved_tokens}
        assert shown == {"<|im_start|>", "<|eot|>"}

    def test_reasoning_format_none_leaves_tags_in_content(self) -> None:
        model = answering(["<think>hm</think>Hi"])
        stream = reply(model, HELLO, reasoning_format="none")
        list(stream)
        assert stream.message == ChatMessage(content="<think>hm</think>Hi")

    def test_template_kwargs_reach_the_template(self) -> None:
        stream: ReplyStream = reply(
            answering(["Hi"]),
            HELLO,
            chat_template="{{ effort }}{{ enable_thinking is defined }}",
            chat_template_kwargs={"effort": "high"},
        )
        assert stream.prompt.prompt == "highFalse"
