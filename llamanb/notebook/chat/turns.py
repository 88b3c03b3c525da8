"""Carry out turns: one at a time, in a thread of its own, seen by every page."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.events import Finished
from llamanb.errors import LlamanbError
from llamanb.notebook.chat.feed import Feed
from llamanb.notebook.chat.history import parts_of, question_of
from llamanb.notebook.chat.live import LiveTurn
from llamanb.notebook.chat.tree import TalkTree, Turn
from llamanb.notebook.footer import calls_note, model_label
from llamanb.notebook.messages import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from llamanb.conversation import Session, TalkStream
    from llamanb.notebook.chat.post import Post

__all__ = ["TurnDesk"]

Message = dict[str, Any]
MOST_STREAMS = 100  # with probabilities, a token of each takes about a kilobyte


class TurnDesk:
    """The turns of one session: the tree of them, and the one that goes on.

    Parameters
    ----------
    session : whose messages the path of the tree is; others may change them, too.
    post : the way to the pages.
    changed : called in a turn's thread when a turn is over, or with True when the path
        is another.

    Attributes
    ----------
    tree : every turn there has been.
    running : the turn that goes on.
    used : tokens of the context that the talk takes.
    streams : the engine's side of the last hundred turns, by their ids.
    models : who answered these turns; the session's may be another by now.
    """

    def __init__(self, session: Session, post: Post, changed: Callable[[bool], None]) -> None:
        self.session, self._post, self._changed = session, post, changed
        self.tree = TalkTree(_past)
        self.running: Turn | None = None
        self.used = 0
        self.streams: dict[str, TalkStream] = {}
        self.models: dict[str, Any] = {}
        self._turning = threading.RLock()
        self._own_thread: int | None = None
        self._stop = threading.Event()
        self.tree.adopt(session.messages)
        self._unsubscribe = session.subscribe(self._heard)

    # ---- what pages and users ask for --------------------------------------------------

    def ask(
        self,
        place: Callable[[], Turn | None],
        content: str,
        live: LiveTurn,
        options: dict[str, Any],
    ) -> Turn:
        """Let the talk go on with a question, and wait for the answer's end.

        ``place`` gives the turn before it, once nobody else can change the talk.
        """
        with self.alone(), ExitStack() as held:
            held.enter_context(self.session.alone())
            self._follow()
            after = place()
            before = self._messages_to(after)

            def begin() -> TalkStream:
                with held.pop_all():
                    self._say(before)
                    return self.session.stream(content, **options)

            said = {"role": "user", "content": content}
            return self._run(after, live, content, [said], begin)

    def end(self) -> Turn | None:
        """Give the last turn of the talk."""
        path = self.tree.path
        return path[-1] if path else None

    def go_on(
        self,
        after: Turn | None,
        said: Sequence[Message],
        live: LiveTurn,
        options: dict[str, Any],
        prepare: Callable[[LiveTurn], Sequence[Message]] = lambda _: (),
    ) -> Turn:
        """Let the model answer ``said``, a turn's messages so far, and what ``prepare`` adds."""
        with self.alone():
            before, noted = self._messages_to(after), list(said)

            def begin() -> TalkStream:
                noted.extend(prepare(live))
                with self.session.alone():
                    self._keep_what_others_said()
                    self._say([*before, *noted])
                    return self.session.go_on(**options)

            return self._run(after, live, question_of(noted), noted, begin)

    def show(self, turn: Turn | None, *, is_end: bool = False) -> None:
        """Make another path the talk; with ``is_end`` nothing follows ``turn``."""
        with self.alone():
            with self._post.lock:
                if is_end or turn is None:
                    self.tree.end_with(turn)
                else:
                    self.tree.show(turn)
            self._say(self.tree.messages)
            self._changed(True)  # noqa: FBT003  # the callback's only flag

    def stop(self) -> None:
        """Stop what goes on; what there is stays."""
        self._stop.set()
        running = self.running
        stream = self.streams.get(running.id) if running else None
        if stream is not None:
            stream.cancel()

    @property
    def stopping(self) -> threading.Event:
        """Set while the turn that goes on is to end."""
        return self._stop

    def close(self) -> None:
        """Stop, and follow the session no more."""
        self._unsubscribe()
        self.stop()

    # ---- one turn -----------------------------------------------------------------------

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Have the talk for oneself, as it is now; harmless when repeated inside.

        What goes on is stopped first, a cell's answer, too, and what cells have said is
        in the tree: nothing that is done then can overwrite it.
        """
        if self._own_thread == threading.get_ident():
            yield
            return
        self.stop()
        try:
            with self._turning, self._as_own_thread():
                self._stop.clear()
                self.session.stop()
                self._follow()
                yield
        finally:
            self._follow()

    @contextmanager
    def _as_own_thread(self) -> Iterator[None]:
        """Do not listen to what this thread changes."""
        self._own_thread = threading.get_ident()
        try:
            yield
        finally:
            self._own_thread = None

    def _messages_to(self, turn: Turn | None) -> list[Message]:
        return [*self.tree.messages_before(turn), *turn.messages] if turn else []

    def _keep_what_others_said(self) -> None:
        """Have it in the tree, beside the turn that goes on."""
        with self._post.lock:
            self.tree.adopt(list(self.session.messages))
            self.tree.end_with(self.running)

    def _say(self, messages: Sequence[Message]) -> None:
        if self.session.messages != messages:
            self.session.replace_messages(messages)

    def _run(
        self,
        after: Turn | None,
        live: LiveTurn,
        content: str,
        said: list[Message],
        begin: Callable[[], TalkStream],
    ) -> Turn:
        turn = self._begin(after, live, content)
        feed = Feed(self._post, turn.id, live, lambda: self._stat(turn))
        try:
            stream = begin()
            self._keep(turn, stream)
            live.count_tokens = lambda: _n_tokens(stream)
            live.count_rounds = lambda: len(stream.generations)
            live.begin_stream()
            if self._stop.is_set():
                stream.cancel()
            with stream:
                self._read(stream, said, live, feed)
            turn.messages = [*said, *stream.messages]
            self._note_end(stream, live, self.models[turn.id])
        except LlamanbError as error:
            live.fail(one_line(error))
            self._say(self.tree.messages)
        finally:
            self._end(feed, turn)
        return turn

    def _read(self, stream: TalkStream, said: list[Message], live: LiveTurn, feed: Feed) -> None:
        """Follow the stream to its end; an interrupt is an end like any other."""
        try:
            for event in stream:
                live.add(event)
                feed.wake()
        except KeyboardInterrupt:
            stream.close()
            # What was being told is lost, but the messages have it; the page asks for them.
            live.begin_anew(parts_of([*said, *stream.messages]))
            live.add(stream.finished or Finished(reason="cancelled"))

    def _begin(self, after: Turn | None, live: LiveTurn, content: str) -> Turn:
        with self._post.lock:
            turn = self.running = self.tree.add(after, live, content=content)
            row = live.row(**self.place(turn))
            self._post.tell("begin", {"after": after.id if after else "", "turn": row})
        return turn

    def _end(self, feed: Feed, turn: Turn) -> None:
        try:
            feed.close()
        finally:  # whatever goes wrong with drawing it: the page must not wait for ever
            self._finish(turn)

    def _finish(self, turn: Turn) -> None:
        with self._post.lock:
            if turn.live.status == "running":  # something unforeseen: never leave a turn open
                turn.live.fail("the turn ended unexpectedly")
            self.running = None
            row = turn.live.summary(**self.place(turn))
            self._post.tell("done", {"turn": row, "sizes": turn.live.sizes})
        self._changed(False)  # noqa: FBT003  # the callback's only flag

    def _keep(self, turn: Turn, stream: TalkStream) -> None:
        self.models[turn.id] = self.session.model
        self.streams[turn.id] = stream
        if len(self.streams) > MOST_STREAMS:
            oldest = next(iter(self.streams))
            del self.streams[oldest], self.models[oldest]

    def _note_end(self, stream: TalkStream, live: LiveTurn, model: Any) -> None:
        finished = stream.finished
        if finished is None:
            return
        usage, times = finished.usage, finished.timings
        count = usage.get("completion_tokens", 0)
        speed = times.get("tokens_per_s", 0.0)
        facts = [
            f"{'stopped after ' * (finished.reason == 'cancelled')}{count:,} token{'s' * (count != 1)}",
            "cut at the token limit" if finished.reason == "length" else "",
            f"{speed:,.1f} tokens/s" if speed else "",
            calls_note(finished),
            model_label(model),
        ]
        live.footer = " · ".join(filter(None, facts))
        prompt, cached = usage.get("prompt_tokens", 0), usage.get("cached_tokens", 0)
        live.reused = f"{cached:,} of {prompt:,} tokens reused" if cached else ""
        generation = stream.generation
        self.used = len(generation.request.prompt_tokens) + generation.n_tokens

    def _stat(self, turn: Turn) -> dict[str, Any]:
        stream = self.streams.get(turn.id)
        seconds = int(time.perf_counter() - turn.live.began_s)
        stat = {"phase": turn.live.phase, "seconds": seconds}
        if stream is None:
            return {**stat, "tokens": 0, "tokens_per_s": 0.0, "used": self.used, "n_ctx": 0}
        generation = stream.generation
        status: Any = getattr(self.models.get(turn.id), "perf", dict)()
        return {
            **stat,
            "tokens": _n_tokens(stream),
            "tokens_per_s": round(float(status.get("tokens_per_s", 0.0)), 1),
            "used": len(generation.request.prompt_tokens) + generation.n_tokens,
            "n_ctx": int(status.get("n_ctx", 0)),
        }

    def place(self, turn: Turn) -> dict[str, Any]:
        """Give where a turn stands in the talk, and what can be looked at."""
        path = self.tree.path
        has = ["prompt", "grammar", "raw", "tokens"] if turn.id in self.streams else []
        return {
            "id": turn.id,
            "number": path.index(turn) + 1 if turn in path else 0,
            "siblings": [one.id for one in self.tree.siblings(turn)],
            "has": has,
        }

    # ---- others write, too ----------------------------------------------------------------

    def _heard(self) -> None:
        """Take note of a change in the thread that made it: nothing here may wait."""
        if threading.get_ident() != self._own_thread:
            threading.Thread(target=self._follow, name="llamanb-chat-sync", daemon=True).start()

    def _follow(self) -> None:
        with self._turning:
            with self._post.lock:
                is_new = self.tree.adopt(list(self.session.messages))
            if is_new:
                self._changed(True)  # noqa: FBT003  # the callback's only flag


def _past(messages: Sequence[Message]) -> LiveTurn:
    return LiveTurn(question_of(messages), parts=parts_of(messages))


def _n_tokens(stream: TalkStream) -> int:
    return sum(generation.n_tokens for generation in stream.generations)
