"""Raw text in, events out: a parser that keeps state between pieces of text.

Whatever way the text is cut into pieces, the deltas join to the same message.
Each character is looked at a bounded number of times.
"""

from __future__ import annotations

from typing import Literal

from llamanb.chat_layer.events import ChatEvent, ReasoningDelta, TextDelta
from llamanb.chat_layer.prompt import ChatMessage, ChatPrompt, Syntax

__all__ = ["StreamParser", "parse"]

MAX_HELD_SPACES = 1024
_State = Literal["opening", "reasoning", "content"]


class StreamParser:
    """Tells reasoning from content in one reply.

    Stages: ``feed`` every piece as it comes → ``finish`` once at the end. Text
    that may still turn out to be a marker is held back until it is certain.
    """

    def __init__(self, prompt: ChatPrompt) -> None:
        self._syntax = prompt.syntax if prompt.reasoning_format != "none" else Syntax()
        is_thinking = prompt.thinking_open and bool(self._syntax.thinking_ends)
        self._state: _State = "reasoning" if is_thinking else "opening"
        self._held = ""
        self._at_start = is_thinking
        self._has_reasoned = is_thinking
        if not self._openers():
            self._state = "reasoning" if is_thinking else "content"

    @property
    def is_reasoning(self) -> bool:
        """Whether the text read so far ends inside reasoning."""
        return self._state == "reasoning"

    def feed(self, text: str) -> list[ChatEvent]:
        """Take more text; give what is certain by now."""
        events: list[ChatEvent] = []
        self._held += text
        while self._held and self._advance(events):
            pass
        return events

    def finish(self) -> list[ChatEvent]:
        """Give what was held back: nothing of the text is lost."""
        held, self._held = self._held, ""
        events: list[ChatEvent] = []
        _say(events, "reasoning" if self._state == "reasoning" else "content", held)
        return events

    def _advance(self, events: list[ChatEvent]) -> bool:
        """Take one step; say whether another may be possible."""
        if self._state == "opening":
            return self._read_opening(events)
        if self._state == "reasoning":
            return self._read_reasoning(events)
        _say(events, "content", self._held)
        self._held = ""
        return False

    def _openers(self) -> tuple[str, ...]:
        return (*self._syntax.thinking_starts, *self._syntax.content_starts)

    def _read_opening(self, events: list[ChatEvent]) -> bool:
        """Look for a marker at the beginning of the reply, or after reasoning."""
        text = self._held.lstrip()
        if self._has_reasoned:
            self._held = text
        n_spaces = len(self._held) - len(text)
        if n_spaces <= MAX_HELD_SPACES:
            opener = next((tag for tag in self._openers() if text.startswith(tag)), None)
            if opener is not None:
                self._open(opener, text)
                return True
            if not text or any(tag.startswith(text) for tag in self._openers()):
                return False
        self._state = "content"
        return True

    def _open(self, opener: str, text: str) -> None:
        self._held = text[len(opener) :]
        is_thinking = opener in self._syntax.thinking_starts
        self._state = "reasoning" if is_thinking else "content"
        self._at_start = is_thinking
        self._has_reasoned = self._has_reasoned or is_thinking

    def _read_reasoning(self, events: list[ChatEvent]) -> bool:
        """Pass reasoning on up to its end marker, without the white space at its edges."""
        if self._at_start:
            self._held = self._held.lstrip()
        found = _first_marker(self._held, self._syntax.thinking_ends)
        if found is not None:
            place, marker = found
            self._say_reasoning(events, self._held[: self._end_of_words(place)])
            self._held = self._held[place + len(marker) :]
            self._state = "opening"
            return True
        certain = len(self._held) - _partial_marker(self._held, self._syntax.thinking_ends)
        end = self._end_of_words(certain)
        self._say_reasoning(events, self._held[:end])
        self._held = self._held[end:]
        return False

    def _end_of_words(self, end: int) -> int:
        """Give where the white space before ``end`` begins, of which only so much is held."""
        return max(len(self._held[:end].rstrip()), end - MAX_HELD_SPACES)

    def _say_reasoning(self, events: list[ChatEvent], text: str) -> None:
        if text:
            self._at_start = False
        _say(events, "reasoning", text)


def _say(events: list[ChatEvent], kind: Literal["reasoning", "content"], text: str) -> None:
    if text:
        events.append(ReasoningDelta(text=text) if kind == "reasoning" else TextDelta(text=text))


def _first_marker(text: str, markers: tuple[str, ...]) -> tuple[int, str] | None:
    """Give the earliest marker; of those at one place the longest."""
    found = [(text.find(marker), -len(marker), marker) for marker in markers]
    places = [one for one in found if one[0] >= 0]
    if not places:
        return None
    place, _, marker = min(places)
    return place, marker


def _partial_marker(text: str, markers: tuple[str, ...]) -> int:
    """Give how many characters at the end may be the beginning of a marker."""
    longest = max(map(len, markers), default=1) - 1
    for length in range(min(longest, len(text)), 0, -1):
        tail = text[-length:]
        if any(marker.startswith(tail) for marker in markers):
            return length
    return 0


def parse(text: str, prompt: ChatPrompt, *, is_partial: bool = False) -> ChatMessage:
    r"""Take a whole output apart.

    Parameters
    ----------
    text : what the model wrote after ``prompt``.
    is_partial : whether more may come: then what may become a marker is left out.

    Examples
    --------
    >>> from llamanb.chat_layer import build
    >>> prompt = build(None, [{"role": "user", "content": "Hi"}])
    >>> parse("<think>\nHm.\n</think>\n\nHello!", prompt).content
    'Hello!'
    """
    parser = StreamParser(prompt)
    events = parser.feed(text)
    if not is_partial:
        events += parser.finish()
    reasoning = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
    content = "".join(event.text for event in events if isinstance(event, TextDelta))
    return ChatMessage(content=content, reasoning_content=reasoning)
