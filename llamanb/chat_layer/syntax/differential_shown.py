"""What a template shows of past calls: renderings of odd words, cut to the calls."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.probe import TOOL, USER, Messages, probe, try_render
from llamanb.chat_layer.syntax.differential_texts import CALL_ID, shared_start
from llamanb.chat_layer.thinking import read_markers

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NAMES", "Past", "past_of"]

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
    thinking_ends : what ends reasoning.
    """

    source: str
    takes_objects: bool
    takes_text: bool
    openings: tuple[str, ...]
    turn_end: str
    thinking_ends: tuple[str, ...]

    def shows(self, *calls: Arguments, call_ids: tuple[str, ...] = CALL_IDS) -> str:
        """Give the text from the first call on, to the end of the turn; "" if there is none.

        ``CALL_ID`` stands in it for every id.
        """
        for conversation in self._conversations(calls, call_ids):
            shown = self._from_first_call(_render(self.source, conversation))
            if shown:
                for one in call_ids:
                    shown = shown.replace(one, CALL_ID)
                return shown
        return ""

    def _conversations(
        self, calls: tuple[Arguments, ...], call_ids: tuple[str, ...]
    ) -> Iterator[Messages]:
        """Give a conversation with ``calls``, without their results and with them."""
        made = [
            {
                "id": one,
                "type": "function",
                "function": {"name": name, "arguments": self._ready(of)},
            }
            for one, name, of in zip(call_ids, NAMES, calls, strict=False)
        ]
        content: Any = "" if self.takes_text else [{"type": "text", "text": ""}]
        messages = [USER, {"role": "assistant", "content": content, "tool_calls": made}]
        yield messages
        results = [
            {"role": "tool", "tool_call_id": call["id"], "name": "qZresultZq", "content": _END}
            for call in made
        ]
        yield [*messages, *results]

    def _from_first_call(self, shown: str) -> str:
        first = shown.find(NAMES[0])
        if first < 0 or len(shown) - first > MAX_SHOWN_CHARS:
            return ""
        begin = max(min(shared_start(shown, one), first) for one in self.openings)
        ends = [
            shown.rfind(end, 0, first) + len(end)
            for end in self.thinking_ends
            if end in shown[:first]
        ]
        return self._without_turn_end(shown[max([begin, *ends]) :].lstrip())

    @property
    def takes_long_ids(self) -> bool:
        """Whether ids may be other than nine letters and digits."""
        return bool(self.shows({}, call_ids=(_LONG_ID,)))

    def _ready(self, arguments: Arguments) -> Arguments | str:
        return arguments if self.takes_objects else json.dumps(arguments, ensure_ascii=False)

    def _without_turn_end(self, shown: str) -> str:
        shown = shown.partition(_END)[0]
        ended = shown.rstrip()
        if self.turn_end and ended.endswith(self.turn_end):
            return ended.removesuffix(self.turn_end)
        return shown


def past_of(source: str) -> Past:
    """Render what is the same for all calls."""
    able = probe(source)
    answer: Any = _ANSWER if able.string_content else [{"type": "text", "text": _ANSWER}]
    answered = _render(source, [USER, {"role": "assistant", "content": answer}])
    opened = _render(source, [USER], add_generation_prompt=True)
    after = answered.partition(_ANSWER)[2].partition(_END)[0]
    return Past(
        source=source,
        takes_objects=able.object_arguments,
        takes_text=able.string_content,
        openings=(opened, answered),
        turn_end=after.strip(),
        thinking_ends=read_markers(source).syntax.thinking_ends,
    )


def _render(source: str, messages: Messages, **variables: Any) -> str:
    return try_render(source, messages, tools=[TOOL], eos_token=_END, **variables)
