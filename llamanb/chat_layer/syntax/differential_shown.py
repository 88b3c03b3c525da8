"""What a template shows of past calls: renderings of odd words, cut to the calls."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from llamanb.chat_layer.probe import TOOL, USER, Messages, probe, try_render
from llamanb.chat_layer.syntax.differential_texts import shared_start
from llamanb.chat_layer.thinking import read_markers

__all__ = ["CALL_IDS", "NAMES", "Past", "past_of"]

NAMES = ("qZfirstZq", "qZsecondcallZq")
CALL_IDS = ("qZid001Zq", "qZid002Zq")  # nine letters and digits: Mistral's templates ask for it
MAX_SHOWN_CHARS = 20_000
_LONG_ID = "call_qZlongidZq-1"
_ANSWER, _END = "qZanswerZq", "qZeosZq"
Arguments = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A template, and what it shows where no calls were made.

    Attributes
    ----------
    openings : conversations up to the assistant's words, or with other words.
    turn_end : what follows the words of an assistant.
    """

    source: str
    takes_objects: bool
    takes_text: bool
    openings: tuple[str, ...]
    turn_end: str

    def shows(self, *calls: Arguments, content: str = "", call_ids: tuple[str, ...] = ()) -> str:
        """Give the text from the first call on, to the end of the turn; "" if there is none."""
        made = [
            {
                "id": one,
                "type": "function",
                "function": {"name": name, "arguments": self._ready(of)},
            }
            for one, name, of in zip(call_ids or CALL_IDS, NAMES, calls, strict=False)
        ]
        turn = {"role": "assistant", "content": self._content(content), "tool_calls": made}
        shown = _render(self.source, [USER, turn])
        first = shown.find(NAMES[0], max(shared_start(shown, one) for one in self.openings))
        if first < 0 or len(shown) - first > MAX_SHOWN_CHARS:
            return ""
        begin = max(min(shared_start(shown, one), first) for one in self.openings)
        begin = max(begin, *(self._after(shown, end, first) for end in self._thinking_ends()), 0)
        return self._without_turn_end(shown[begin:].lstrip())

    @property
    def takes_long_ids(self) -> bool:
        """Whether ids may be other than nine letters and digits."""
        return bool(self.shows({}, call_ids=(_LONG_ID,)))

    def _ready(self, arguments: Arguments) -> Arguments | str:
        return arguments if self.takes_objects else json.dumps(arguments, ensure_ascii=False)

    def _content(self, text: str) -> Any:
        return text if self.takes_text else [{"type": "text", "text": text}]

    def _thinking_ends(self) -> tuple[str, ...]:
        return (*read_markers(self.source).syntax.thinking_ends, "\0")

    @staticmethod
    def _after(shown: str, marker: str, before: int) -> int:
        place = shown.rfind(marker, 0, before)
        return place + len(marker) if place >= 0 else 0

    def _without_turn_end(self, shown: str) -> str:
        shown = shown.partition(_END)[0]
        ended = shown.rstrip()
        if self.turn_end and ended.endswith(self.turn_end):
            return ended.removesuffix(self.turn_end)
        return shown


def past_of(source: str) -> Past:
    """Render what is the same for all calls."""
    able = probe(source)
    texts = [_assistant(able.string_content, text) for text in ("", _ANSWER)]
    answered = [_render(source, [USER, turn]) for turn in texts]
    opened = _render(source, [USER], add_generation_prompt=True)
    after = answered[1].partition(_ANSWER)[2].partition(_END)[0]
    return Past(
        source=source,
        takes_objects=able.object_arguments,
        takes_text=able.string_content,
        openings=(*answered, opened),
        turn_end=after.strip(),
    )


def _assistant(takes_text: bool, text: str) -> dict[str, Any]:  # noqa: FBT001
    content: Any = text if takes_text else [{"type": "text", "text": text}]
    return {"role": "assistant", "content": content}


def _render(source: str, messages: Messages, **variables: Any) -> str:
    return try_render(source, messages, tools=[TOOL], eos_token=_END, **variables)
