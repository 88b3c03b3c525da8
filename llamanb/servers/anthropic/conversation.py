"""Anthropic's turns, made of blocks, as OpenAI messages."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from llamanb.servers.anthropic.ids import told_ids
from llamanb.servers.anthropic.requests import (
    Block,
    MessageParam,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from llamanb.servers.anthropic.texts import block_text, joined, refuse_unreadable, result_text
from llamanb.servers.problems import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from llamanb.servers.anthropic.requests import CountTokensRequest

__all__ = ["Conversation", "read_conversation"]

Message = dict[str, Any]
# Claude Code's first line names the run: it would make every prompt begin differently.
_RUN_HEADER = "x-anthropic-billing-header:"
# As Claude Code itself writes what the user has not said into a turn of the user.
_REMINDER = "<system-reminder>\n{}\n</system-reminder>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What has been said so far.

    Attributes
    ----------
    messages : OpenAI dictionaries.
    is_begun : whether the last one is the beginning of the answer.
    used_tools : the names of tools that were called, or found by searching.
    """

    messages: list[Message]
    is_begun: bool = False
    used_tools: frozenset[str] = frozenset()


def read_conversation(body: CountTokensRequest) -> Conversation:
    """Read the system prompt and the turns of a request.

    Raises
    ------
    Refusal
        If the last turn holds something that cannot be answered.
    """
    _refuse_last(body.messages)
    n_system = _n_leading_system(body.messages)
    system = _system([body.system or (), *(one.content for one in body.messages[:n_system])])
    turns = _turns(body.messages[n_system:])
    calls = _Calls.of(turns)
    messages = [message for turn in turns for message in turn.messages(calls)]
    is_begun = bool(turns) and turns[-1].role == "assistant"
    if is_begun and not turns[-1].is_said:
        messages, is_begun = messages[:-1], False
    return Conversation(
        messages=[*system, *messages],
        is_begun=is_begun,
        used_tools=frozenset(calls.names.values()) | _references(body.messages),
    )


def _refuse_last(messages: Sequence[MessageParam]) -> None:
    number = max((n for n, one in enumerate(messages) if one.role != "system"), default=0)
    last, place = messages[number], f"messages[{number}]"
    kinds = {type(block) for block in last.content}
    if messages[-1].role == "assistant" and ToolUseBlock in kinds:
        raise Refusal(
            f"{place}: the results of the tool_use blocks are missing; send them as "
            "tool_result blocks in a turn of the user",
            param=place,
        )
    # A picture that a tool has read must not end the talk: a note stands in its place.
    if last.role == "user" and ToolResultBlock not in kinds:
        refuse_unreadable(last.content, place)


# ---- system ----------------------------------------------------------------------------


def _n_leading_system(messages: Sequence[MessageParam]) -> int:
    return next((n for n, one in enumerate(messages) if one.role != "system"), len(messages))


def _system(contents: Iterable[Iterable[Block]]) -> list[Message]:
    texts = (joined(_without_run_header(content)) for content in contents)
    text = "\n".join(text for text in texts if text)
    return [{"role": "system", "content": text}] if text else []


def _without_run_header(blocks: Iterable[Block]) -> Iterator[Block]:
    for block in blocks:
        if isinstance(block, TextBlock) and block.text.startswith(_RUN_HEADER):
            rest = block.text.partition("\n")[2].lstrip("\n")
            if rest:
                yield TextBlock(type="text", text=rest)
        else:
            yield block


# ---- turns -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calls:
    """The calls of a conversation: by the ids that clients use, the model's own and names."""

    ids: dict[str, str]
    names: dict[str, str]
    order: dict[str, int]

    @classmethod
    def of(cls, turns: Iterable[_Turn]) -> _Calls:
        blocks = [block for turn in turns for part in turn.parts for block in part]
        calls = [block for block in blocks if isinstance(block, ToolUseBlock)]
        results = [block.tool_use_id for block in blocks if isinstance(block, ToolResultBlock)]
        return cls(
            ids=told_ids([*(call.id for call in calls), *results]),
            names={call.id: call.name for call in calls},
            order={call.id: number for number, call in enumerate(calls)},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """All that one side says until the other one does; ``parts`` are its messages."""

    role: str
    parts: list[list[Block]] = field(default_factory=list)

    @property
    def is_said(self) -> bool:
        """Whether the assistant has said or thought anything."""
        return any(
            (block_text(block) or str(getattr(block, "thinking", ""))).strip()
            for part in self.parts
            for block in part
        )

    def messages(self, calls: _Calls) -> list[Message]:
        """Give the turn as OpenAI messages."""
        if self.role == "assistant":
            return [_assistant(self.parts, calls)]
        return _user([block for part in self.parts for block in part], calls)


def _turns(messages: Iterable[MessageParam]) -> list[_Turn]:
    """Join neighbours; many templates know no system messages between turns: the user has them."""
    sides = groupby(messages, lambda one: "assistant" if one.role == "assistant" else "user")
    return [_Turn(role=side, parts=[_blocks(one) for one in group]) for side, group in sides]


def _blocks(message: MessageParam) -> list[Block]:
    """Give the blocks of a message; marked, if the user did not write them."""
    if message.role != "system":
        return list(message.content)
    text = joined(_without_run_header(message.content))
    return [TextBlock(type="text", text=_REMINDER.format(text))] if text else []


def _assistant(parts: Iterable[Iterable[Block]], calls: _Calls) -> Message:
    kept = [list(part) for part in parts]
    blocks = [block for part in kept for block in part]
    # Within one message blocks are cut where the kind changes: nothing stood between them.
    texts = ["".join(block_text(block) or "" for block in part) for part in kept]
    message: Message = {"role": "assistant", "content": "\n".join(text for text in texts if text)}
    thoughts = [one.thinking for one in blocks if isinstance(one, ThinkingBlock) and one.thinking]
    if thoughts:
        message["reasoning_content"] = "\n".join(thoughts)
    made = [_call(one, calls) for one in blocks if isinstance(one, ToolUseBlock)]
    return {**message, "tool_calls": made} if made else message


def _call(block: ToolUseBlock, calls: _Calls) -> Message:
    arguments = json.dumps(block.input, ensure_ascii=False)
    function = {"name": block.name, "arguments": arguments}
    return {"id": calls.ids[block.id], "type": "function", "function": function}


def _user(blocks: Iterable[Block], calls: _Calls) -> list[Message]:
    """Keep words and results in their order; results side by side come in that of the calls."""
    messages: list[Message] = []
    for are_results, group in groupby(blocks, lambda one: isinstance(one, ToolResultBlock)):
        if are_results:
            messages += _results((one for one in group if isinstance(one, ToolResultBlock)), calls)
        elif text := joined(group):
            messages.append({"role": "user", "content": text})
    return messages or [{"role": "user", "content": ""}]


def _results(results: Iterable[ToolResultBlock], calls: _Calls) -> list[Message]:
    # Many templates show no ids: the model goes by the order.
    last = len(calls.order)
    ordered = sorted(results, key=lambda one: calls.order.get(one.tool_use_id, last))
    return [_result(one, calls) for one in ordered]


def _result(block: ToolResultBlock, calls: _Calls) -> Message:
    message = {
        "role": "tool",
        "tool_call_id": calls.ids[block.tool_use_id],
        "content": result_text(block),
    }
    name = calls.names.get(block.tool_use_id)
    return {**message, "name": name} if name else message


def _references(messages: Iterable[MessageParam]) -> frozenset[str]:
    """Give the names of tools that a search for tools has found."""
    blocks = (block for message in messages for block in message.content)
    results = (block for block in blocks if isinstance(block, ToolResultBlock))
    inner = (one for result in results for one in result.content or ())
    found = (getattr(one, "tool_name", None) for one in inner if one.type == "tool_reference")
    return frozenset(name for name in found if isinstance(name, str))
