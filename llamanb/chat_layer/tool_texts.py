"""Tools for templates that show none: definitions and calls as text in the messages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.messages import Message, Messages, content_text
from llamanb.chat_layer.prompt import ToolCall
from llamanb.chat_layer.syntax.families import HERMES, Family
from llamanb.chat_layer.syntax.written_calls import write_calls

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llamanb.chat_layer.spans import Span

__all__ = ["WrittenCalls", "add_tools", "calls_in_content", "markup_spans"]

_MARKS = ("\ue000", "\ue001")
_INTRODUCTION = """\
You may call tools to answer the user. These are the tools, each with the JSON Schema of its arguments:
{tools}

To call one, write just this, with the tool's own name and arguments:
{example}
Its result is given to you in the next message. Call a tool only when it helps."""


@dataclass(frozen=True, slots=True)
class WrittenCalls:
    """Calls as text, and the same with private marks around names and arguments."""

    text: str
    marked: str


def add_tools(messages: Messages, tools: list[dict[str, Any]], family: Family | None) -> Messages:
    """Describe ``tools`` at the end of the system message, or in one of their own."""
    example = ToolCall(id="", name="tool_name", arguments='{"argument": "value"}')
    text = _INTRODUCTION.format(
        tools="\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools),
        example=write_calls(family or HERMES, [example]),
    )
    if messages and messages[0]["role"] == "system":
        first = messages[0]
        return [first | {"content": _appended(first, text)}, *messages[1:]]
    return [{"role": "system", "content": text}, *messages]


def _appended(message: Message, text: str) -> Any:
    content = message.get("content")
    if isinstance(content, list):
        return [*content, {"type": "text", "text": text}]
    return "\n\n".join(one for one in (content_text(content), text) if one)


def calls_in_content(
    messages: Messages, family: Family | None
) -> tuple[Messages, list[WrittenCalls]]:
    """Put the calls of assistant turns into their content, as the model writes them."""
    changed: Messages = []
    written: list[WrittenCalls] = []
    for message in messages:
        calls = message.get("tool_calls")
        if not calls:
            changed.append(message)
            continue
        written.append(_written(family or HERMES, [_call(one) for one in calls]))
        kept = {name: one for name, one in message.items() if name != "tool_calls"}
        changed.append(kept | {"content": _appended(message, written[-1].text)})
    return changed, written


def _call(call: Any) -> ToolCall:
    function = call.get("function", call)
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments or {}, ensure_ascii=False)
    return ToolCall(
        id=str(call.get("id") or ""), name=str(function.get("name", "")), arguments=arguments
    )


def _written(family: Family, calls: list[ToolCall]) -> WrittenCalls:
    try:
        return WrittenCalls(write_calls(family, calls), write_calls(family, calls, _MARKS))
    except ValueError:  # the arguments are no JSON object: the model's own text, as it was
        text = "\n".join(f"{call.name} {call.arguments}" for call in calls)
        return WrittenCalls(text, text.join(_MARKS))


def markup_spans(prompt: str, written: Sequence[WrittenCalls]) -> Iterator[Span]:
    """Give the ranges of ``prompt`` that are the markup of ``written`` calls."""
    start = 0
    for calls in written:
        place = prompt.find(calls.text, start)
        is_clear = calls.marked.replace(_MARKS[0], "").replace(_MARKS[1], "") == calls.text
        if place < 0 or not is_clear:
            continue
        start = place + len(calls.text)
        for number, part in enumerate(_parts(calls.marked)):
            if number % 2 == 0 and part:
                yield place, place + len(part)
            place += len(part)


def _parts(marked: str) -> Iterator[str]:
    """Give markup and marked text by turns."""
    for number, part in enumerate(marked.split(_MARKS[0])):
        inside, closed, after = part.partition(_MARKS[1])
        if number and closed:
            yield inside
            yield after
        else:
            yield part
