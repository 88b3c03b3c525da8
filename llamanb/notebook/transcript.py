"""What has arrived of one reply: events in, the state that the output draws out."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from llamanb.chat_layer.events import (
    Finished,
    ReasoningDelta,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallEnd,
    ToolCallStart,
    ToolResult,
)
from llamanb.notebook.calls import Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.chat_layer.events import ChatEvent

__all__ = ["Part", "Transcript"]

Part = str | Call
ToolEvent = ToolCallStart | ToolArgumentsDelta | ToolCallEnd | ToolResult


@dataclass(slots=True)
class Transcript:
    """One reply so far.

    Stages: made when the request is sent → ``add`` for every event → ``finished``.
    ``count_tokens`` gives the number of tokens generated until now; ``clock`` gives
    seconds and is replaced in tests. ``events`` is all that has come, in order;
    ``version`` changes with everything that can be seen.
    """

    count_tokens: Callable[[], int]
    n_prompt_tokens: int = 0
    clock: Callable[[], float] = time.perf_counter
    finished: Finished | None = None
    interrupted: bool = False
    reasoning_s: float = 0.0
    reasoning_tokens: int = 0
    version: int = 0
    events: list[ChatEvent] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    _text: list[str] = field(default_factory=list)
    _reasoning: list[str] = field(default_factory=list)
    _texts_before: list[int] = field(default_factory=list)
    _begun_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._begun_s = self.clock()

    @property
    def text(self) -> str:
        """All that was said, before and after calls."""
        return "".join(self._text)

    @property
    def reasoning(self) -> str:
        """The thinking so far."""
        return "".join(self._reasoning)

    @property
    def is_thinking(self) -> bool:
        """Whether there is thinking and no answer yet."""
        return bool(self._reasoning) and not (self._text or self.calls or self.finished)

    @property
    def waited_s(self) -> int:
        """Whole seconds without anything to show; 0 as soon as there is something."""
        is_waiting = not (self._text or self._reasoning or self.calls or self.finished)
        return int(self.clock() - self._begun_s) if is_waiting else 0

    @property
    def parts(self) -> list[Part]:
        """Texts and calls in the order in which they came."""
        ends = [*self._texts_before, len(self._text)]
        texts = ["".join(self._text[a:b]) for a, b in pairwise([0, *ends])]
        around = [part for pair in zip(texts, self.calls, strict=False) for part in pair]
        return [part for part in [*around, texts[-1]] if isinstance(part, Call) or part.strip()]

    @property
    def answer(self) -> str:
        """The last text: what was said before a call is not the answer any more."""
        texts = [part for part in self.parts if isinstance(part, str)]
        return texts[-1] if texts else ""

    def call(self, identity: str) -> Call | None:
        """Give the call with this id."""
        return next((call for call in self.calls if call.id == identity), None)

    def catch_up(self, text: str, reasoning: str) -> None:
        """Take in what was held back when the reply was cut short."""
        self._end_thinking()
        if missing := reasoning[len(self.reasoning) :]:
            self._reasoning.append(missing)
            self.events.append(ReasoningDelta(text=missing))
        if missing := text[len(self.text) :]:
            self._text.append(missing)
            self.events.append(TextDelta(text=missing))

    def add(self, event: ChatEvent) -> None:
        """Take one event in."""
        self.version += 1
        self.events.append(event)
        match event:
            case TextDelta(text=text):
                self._end_thinking()
                self._text.append(text)
            case ReasoningDelta(text=text):
                self._reasoning.append(text)
            case Finished():
                self._end_thinking()
                self.finished = event
                for call in self.calls:
                    call.is_pending = False
                self.reasoning_tokens = event.usage.get("reasoning_tokens", self.reasoning_tokens)
            case _:
                self._add_to_calls(event)

    def _add_to_calls(self, event: ToolEvent) -> None:
        match event:
            case ToolCallStart():
                self._end_thinking()
                self.calls.append(Call(id=event.id, name=event.name))
                self._texts_before.append(len(self._text))
            case ToolArgumentsDelta(index=index, text=text):
                self.calls[index].arguments += text
            case ToolCallEnd(index=index, arguments=arguments):
                self.calls[index].arguments = arguments
                self.calls[index].is_whole = self.calls[index].is_pending = True
            case ToolResult(id=identity):
                if call := self.call(identity):
                    call.answered(event)

    def _end_thinking(self) -> None:
        if self.is_thinking:
            self.reasoning_s = self.clock() - self._begun_s
            self.reasoning_tokens = self.count_tokens()
