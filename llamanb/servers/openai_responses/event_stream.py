"""Chat events in, the typed events of a Responses stream out, and the whole response.

The order is that of https://platform.openai.com/docs/api-reference/responses-streaming:
``created``, ``in_progress``, then each item ``added`` … ``done``, then one of
``completed``, ``incomplete`` and ``failed``. Numbers increase by one.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer import (
    Finished,
    ReasoningDelta,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallEnd,
    ToolCallStart,
)
from llamanb.servers.event_source import frame
from llamanb.servers.openai_responses.output_items import (
    CallItem,
    TextItem,
    message_item,
    reasoning_item,
)
from llamanb.servers.openai_responses.responses import error_of, usage_of
from llamanb.servers.openai_responses.tools import Toolbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from llamanb.servers.asked import Told
    from llamanb.servers.openai_responses.output_items import Event
    from llamanb.servers.problems import Problem

__all__ = ["ResponseWriter"]

# an answer that was given up is as incomplete as a cut one, but not for its length
_STATUS = {"length": "incomplete", "cancelled": "incomplete", "error": "failed"}
_REASONS = {"length": "max_output_tokens"}


class ResponseWriter:
    """Writes one answer. Stages: ``begin`` → ``write`` each event → ``end`` or ``fail``.

    Who wants no stream calls ``write`` alone, and then ``whole``.

    Parameters
    ----------
    head : what the response says all along.
    toolbox : the tools, in whose shapes calls are written.
    seals_reasoning : whether reasoning carries ``encrypted_content``.
    on_end : takes the response when it is over, unless it failed.
    """

    def __init__(
        self,
        head: dict[str, Any],
        toolbox: Toolbox | None = None,
        *,
        seals_reasoning: bool = False,
        on_end: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self._head = head
        self._toolbox = toolbox or Toolbox()
        self._seed = str(head["id"]).removeprefix("resp_")
        self._seals = seals_reasoning
        self._on_end = on_end
        self._number = 0
        self._text: TextItem | None = None  # the message or reasoning that is open
        self._calls: dict[int, CallItem | None] = {}  # None once a call is closed
        self._call_ids: set[str] = set()
        self._output: dict[int, dict[str, Any]] = {}
        self._n_items = 0
        self._finished: Finished | None = None
        self._response: dict[str, Any] | None = None

    # ---- the stream ----------------------------------------------------------------------

    @property
    def ping(self) -> bytes:
        """The state of the response once more.

        A comment would not do: Codex counts events alone and gives up after 300 s without.
        """
        small: dict[str, Any] = {"tools": [], "instructions": None}
        return b"" if self._response else self._progress("response.in_progress", **small)

    def begin(self) -> Iterator[bytes]:
        """Tell that the request was understood."""
        yield self._progress("response.created")
        yield self._progress("response.in_progress")

    def write(self, told: Told) -> list[bytes]:
        """Tell one event."""
        return [self._frame(*event) for event in self._events(told)]

    def end(self) -> list[bytes]:
        """Close what is open, and give the whole response."""
        frames = [self._frame(*event) for event in self._close_all()]
        response = self.whole()
        return [*frames, self._frame(f"response.{response['status']}", {"response": response})]

    def fail(self, problem: Problem) -> Iterator[bytes]:
        """Tell what went wrong, and give the response as far as it came."""
        self._finished = Finished(reason="error", error=problem.message)
        error = {"code": problem.code, "message": problem.message, "param": problem.param}
        yield self._frame("error", error)
        for event in self._close_all():
            yield self._frame(*event)
        self._response = {**self._ended(), "error": error_of(problem)}
        yield self._frame("response.failed", {"response": self._response})

    def whole(self) -> dict[str, Any]:
        """Give the response; what is open is closed."""
        if self._response is None:
            for _ in self._close_all():
                pass
            self._response = self._ended()
            if self._on_end is not None and self._response["status"] != "failed":
                self._on_end(self._response)
        return self._response

    def _progress(self, kind: str, **other: Any) -> bytes:
        response = {**self._head, "status": "in_progress", "output": [], "usage": None, **other}
        return self._frame(kind, {"response": response})

    def _frame(self, kind: str, fields: Any) -> bytes:
        number, self._number = self._number, self._number + 1
        return frame({"type": kind, "sequence_number": number, **fields}, kind)

    # ---- items ---------------------------------------------------------------------------

    def _events(self, told: Told) -> Iterable[Event]:
        match told.event:
            case TextDelta(text=text) if text:
                return self._add_text(text, told.logprobs, is_reasoning=False)
            case ReasoningDelta(text=text) if text:
                return self._add_text(text, [], is_reasoning=True)
            case ToolCallStart() as start:
                return self._open_call(start)
            case ToolArgumentsDelta(index=index, text=text):
                call = self._calls.get(index)
                return call.grown(text) if call and text else ()
            case ToolCallEnd() as end:
                return self._end_call(end)
            case Finished() as finished:
                self._finished = finished
        return ()

    def _add_text(
        self, text: str, logprobs: list[dict[str, Any]], *, is_reasoning: bool
    ) -> Iterator[Event]:
        prefix = "rs_" if is_reasoning else "msg_"
        if self._text is None or not self._text.id.startswith(prefix):
            yield from self._close_text("completed")
            place = self._next_place()
            self._text = (
                reasoning_item(self._seed, place, is_sealed=self._seals)
                if is_reasoning
                else message_item(self._seed, place)
            )
            yield from self._text.opened()
        yield from self._text.grown(text, logprobs)

    def _open_call(self, start: ToolCallStart | ToolCallEnd) -> Iterator[Event]:
        if start.index in self._calls:
            return
        yield from self._close_text("completed")
        place = self._next_place()
        call = self._calls[start.index] = CallItem(
            seed=self._seed,
            place=place,
            call_id=self._call_id(start.id, place),
            name=start.name,
            tool=self._toolbox.find(start.name),
        )
        yield from call.opened()

    def _call_id(self, call_id: str, place: int) -> str:
        """Give an id that no other call has; some models number every call alike."""
        if not call_id or call_id in self._call_ids:
            call_id = f"{call_id or 'call'}_{self._seed}{place:04d}"
        self._call_ids.add(call_id)
        return call_id

    def _end_call(self, end: ToolCallEnd) -> Iterator[Event]:
        yield from self._open_call(end)
        call = self._calls[end.index]
        if call is not None:
            yield from call.completed(end.arguments)
            self._close_call(end.index, "completed")

    def _close_call(self, index: int, status: str) -> None:
        call = self._calls[index]
        if call is not None:
            self._output[call.place] = call.whole(status)
            self._calls[index] = None

    def _close_text(self, status: str) -> Iterator[Event]:
        item, self._text = self._text, None
        if item is not None:
            self._output[item.place] = item.whole(status)
            yield from item.closed(status)

    def _close_all(self) -> Iterator[Event]:
        """Close what is open; an answer without a word becomes an empty message."""
        status = "completed" if self._status == "completed" else "incomplete"
        yield from self._close_text(status)
        for index, call in self._calls.items():
            if call is not None:
                yield from call.closed(status)
                self._close_call(index, status)
        if self._n_items == 0 and self._status == "completed":
            self._text = message_item(self._seed, self._next_place())
            yield from self._text.opened()
            yield from self._close_text(status)

    def _next_place(self) -> int:
        place, self._n_items = self._n_items, self._n_items + 1
        return place

    # ---- the whole -----------------------------------------------------------------------

    @property
    def _status(self) -> str:
        reason = self._finished.reason if self._finished else "cancelled"
        return _STATUS.get(reason, "completed")

    def _ended(self) -> dict[str, Any]:
        finished = self._finished or Finished(reason="cancelled")
        status = self._status
        failed = {"code": "server_error", "message": finished.error or "the answer failed"}
        return {
            **self._head,
            "status": status,
            "completed_at": int(time.time()) if status == "completed" else None,
            "error": failed if status == "failed" else None,
            "incomplete_details": (
                {"reason": _REASONS.get(finished.reason)} if status == "incomplete" else None
            ),
            "output": [self._output[place] for place in sorted(self._output)],
            "usage": usage_of(finished) if finished.usage else None,
        }
