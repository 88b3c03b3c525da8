"""The items of an answer as they grow: each is opened, added to, and closed once.

Every step gives the events that tell of it, as pairs of a type and its fields; the
writer numbers them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llamanb.servers.openai_responses.items import seal
from llamanb.servers.openai_responses.tools import custom_input

if TYPE_CHECKING:
    from llamanb.servers.openai_responses.tools import OfferedTool

__all__ = ["CallItem", "Event", "TextItem", "message_item", "reasoning_item"]

Event = tuple[str, Mapping[str, Any]]
Steps = Iterator[Event]


@dataclass(frozen=True, slots=True, kw_only=True)
class _TextKind:
    """What tells one kind of item with text from another.

    Attributes
    ----------
    part : its only part, without a text.
    events : what the types of its deltas and its end begin with.
    """

    item: Mapping[str, Any]
    part: Mapping[str, Any]
    events: str


_MESSAGE = _TextKind(
    item={"type": "message", "role": "assistant"},
    part={"type": "output_text", "annotations": [], "logprobs": []},
    events="response.output_text",
)
_REASONING = _TextKind(
    item={"type": "reasoning", "summary": []},
    part={"type": "reasoning_text"},
    events="response.reasoning_text",
)


@dataclass(slots=True, kw_only=True)
class TextItem:
    """A message, or reasoning. Stages: ``opened`` → ``grown`` any number of times → ``closed``."""

    kind: _TextKind
    id: str
    place: int
    is_sealed: bool = False
    texts: list[str] = field(default_factory=list)
    logprobs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of it so far."""
        return "".join(self.texts)

    def opened(self) -> Steps:
        """Tell that it begins."""
        yield (
            "response.output_item.added",
            {"output_index": self.place, "item": self._item("in_progress", [])},
        )
        yield "response.content_part.added", {**self._where, "part": {**self.kind.part, "text": ""}}

    def grown(self, text: str, logprobs: list[dict[str, Any]]) -> Steps:
        """Tell more of its text."""
        self.texts.append(text)
        self.logprobs += logprobs
        yield f"{self.kind.events}.delta", {**self._where, "delta": text, **self._told(logprobs)}

    def closed(self, status: str) -> Steps:
        """Tell that it ends."""
        text = self.text
        yield f"{self.kind.events}.done", {**self._where, "text": text, **self._told(self.logprobs)}
        yield "response.content_part.done", {**self._where, "part": self._part(text)}
        yield (
            "response.output_item.done",
            {"output_index": self.place, "item": self.whole(status)},
        )

    def whole(self, status: str) -> dict[str, Any]:
        """Give the item as it stands in the response."""
        item = self._item(status, [self._part(self.text)])
        return {**item, "encrypted_content": seal(self.text)} if self.is_sealed else item

    @property
    def _where(self) -> dict[str, Any]:
        return {"item_id": self.id, "output_index": self.place, "content_index": 0}

    def _item(self, status: str, content: list[Any]) -> dict[str, Any]:
        return {"id": self.id, **self.kind.item, "status": status, "content": content}

    def _part(self, text: str) -> dict[str, Any]:
        return {**self.kind.part, **self._told(self.logprobs), "text": text}

    def _told(self, logprobs: list[dict[str, Any]]) -> dict[str, Any]:
        return {"logprobs": logprobs} if self.kind is _MESSAGE else {}


def message_item(seed: str, place: int) -> TextItem:
    """Begin a message."""
    return TextItem(kind=_MESSAGE, id=f"msg_{seed}{place:04d}", place=place)


def reasoning_item(seed: str, place: int, *, is_sealed: bool) -> TextItem:
    """Begin reasoning, with the sealed text that clients send back if they asked for it."""
    return TextItem(kind=_REASONING, id=f"rs_{seed}{place:04d}", place=place, is_sealed=is_sealed)


class CallItem:
    """A call. Stages: ``opened`` → ``grown`` any number of times → ``closed``.

    The text of a custom tool is inside JSON arguments; it is told at the end, whole.

    Parameters
    ----------
    name : what the model called.
    tool : the tool that it means; None if there is no such tool.
    """

    def __init__(
        self, *, seed: str, place: int, call_id: str, name: str, tool: OfferedTool | None
    ) -> None:
        self.place, self.call_id = place, call_id
        self._is_custom = tool is not None and tool.kind == "custom"
        self.id = f"{'ctc' if self._is_custom else 'fc'}_{seed}{place:04d}"
        self._head = {"call_id": call_id, "name": tool.name if tool else name}
        if tool is not None and tool.namespace is not None:
            self._head["namespace"] = tool.namespace
        self._arguments = ""

    def opened(self) -> Steps:
        """Tell that it begins."""
        yield (
            "response.output_item.added",
            {"output_index": self.place, "item": self.whole("in_progress")},
        )

    def grown(self, text: str) -> Steps:
        """Tell more of its arguments."""
        self._arguments += text
        if not self._is_custom:
            yield "response.function_call_arguments.delta", {**self._where, "delta": text}

    def completed(self, arguments: str) -> Steps:
        """Tell what is missing of the whole ``arguments``, and that it ends."""
        arguments = arguments or "{}"
        rest = arguments.removeprefix(self._arguments)
        if rest and len(rest) + len(self._arguments) == len(arguments):
            yield from self.grown(rest)
        yield from self.closed("completed")

    def closed(self, status: str) -> Steps:
        """Tell that it ends."""
        item = self.whole(status)
        if self._is_custom:
            text = item["input"]
            yield "response.custom_tool_call_input.delta", {**self._where, "delta": text}
            yield "response.custom_tool_call_input.done", {**self._where, "input": text}
        else:
            done = {**self._where, "arguments": self._arguments, "name": self._head["name"]}
            yield "response.function_call_arguments.done", done
        yield "response.output_item.done", {"output_index": self.place, "item": item}

    def whole(self, status: str) -> dict[str, Any]:
        """Give the item as it stands in the response."""
        if self._is_custom:
            said = {"type": "custom_tool_call", "input": custom_input(self._arguments)}
        else:
            said = {"type": "function_call", "arguments": self._arguments}
        return {"id": self.id, **said, **self._head, "status": status}

    @property
    def _where(self) -> dict[str, Any]:
        return {"item_id": self.id, "output_index": self.place}
