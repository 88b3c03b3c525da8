"""What there is to see of one turn, and what is new of it for the page."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.events import (
    Finished,
    ReasoningDelta,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallEnd,
    ToolCallStart,
    ToolResult,
)
from llamanb.notebook.blocks import MarkdownStream
from llamanb.notebook.calls import Call
from llamanb.notebook.chat.parts import Thought, TurnView
from llamanb.notebook.clean_text import clean_text, encodable
from llamanb.notebook.highlight import highlight_code
from llamanb.notebook.markdown import render_html

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llamanb.chat_layer.events import ChatEvent
    from llamanb.notebook.chat.parts import Attachment, Part

__all__ = ["LiveTurn"]

Row = dict[str, Any]
_STATUS = {"cancelled": "stopped", "error": "error"}


@dataclass(slots=True, kw_only=True)
class _Text:
    """A text of the answer; ``thought`` is set where it is thinking."""

    text: list[str] = field(default_factory=list)
    stream: MarkdownStream = field(default_factory=MarkdownStream)
    thought: Thought | None = None
    begun_s: float = 0.0
    begun_tokens: int = 0
    heading_shown: str = ""

    def grow(self, text: str) -> None:
        self.text.append(text)
        self.stream.feed(text)

    def row(self) -> Row:
        row: Row = {"kind": "text", "html": list(self.stream.finished), "open": self.stream.open}
        if self.thought is not None:
            row |= {"kind": "thought", **self.fold()}
        return row

    def fold(self) -> Row:
        thought = self.thought
        return {"heading": thought.heading, "is_open": thought.is_open} if thought else {}

    def news(self, place: int) -> list[Row]:
        ops: list[Row] = []
        if change := self.stream.take():
            row = {"html": list(change.finished), "keep": change.keep, "tail": change.tail}
            ops.append({"p": place, **row, **({"anew": True} if change.is_anew else {})})
        if self.thought is not None and self.heading_shown != self.thought.heading:
            self.heading_shown = self.thought.heading
            ops.append({"p": place, "thought": self.fold()})
        return ops

    @property
    def view(self) -> Part:
        text = "".join(self.text)
        if self.thought is None:
            return text
        self.thought.text = text
        return self.thought


@dataclass(slots=True, kw_only=True)
class _Card:
    """A call, and what the page knows of it."""

    call: Call
    round: int = 0
    is_denied: bool = False
    shown: Row = field(default_factory=dict)

    def row(self) -> Row:
        call = self.call
        return {
            "kind": "call",
            "id": call.id,
            "name": clean_text(call.name),
            "arguments": clean_text(call.arguments),
            "args_html": _arguments_html(call) if call.is_whole else "",
            "state": self._state,
            "state_text": call.state,
            "result": clean_text(call.result or ""),
            "stdout": clean_text(call.stdout),
            "ms": round(call.seconds * 1000),
            "round": self.round,
        }

    def news(self, place: int) -> list[Row]:
        row, shown = self.row(), self.shown
        self.shown = row
        begun, now = shown.get("arguments", ""), row["arguments"]
        changed = {name: value for name, value in row.items() if value != shown.get(name)}
        ops: list[Row] = []
        if now != begun and now.startswith(begun):
            changed.pop("arguments")
            ops.append({"p": place, "args": now[len(begun) :]})
        return [*ops, {"p": place, "call": changed}] if changed else ops

    @property
    def _state(self) -> str:
        call = self.call
        if call.result is not None:
            failed = "denied" if self.is_denied else "error"
            return failed if call.is_error else "done"
        if not call.is_whole:
            return "writing"
        if call.is_asked:
            return "asking"
        return "running" if call.is_pending else ""

    @property
    def view(self) -> Part:
        return self.call


class LiveTurn:
    """One turn, from its question to its end; threads may share it.

    Stages: made → ``add`` for every event → over. ``take`` gives what is new since the
    last time, ``row`` all that was taken.

    Parameters
    ----------
    question : what the user typed.
    attachments : what was given along with it.
    count_tokens, count_rounds : give how many tokens were generated, and how many
        replies begun, until now.
    parts : what there is already, of a turn that is over.

    Attributes
    ----------
    is_own : whether the widget asked it; others' turns come as messages.
    status : ``"running"``, ``"done"``, ``"stopped"`` or ``"error"``.
    footer, reused, error : lines below it.
    when_s : when it began, in seconds since 1970.
    """

    def __init__(
        self,
        question: str,
        attachments: Sequence[Attachment] = (),
        *,
        count_tokens: Callable[[], int] = lambda: 0,
        count_rounds: Callable[[], int] = lambda: 1,
        parts: Sequence[Part] | None = None,
    ) -> None:
        self.question = question
        self.attachments = tuple(attachments)
        self.count_tokens, self.count_rounds = count_tokens, count_rounds
        self.is_own = parts is None
        self.status = "running" if self.is_own else "done"
        self.footer = self.reused = self.error = ""
        self.when_s = time.time()
        self.began_s = time.perf_counter()
        self._lock = threading.RLock()
        self._parts: list[_Text | _Card] = []
        self._n_shown = 0
        self._first_index = 0
        self.put(parts or ())

    # ---- growing ----------------------------------------------------------------------

    def add(self, event: ChatEvent) -> None:
        """Take one event in."""
        with self._lock:
            match event:
                case TextDelta(text=text):
                    self._grow(text, is_thought=False)
                case ReasoningDelta(text=text):
                    self._grow(text, is_thought=True)
                case Finished():
                    self._end(event)
                case _:
                    self._add_to_calls(event)

    def mark_asked(self, call_id: str, *, is_asked: bool) -> bool:
        """Note that somebody is asked about a call, or no more; False if there is no such call."""
        with self._lock:
            if card := self._card(call_id):
                card.call.is_asked = is_asked
            return card is not None

    def mark_denied(self, call_id: str) -> None:
        """Note that a call was not allowed."""
        with self._lock:
            if card := self._card(call_id):
                card.is_denied = True

    def begin_stream(self) -> None:
        """Count the calls of the stream that follows from here: it begins anew."""
        self._first_index = len(self._cards)
        self.status = "running"

    def fail(self, error: str) -> None:
        """End it with an error."""
        with self._lock:
            self._close_texts()
            self.status, self.error = "error", error

    def _grow(self, text: str, *, is_thought: bool) -> None:
        last = self._parts[-1] if self._parts else None
        if isinstance(last, _Text) and (last.thought is not None) == is_thought:
            last.grow(text)
        elif text.strip():
            self._close_texts()
            self._parts.append(self._begun(Thought() if is_thought else None))
            self._grow(text, is_thought=is_thought)

    def _begun(self, thought: Thought | None) -> _Text:
        return _Text(thought=thought, begun_s=time.perf_counter(), begun_tokens=self.count_tokens())

    def _close_texts(self) -> None:
        last = self._parts[-1] if self._parts else None
        if not isinstance(last, _Text):
            return
        last.stream.finish()
        self._count_thought(last)
        if last.thought is not None:
            last.thought.is_open = False

    def _count_thought(self, part: _Text) -> None:
        if part.thought is not None and part.thought.is_open:
            part.thought.seconds = time.perf_counter() - part.begun_s
            part.thought.tokens = self.count_tokens() - part.begun_tokens

    def _add_to_calls(
        self, event: ToolCallStart | ToolArgumentsDelta | ToolCallEnd | ToolResult
    ) -> None:
        match event:
            case ToolCallStart(id=identity, name=name):
                self._close_texts()
                card = _Card(call=Call(id=identity, name=name), round=self.count_rounds())
                self._parts.append(card)
            case ToolArgumentsDelta(index=index, text=text):
                self._cards[self._first_index + index].call.arguments += text
            case ToolCallEnd(index=index, arguments=arguments):
                call = self._cards[self._first_index + index].call
                call.arguments, call.is_whole, call.is_pending = arguments, True, True
            case ToolResult(id=identity):
                if known := self._card(identity):
                    known.call.answered(event)

    def _end(self, finished: Finished) -> None:
        self._close_texts()
        for card in self._cards:
            card.call.is_pending = card.call.is_asked = False
        self.status = _STATUS.get(finished.reason, "done")
        self.error = finished.error or ""

    def begin_anew(self, parts: Sequence[Part]) -> None:
        """Show these parts and nothing else, no call goes on; pages have to ask for them."""
        with self._lock:
            self._parts.clear()
            self.put(parts)
            self._n_shown = len(self._parts)
            for card in self._cards:
                card.call.is_pending = False

    def put(self, parts: Sequence[Part]) -> None:
        """Take in what there is already; calls without a result are about to run."""
        with self._lock:
            for part in parts:
                self._put(part)

    def _put(self, part: Part) -> None:
        if isinstance(part, Call):
            part.is_pending = self.is_own and part.result is None
            self._parts.append(_Card(call=part))
            return
        one = _Text(thought=part if isinstance(part, Thought) else None)
        one.grow(part.text if isinstance(part, Thought) else part)
        one.stream.finish()
        one.stream.take()
        self._parts.append(one)

    @property
    def _cards(self) -> list[_Card]:
        return [part for part in self._parts if isinstance(part, _Card)]

    def _card(self, call_id: str) -> _Card | None:
        return next((card for card in self._cards if card.call.id == call_id), None)

    # ---- showing ----------------------------------------------------------------------

    @property
    def phase(self) -> str:
        """What goes on: ``waiting``, ``thinking``, ``writing``, ``asking`` or ``tool``."""
        with self._lock:
            last = self._parts[-1] if self._parts else None
            if isinstance(last, _Text):
                return "thinking" if last.thought and last.thought.is_open else "writing"
            if last is None:
                return "waiting"
            calls = [card.call for card in self._cards]
            if any(call.is_asked for call in calls):
                return "asking"
            if any(call.is_pending for call in calls):
                return "tool"
            return "waiting" if last.call.result is not None else "writing"

    def take(self) -> list[Row]:
        """Give what has come since the last time, as the page's operations."""
        with self._lock:
            ops = []
            for place, part in enumerate(self._parts):
                if isinstance(part, _Text):
                    self._count_thought(part)
                if place >= self._n_shown:
                    ops.append({"p": place, "new": self._shown_first(part)})
                else:
                    ops += part.news(place)
            self._n_shown = len(self._parts)
            return ops

    def _shown_first(self, part: _Text | _Card) -> Row:
        if isinstance(part, _Text):
            part.stream.take()
            part.heading_shown = part.thought.heading if part.thought else ""
        else:
            part.shown = part.row()
        return part.row()

    def row(self, **more: Any) -> Row:
        """Give all of it, as far as it has been taken; ``more`` fields are the talk's."""
        with self._lock:
            shown = self._parts[: self._n_shown] if self.status == "running" else self._parts
            return {**self.summary(**more), "parts": [part.row() for part in shown]}

    def summary(self, **more: Any) -> Row:
        """Give all of it but its parts."""
        return {
            "question": {
                "html": render_html(self.question),
                "text": encodable(self.question),
                "attachments": [
                    {"name": clean_text(one.name), "kind": one.kind, "url": one.url}
                    for one in self.attachments
                ],
            },
            "parts": [],
            "status": self.status,
            "error": clean_text(self.error),
            "footer": encodable(self.footer),
            "reused": self.reused,
            **more,
        }

    @property
    def sizes(self) -> list[int]:
        """How many characters (UTF-16 code units) of HTML each part has; 0 for calls."""
        with self._lock:
            return [_size(part) for part in self._parts]

    def view(self) -> TurnView:
        """Give it as a plain value, for the saved copy and for exports."""
        with self._lock:
            return TurnView(
                question=self.question,
                attachments=self.attachments,
                parts=tuple(part.view for part in self._parts),
                footer=" · ".join(filter(None, (self.footer, self.reused))),
                error=self.error,
                when_s=self.when_s,
            )


def _size(part: _Text | _Card) -> int:
    if isinstance(part, _Card):
        return 0
    html = "".join(part.stream.finished) + part.stream.open
    return len(html.encode("utf-16-le")) // 2


def _arguments_html(call: Call) -> str:
    args = call.args
    shown = call.arguments if args is None else json.dumps(args, ensure_ascii=False, indent=1)
    return highlight_code(clean_text(shown), "json")
