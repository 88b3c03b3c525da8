"""Chat events in, Anthropic's events and messages out.

The order is that of https://platform.claude.com/docs/en/build-with-claude/streaming:
``message_start``, blocks one after the other, ``message_delta``, ``message_stop``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer import (
    Finished,
    ReasoningDelta,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallEnd,
    ToolCallStart,
)
from llamanb.servers.anthropic.blocks import AnswerBlock, Kind
from llamanb.servers.anthropic.ids import shown_id
from llamanb.servers.anthropic.responses import stop_of, usage_of
from llamanb.servers.event_source import frame
from llamanb.servers.problems import anthropic_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from llamanb.chat_layer import ChatEvent
    from llamanb.servers.asked import Told
    from llamanb.servers.problems import Problem

__all__ = ["MessageWriter"]

_SERVICE_TIER = {"service_tier": "standard"}


class MessageWriter:
    """Writes one answer. Stages: ``begin`` → ``write`` every event → ``end``, or ``fail``.

    ``whole`` gives the same as one body; a caller that wants only that ignores what
    the others give.

    Parameters
    ----------
    id_seed : hexadecimal digits that nobody else has.
    model : the name that the client used.
    max_tokens : what the client asked for.
    hides_thinking : give thinking blocks without their text.
    request_id : of the request, for errors.

    Examples
    --------
    >>> writer = MessageWriter(id_seed="0" * 24, model="demo", n_prompt_tokens=3)
    >>> for event in (TextDelta(text="Hello"), Finished(reason="stop")):
    ...     _ = writer.write(Told(index=0, event=event))
    >>> json.loads(writer.whole())["content"]
    [{'type': 'text', 'text': 'Hello'}]
    """

    ping = frame({"type": "ping"}, "ping")

    def __init__(
        self,
        *,
        id_seed: str,
        model: str,
        n_prompt_tokens: int,
        max_tokens: int | None = None,
        hides_thinking: bool = False,
        request_id: str = "",
    ) -> None:
        self._id_seed, self._model = id_seed, model
        self._n_prompt_tokens, self._max_tokens = n_prompt_tokens, max_tokens
        self._hides_thinking, self._request_id = hides_thinking, request_id
        self._blocks: list[AnswerBlock] = []
        self._kind: Kind | None = None  # of the last block, while it is open
        self._blanks: dict[Kind, str] = {}
        self._finished = Finished(reason="cancelled")

    # ---- streaming ---------------------------------------------------------------------

    def begin(self) -> list[bytes]:
        """Give the message without content."""
        usage = usage_of(None, self._n_prompt_tokens) | _SERVICE_TIER
        stop: dict[str, Any] = {"stop_reason": None, "stop_sequence": None}
        message = {**self._head(), "content": [], **stop, "usage": usage}
        return [_frame("message_start", message=message)]

    def write(self, told: Told) -> list[bytes]:
        """Give the frames of one event; often one, sometimes none."""
        return list(self._frames(told.event))

    def end(self) -> list[bytes]:
        """Say why it ended, and what it took."""
        delta = stop_of(self._finished, self._max_tokens)
        usage = usage_of(self._finished, self._n_prompt_tokens)
        return [_frame("message_delta", delta=delta, usage=usage), _frame("message_stop")]

    def fail(self, problem: Problem) -> list[bytes]:
        """Say what went wrong."""
        return [frame(anthropic_error(problem, self._request_id), "error")]

    def _frames(self, event: ChatEvent) -> Iterator[bytes]:
        match event:
            case TextDelta(text=text):
                yield from self._say("text", text)
            case ReasoningDelta(text=text):
                yield from self._say("thinking", text)
            case ToolCallStart(id=told, name=name):
                named = {"id": shown_id(self._id_seed, told), "name": name}
                yield from self._start(AnswerBlock(kind="tool_use", named=named))
            case ToolArgumentsDelta(text=text) if self._kind == "tool_use":
                yield from self._add(text)
            case ToolCallEnd():
                yield from self._close()
            case Finished():
                self._finished = event
                yield from self._close()
                if not self._blocks:  # clients read the first block without looking
                    yield from self._start(AnswerBlock(kind="text"))
                    yield from self._close()

    def _say(self, kind: Kind, text: str) -> Iterator[bytes]:
        """Go on with a block of a kind, or start one once there is more than white space."""
        if self._kind != kind:
            yield from self._close()
            text = self._blanks.get(kind, "") + text
            if not text.strip():
                self._blanks = {kind: text}
                return
            is_hidden = kind == "thinking" and self._hides_thinking
            yield from self._start(AnswerBlock(kind=kind, is_hidden=is_hidden))
        yield from self._add(text)

    def _start(self, block: AnswerBlock) -> Iterator[bytes]:
        yield from self._close()
        self._blanks = {}
        self._blocks.append(block)
        self._kind = block.kind
        yield _frame("content_block_start", index=self._index, content_block=block.opening())
        yield self.ping

    def _add(self, text: str) -> Iterator[bytes]:
        yield from self._deltas(self._blocks[-1].add(text))

    def _close(self) -> Iterator[bytes]:
        """Close the block that is open, if one is."""
        if self._kind is not None:
            self._kind = None
            yield from self._deltas(self._blocks[-1].closing())
            yield _frame("content_block_stop", index=self._index)

    @property
    def _index(self) -> int:
        return len(self._blocks) - 1

    def _deltas(self, deltas: Iterable[dict[str, str]]) -> Iterator[bytes]:
        for delta in deltas:
            yield _frame("content_block_delta", index=self._index, delta=delta)

    # ---- the whole ---------------------------------------------------------------------

    def whole(self) -> bytes:
        """Give the message as JSON."""
        content = ",".join(block.written() for block in self._blocks)
        stop = stop_of(self._finished, self._max_tokens)
        usage = usage_of(self._finished, self._n_prompt_tokens) | _SERVICE_TIER
        rest = json.dumps({**self._head(), **stop, "usage": usage}, ensure_ascii=False)
        # The blocks are JSON already: no number that a model wrote may change on its way.
        return f'{rest[:-1]}, "content": [{content}]}}'.encode()

    def _head(self) -> dict[str, str]:
        names = {"type": "message", "role": "assistant", "model": self._model}
        return {"id": f"msg_{self._id_seed}", **names}


def _frame(event: str, **fields: Any) -> bytes:
    return frame({"type": event, **fields}, event)
