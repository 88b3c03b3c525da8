"""One round of a turn: a reply, the calls in it, and their results."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer import (
    ChatEvent,
    ChatMessage,
    Finished,
    ToolArgumentsDelta,
    ToolCall,
    ToolCallEnd,
    ToolCallStart,
    ToolResult,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llamanb.conversation.reply import ReplyStream
    from llamanb.conversation.tools import ToolOutcome

__all__ = ["NORMAL_ENDS", "Round"]

NORMAL_ENDS = frozenset({"stop", "tool_calls"})  # the model has said all it wanted to say
_ID_CHARS = 9  # what Mistral's templates ask for; every other template takes any


@dataclass(slots=True)
class _HeardCall:
    """A call as far as it has been heard."""

    id: str
    name: str
    arguments: list[str] = field(default_factory=list)
    is_whole: bool = False

    def read(self) -> ToolCall:
        return ToolCall(id=self.id, name=self.name, arguments="".join(self.arguments))


class Round:
    """A reply and its calls.

    Stages: every event of the reply goes through ``heard`` → ``answered`` for each
    of ``calls``, ``untold`` for the reader → ``messages`` for the history. Calls are counted, and their ids are
    unique, over the whole talk, so that a result can only belong to one call.

    Attributes
    ----------
    reply : the reply; its own numbers and ids begin anew.
    results : what came of the calls, in their order; there may be fewer of them.
    """

    def __init__(self, reply: ReplyStream, *, first_index: int, taken_ids: set[str]) -> None:
        self.reply = reply
        self.results: list[ToolResult] = []
        self._first_index = first_index
        self._taken_ids = taken_ids
        self._heard: list[_HeardCall] = []
        self._n_told = 0

    @property
    def next_index(self) -> int:
        """The number of the first call of the next round."""
        return self._first_index + len(self._heard)

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The calls that are whole."""
        return tuple(call.read() for call in self._heard if call.is_whole)

    @property
    def unanswered(self) -> list[ToolCall]:
        """The whole calls that have no result."""
        done = {result.id for result in self.results}
        return [call for call in self.calls if call.id not in done]

    @property
    def message(self) -> ChatMessage:
        """The assistant's message so far, with the calls that are whole."""
        return replace(self.reply.message, tool_calls=self.calls)

    def messages(self, filler: str | None) -> list[dict[str, Any]]:
        """Give the assistant's message and a result for each of its calls.

        ``filler`` is the result of calls that have none; None leaves them open.
        """
        message = self.message
        if not (message.content or message.reasoning_content or message.tool_calls):
            return []
        texts = {result.id: result.content for result in self.results}
        answers = [(call, texts.get(call.id, filler)) for call in message.tool_calls]
        return [
            message.to_openai(),
            *(_tool_message(call, text) for call, text in answers if text is not None),
        ]

    def heard(self, event: ChatEvent) -> Iterator[ChatEvent]:
        """Note an event of the reply, and give what the reader of the turn gets for it."""
        match event:
            case ToolCallStart():
                self._heard.append(_HeardCall(self._own_id(event.id), event.name))
                yield replace(event, index=self.next_index - 1, id=self._heard[-1].id)
            case ToolArgumentsDelta():
                self._heard[event.index].arguments.append(event.text)
                yield replace(event, index=self._first_index + event.index)
            case ToolCallEnd():
                yield self._end(event.index, event.arguments)
            case Finished():
                yield from self._end_of_broken_call(event)
            case _:
                yield event

    def answered(self, call: ToolCall, outcome: ToolOutcome) -> None:
        """Note what came of ``call``."""
        result = ToolResult(
            id=call.id,
            name=call.name,
            content=outcome.content,
            is_error=outcome.is_error,
            stdout=outcome.stdout,
            seconds=outcome.seconds,
        )
        self.results.append(result)

    def untold(self) -> list[ToolResult]:
        """Give the results that the reader of the turn has not been given yet."""
        told, self._n_told = self._n_told, len(self.results)
        return self.results[told:]

    def _end_of_broken_call(self, finished: Finished) -> Iterator[ChatEvent]:
        """End a call that the model left off in: it gets to hear what is wrong with it."""
        if finished.reason in NORMAL_ENDS and self._heard and not self._heard[-1].is_whole:
            last = len(self._heard) - 1
            yield self._end(last, "".join(self._heard[last].arguments))

    def _end(self, index: int, arguments: str) -> ToolCallEnd:
        call = self._heard[index]
        call.arguments[:] = [arguments]
        call.is_whole = True
        number = self._first_index + index
        return ToolCallEnd(index=number, id=call.id, name=call.name, arguments=arguments)

    def _own_id(self, wanted: str) -> str:
        """Keep the model's id unless an earlier call has it: some models count from 0 each time."""
        while not wanted or wanted in self._taken_ids:
            letters = string.ascii_letters + string.digits
            wanted = "".join(secrets.choice(letters) for _ in range(_ID_CHARS))
        self._taken_ids.add(wanted)
        return wanted


def _tool_message(call: ToolCall, content: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call.id, "name": call.name, "content": content}
