"""What has arrived of one reply: events in, the state that the output draws out."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llamanb.chat_layer.events import Finished, ReasoningDelta, TextDelta

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.chat_layer.events import ChatEvent

__all__ = ["Transcript"]


@dataclass(slots=True)
class Transcript:
    """One reply so far.

    Stages: made when the request is sent → ``add`` for every event → ``finished``.
    ``count_tokens`` gives the number of tokens generated until now; ``clock`` gives
    seconds and is replaced in tests.
    """

    count_tokens: Callable[[], int]
    n_prompt_tokens: int = 0
    clock: Callable[[], float] = time.perf_counter
    finished: Finished | None = None
    interrupted: bool = False
    reasoning_s: float = 0.0
    reasoning_tokens: int = 0
    version: int = 0
    _text: list[str] = field(default_factory=list)
    _reasoning: list[str] = field(default_factory=list)
    _begun_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._begun_s = self.clock()

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join(self._text)

    @property
    def reasoning(self) -> str:
        """The thinking so far."""
        return "".join(self._reasoning)

    @property
    def is_thinking(self) -> bool:
        """Whether there is thinking and no answer yet."""
        return bool(self._reasoning) and not self._text and self.finished is None

    @property
    def waited_s(self) -> int:
        """Whole seconds without anything to show; 0 as soon as there is something."""
        is_waiting = not (self._text or self._reasoning or self.finished)
        return int(self.clock() - self._begun_s) if is_waiting else 0

    def pieces_from(self, n_text: int, n_reasoning: int) -> tuple[list[str], list[str]]:
        """Give the pieces of answer and thinking after so many of each."""
        return self._text[n_text:], self._reasoning[n_reasoning:]

    def catch_up(self, text: str, reasoning: str) -> None:
        """Take in what was held back when the reply was cut short."""
        self._end_thinking()
        for pieces, whole in ((self._reasoning, reasoning), (self._text, text)):
            if missing := whole[len("".join(pieces)) :]:
                pieces.append(missing)

    def add(self, event: ChatEvent) -> None:
        """Take one event in."""
        self.version += 1
        if isinstance(event, TextDelta):
            self._end_thinking()
            self._text.append(event.text)
        elif isinstance(event, ReasoningDelta):
            self._reasoning.append(event.text)
        elif isinstance(event, Finished):
            self._end_thinking()
            self.finished = event
            self.reasoning_tokens = event.usage.get("reasoning_tokens", self.reasoning_tokens)

    def _end_thinking(self) -> None:
        if self._reasoning and not self._text and self.finished is None:
            self.reasoning_s = self.clock() - self._begun_s
            self.reasoning_tokens = self.count_tokens()
