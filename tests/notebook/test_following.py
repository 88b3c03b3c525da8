"""Following a reply: every event arrives, and an interrupt keeps what there was."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from llamanb.chat_layer.events import ChatEvent, Finished, TextDelta
from llamanb.notebook.following import follow, follow_async
from llamanb.notebook.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


class _ScriptedReply:
    """A reply that says its pieces, then stays open until it is cancelled."""

    def __init__(self, *pieces: str, stays_open: bool = False, is_deaf: bool = False) -> None:
        self._pieces = pieces
        self._stays_open = stays_open
        self._is_deaf = is_deaf
        self._cancelled = asyncio.Event()
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True
        if not self._is_deaf:
            self._cancelled.set()

    def __iter__(self) -> Iterator[ChatEvent]:
        yield from (TextDelta(text=piece) for piece in self._pieces)
        if self._stays_open:
            raise KeyboardInterrupt
        yield Finished(reason="stop")

    async def __aiter__(self) -> AsyncIterator[ChatEvent]:
        for piece in self._pieces:
            yield TextDelta(text=piece)
        if self._stays_open:
            await self._cancelled.wait()
        yield Finished(reason="cancelled" if self.is_cancelled else "stop")


class _Screen:
    """An output that remembers what it was shown."""

    remaining_s = 0.0
    shows_speed = True

    def __init__(self, on_draw: Any = None) -> None:
        self.shown: list[str] = []
        self._on_draw = on_draw

    def begin(self) -> None:
        pass

    def draw(self, transcript: Transcript, *, at_once: bool = False) -> None:
        del at_once
        self.shown.append(transcript.text)
        if self._on_draw:
            self._on_draw()

    def finish(self, transcript: Transcript, footer: str, metadata: dict[str, Any]) -> None:
        pass


def test_sync_following_draws_every_event() -> None:
    screen, transcript = _Screen(), Transcript(lambda: 0)
    follow(_ScriptedReply("a", "b"), transcript, screen)
    assert screen.shown == ["a", "ab", "ab"]
    assert transcript.finished == Finished(reason="stop")


def test_ctrl_c_cancels_and_keeps_the_text() -> None:
    reply, transcript = _ScriptedReply("a", stays_open=True), Transcript(lambda: 0)
    follow(reply, transcript, _Screen())
    assert reply.is_cancelled
    assert transcript.interrupted
    assert transcript.text == "a"


def test_async_following_reaches_the_end() -> None:
    transcript = Transcript(lambda: 0)
    asyncio.run(follow_async(_ScriptedReply("a", "b"), transcript, _Screen()))
    assert transcript.text == "ab"
    assert transcript.finished == Finished(reason="stop")


def test_a_cancelled_task_keeps_the_text_and_ends_normally() -> None:
    async def interrupt_while_following() -> tuple[_ScriptedReply, Transcript, bool]:
        reply, transcript = _ScriptedReply("a", stays_open=True), Transcript(lambda: 0)
        drawn = asyncio.Event()
        task = asyncio.ensure_future(follow_async(reply, transcript, _Screen(drawn.set)))
        await drawn.wait()
        task.cancel()
        await task
        return reply, transcript, task.cancelled()

    reply, transcript, was_cancelled = asyncio.run(interrupt_while_following())
    assert reply.is_cancelled
    assert transcript.interrupted
    assert transcript.finished == Finished(reason="cancelled")
    assert not was_cancelled


def test_a_second_interrupt_and_a_reply_that_does_not_end_keep_the_text() -> None:
    async def interrupt_twice() -> tuple[Transcript, bool]:
        reply = _ScriptedReply("a", stays_open=True, is_deaf=True)
        transcript, drawn = Transcript(lambda: 0), asyncio.Event()
        task = asyncio.ensure_future(follow_async(reply, transcript, _Screen(drawn.set)))
        await drawn.wait()
        for _ in range(2):
            task.cancel()
            await asyncio.wait({task}, timeout=0.05)
        await task
        return transcript, task.cancelled()

    transcript, was_cancelled = asyncio.run(asyncio.wait_for(interrupt_twice(), 20))
    assert transcript.interrupted
    assert transcript.text == "a"
    assert not was_cancelled


def _fail() -> None:
    raise LookupError("no such display")


def test_a_failing_display_cancels_the_reply() -> None:
    reply = _ScriptedReply("a")
    with pytest.raises(LookupError):
        follow(reply, Transcript(lambda: 0), _Screen(_fail))
    assert reply.is_cancelled


def test_a_failing_display_cancels_an_awaited_reply_and_waits_for_its_end() -> None:
    async def follow_on_a_broken_screen() -> tuple[_ScriptedReply, int]:
        reply = _ScriptedReply("a", stays_open=True)
        with pytest.raises(LookupError):
            await follow_async(reply, Transcript(lambda: 0), _Screen(_fail))
        return reply, len(asyncio.all_tasks())

    reply, n_tasks = asyncio.run(follow_on_a_broken_screen())
    assert reply.is_cancelled
    assert n_tasks == 1


def test_an_idle_reply_still_ticks() -> None:
    """The heartbeat: an interrupt of an idle await arrives at the next loop event."""

    async def count_ticks() -> int:
        reply = _ScriptedReply(stays_open=True)
        ticks = iter(range(5))

        def cancel_after_five() -> None:
            if next(ticks, None) is None:
                reply.cancel()

        screen = _Screen(cancel_after_five)
        await follow_async(reply, Transcript(lambda: 0), screen)
        return len(screen.shown)

    assert asyncio.run(asyncio.wait_for(count_ticks(), 5)) >= 5
