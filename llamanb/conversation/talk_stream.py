"""One turn of a talk: replies and tool calls in turns, as one stream of events."""

from __future__ import annotations

import threading
from contextlib import aclosing, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, cast

from llamanb import errors
from llamanb.conversation.talk_round import NORMAL_ENDS, Round
from llamanb.conversation.talk_summary import summed
from llamanb.conversation.tools import ToolOutcome
from llamanb.conversation.tools.answering import ToolAnswers
from llamanb.conversation.tools.threads import STOPPED
from llamanb.models.event_stream import EventStream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from llamanb.chat_layer import ChatEvent, ChatMessage, ChatPrompt, Finished, ToolCall
    from llamanb.conversation.reply import ReplyStream
    from llamanb.conversation.tool_use import ToolUse
    from llamanb.engine import Generation

__all__ = ["TalkStream", "TurnPlan"]

_NOT_YET = "there is no result yet"
_NOT_RUN = {"cancelled": STOPPED, "stop": "not run: there were too many rounds of tool calls"}
_CUT = "not run: the reply was cut short"


class _Beginner(Protocol):
    def __call__(self, messages: list[dict[str, Any]], tool_choice: Any) -> ReplyStream: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPlan:
    """How a turn is carried out.

    Attributes
    ----------
    begin : starts the reply to the talk so far and these further messages.
    tool_use : the tools, who allows their calls, and how many rounds there may be.
    known_ids : ids of the calls that the talk has already.
    on_finish : called once, when the turn is over, before anybody is told.
    """

    begin: _Beginner
    tool_use: ToolUse
    known_ids: frozenset[str] = frozenset()
    on_finish: Callable[[TalkStream], None] | None = None


class TalkStream(EventStream):
    """A turn on its way. Stages: made → iterated once, by ``for`` or ``async for`` → over.

    Gives the :data:`ChatEvent` values of all its rounds, a ``ToolResult`` for each
    call, and exactly one ``Finished`` at the very end, also after ``cancel`` and
    after an error. Leaving the loop early cancels the turn.

    Attributes
    ----------
    finished : the last event; None while the turn goes on. ``usage`` counts the
        completion tokens of all rounds and the prompt tokens of the last;
        ``extra["rounds"]`` says how many replies there were, and
        ``extra["round_limit_reached"]`` is there if the last had to do without tools.
    """

    READ_AGAIN = "a turn can be iterated once; read its .messages instead"

    def __init__(self, plan: TurnPlan) -> None:
        super().__init__()
        self.finished: Finished | None = None
        self._plan = plan
        self._stop = threading.Event()
        self._answers = ToolAnswers(plan.tool_use.tools, plan.tool_use.approve, self._stop)
        self._error: errors.LlamanbError | None = None
        self._taken_ids = set(plan.known_ids)
        reply = plan.begin([], plan.tool_use.tool_choice)
        self._rounds = [Round(reply, first_index=0, taken_ids=self._taken_ids)]

    # ---- what there is so far -------------------------------------------------------

    @property
    def prompt(self) -> ChatPrompt:
        """What the model was given, in the last round."""
        return self._rounds[-1].reply.prompt

    @property
    def generation(self) -> Generation:
        """The engine's side of the last round."""
        return self._rounds[-1].reply.generation

    @property
    def generations(self) -> tuple[Generation, ...]:
        """The engine's side of every round."""
        return tuple(one.reply.generation for one in self._rounds)

    @property
    def rounds(self) -> tuple[tuple[Generation, ChatPrompt, tuple[str, ...]], ...]:
        """Of every round the engine's side, the prompt, and the ids of its whole calls."""
        return tuple(
            (one.reply.generation, one.reply.prompt, tuple(call.id for call in one.calls))
            for one in self._rounds
        )

    @property
    def message(self) -> ChatMessage:
        """The assistant's last message, as far as it has been read."""
        return self._rounds[-1].message

    @property
    def text(self) -> str:
        """All content so far: the text of every round, joined as it came."""
        return "".join(one.message.content for one in self._rounds)

    @property
    def reasoning(self) -> str:
        """All reasoning so far, joined as it came."""
        return "".join(one.message.reasoning_content for one in self._rounds)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The new messages of this turn: OpenAI dictionaries, each call with its result.

        Only calls that come back to the caller (``reason`` is ``"tool_calls"``) are
        left without one.
        """
        with self._lock:
            filler = _NOT_YET if self.finished is None else None
            return [message for one in self._rounds for message in one.messages(filler)]

    @property
    def open_calls(self) -> list[ToolCall]:
        """The calls that the caller is to answer, with ``Session.resume``."""
        is_open = self.finished is not None and self.finished.reason == "tool_calls"
        return self._rounds[-1].unanswered if is_open else []

    def raise_for_error(self) -> None:
        """Raise the error that ended the turn, if one did."""
        if self._error is not None:
            raise self._error
        if self.finished is not None and self.finished.reason == "error":
            self.generation.raise_for_error()
            raise errors.EngineError(self.finished.error or "the reply failed")

    # ---- its life ---------------------------------------------------------------------

    def cancel(self) -> None:
        """Stop the turn soon, from any thread; what there is stays."""
        self._stop.set()
        self._rounds[-1].reply.cancel()

    def close(self) -> None:
        """Cancel the turn if it goes on, and settle its messages."""
        self.cancel()
        self._settle()

    def _read(self) -> Generator[ChatEvent]:
        try:
            while True:
                with closing(cast("Generator[ChatEvent]", iter(self._rounds[-1].reply))) as events:
                    for event in events:
                        yield from self._heard(event)
                for call in self._calls_to_run():
                    outcome = self._answers.answer(call, len(self._rounds))
                    yield from self._answered(call, outcome)
                if not self._begin_round():
                    break
            yield from self._last_events()
        finally:
            self.close()

    async def _read_async(self) -> AsyncGenerator[ChatEvent]:
        try:
            while True:
                reply = aiter(self._rounds[-1].reply)
                async with aclosing(cast("AsyncGenerator[ChatEvent]", reply)) as events:
                    async for event in events:
                        for heard in self._heard(event):
                            yield heard
                for call in self._calls_to_run():
                    outcome = await self._answers.answer_async(call, len(self._rounds))
                    for result in self._answered(call, outcome):
                        yield result
                if not self._begin_round():
                    break
            for last in self._last_events():
                yield last
        finally:
            self.close()

    # ---- its steps --------------------------------------------------------------------

    def _heard(self, event: ChatEvent) -> list[ChatEvent]:
        with self._lock:
            if self.finished is not None:  # closed from another thread: its messages are settled
                return []
            return list(self._rounds[-1].heard(event))

    def _calls_to_run(self) -> list[ToolCall]:
        """Give the calls of this round, less those that only the caller can carry out."""
        ended, use = self._rounds[-1].reply.finished, self._plan.tool_use
        is_over = ended is None or ended.reason not in NORMAL_ENDS
        if is_over or not use.max_rounds or self._is_beyond_limit:
            return []
        return [call for call in self._rounds[-1].calls if not use.is_described_only(call.name)]

    def _answered(self, call: ToolCall, outcome: ToolOutcome) -> list[ChatEvent]:
        with self._lock:
            if self.finished is not None:
                return []
            self._rounds[-1].answered(call, outcome)
            return [*self._rounds[-1].untold()]

    def _begin_round(self) -> bool:
        """Let the model read the results; False if the turn is over."""
        last = self._rounds[-1]
        if self._stop.is_set() or not last.results or last.unanswered or self._is_beyond_limit:
            return False
        choice = self._plan.tool_use.next_choice(len(self._rounds))
        try:
            reply = self._plan.begin(self.messages, choice)
        except errors.LlamanbError as error:
            self._error = error
            return False
        return self._taken_over(
            Round(reply, first_index=last.next_index, taken_ids=self._taken_ids)
        )

    def _taken_over(self, following: Round) -> bool:
        with self._lock:
            if self.finished is None:
                self._rounds.append(following)
        if self._stop.is_set():  # set while the reply began
            following.reply.cancel()
        return self.finished is None

    @property
    def _is_beyond_limit(self) -> bool:
        """Whether the last reply was to do without tools."""
        return 0 < self._plan.tool_use.max_rounds < len(self._rounds)

    def _last_events(self) -> list[ChatEvent]:
        """Give the results of calls that were not run, and how the turn ended."""
        with self._lock:
            finished = self._settle()
            return [*self._rounds[-1].untold(), finished]

    def _settle(self) -> Finished:
        with self._lock:
            if self.finished is not None:
                return self.finished
            last = self._rounds[-1]
            last.reply.close()
            finished = self._summary()
            if finished.reason != "tool_calls":
                text = _NOT_RUN.get(finished.reason, _CUT)
                for call in last.unanswered:
                    last.answered(call, ToolOutcome(content=text, is_error=True))
            self.finished = finished
            if self._plan.on_finish is not None:  # before another thread sees that it is over
                self._plan.on_finish(self)
        return finished

    def _summary(self) -> Finished:
        total = replace(summed(self._rounds), reason=self._reason())
        if self._is_beyond_limit:
            total.extra["round_limit_reached"] = True
        if self._error is None:
            return total
        return replace(total, error=str(self._error), error_type=type(self._error).__name__)

    def _reason(self) -> Any:
        last = self._rounds[-1]
        ended = last.reply.finished
        if self._error is not None:
            return "error"
        if ended is None or ended.reason not in NORMAL_ENDS:
            return ended.reason if ended else "cancelled"
        if self._stop.is_set() and last.calls:
            return "cancelled"
        return "tool_calls" if last.unanswered and not self._is_beyond_limit else "stop"
