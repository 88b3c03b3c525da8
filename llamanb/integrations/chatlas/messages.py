"""Turns of chatlas to OpenAI messages, and back."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Any

from chatlas import AssistantTurn, ContentToolRequest, ContentToolResult, UserTurn
from chatlas.types import ContentText, ContentThinking

from llamanb.chat_layer.messages import content_text
from llamanb.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from chatlas import Turn
    from chatlas.types import Content

__all__ = ["messages_of", "read_arguments", "rounds_before", "turns_of", "with_instruction"]

Message = dict[str, Any]
_REASONING = ("thinking", "thinking_delta")


def messages_of(turns: Iterable[Turn]) -> list[Message]:
    """Give turns as OpenAI messages.

    Raises
    ------
    OptionError
        For what no model here can read, such as images.
    """
    return [message for turn in turns for message in _of_turn(turn)]


def _of_turn(turn: Turn) -> list[Message]:
    results = [_result(one) for one in turn.contents if isinstance(one, ContentToolResult)]
    texts = [text for one in turn.contents if (text := _text(one)) is not None]
    message: Message = {"role": turn.role}
    if texts:
        message["content"] = texts[0] if len(texts) == 1 else [_part(text) for text in texts]
    if reasoning := "".join(_reasoning(turn.contents)):
        message["reasoning_content"] = reasoning
    if calls := [_call(one) for one in turn.contents if isinstance(one, ContentToolRequest)]:
        message["tool_calls"] = calls
    said = [message] if len(message) > 1 else []
    return [*results, *said]


def _part(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _reasoning(contents: Sequence[Content]) -> list[str]:
    return [getattr(one, "thinking", "") for one in contents if one.content_type in _REASONING]


def _text(content: Content) -> str | None:
    """Give a content's text; None if it is written elsewhere in the message."""
    kind = content.content_type
    if kind in (*_REASONING, "tool_request") or isinstance(content, ContentToolResult):
        return None
    read = _TEXTS.get(kind)
    if read is None:
        raise OptionError(f"this model reads text alone, no {kind.replace('_', ' ')} content")
    return read(content)


_TEXTS: Mapping[str, Callable[[Any], str]] = {
    "text": lambda content: str(content.text),
    "json": lambda content: _as_json(content.value),
}


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _call(request: ContentToolRequest) -> dict[str, Any]:
    given = request.arguments
    arguments = given if isinstance(given, str) else _as_json(given)
    function = {"name": request.name, "arguments": arguments}
    return {"id": request.id, "type": "function", "function": function}


def _result(result: ContentToolResult) -> Message:
    value = result.get_model_value()
    content = value if isinstance(value, str) else _as_json(value)
    return {"role": "tool", "tool_call_id": result.id, "name": result.name, "content": content}


def with_instruction(messages: Sequence[Message], text: str) -> list[Message]:
    """Give the messages with ``text`` at the end of the system prompt, or as one."""
    is_there = bool(messages) and messages[0]["role"] == "system"
    before = content_text(messages[0].get("content")) if is_there else ""
    told = "\n\n".join(filter(None, (before, text)))
    return [{"role": "system", "content": told}, *messages[is_there:]]


def rounds_before(turns: Sequence[Turn]) -> int:
    """Count how often tools were called since the user last said something."""
    rounds = 0
    for turn in reversed(turns):
        if turn.role == "user" and any(one.content_type != "tool_result" for one in turn.contents):
            break
        is_call = any(isinstance(one, ContentToolRequest) for one in turn.contents)
        rounds += turn.role == "assistant" and is_call
    return rounds


def turns_of(messages: Iterable[Message]) -> list[Turn]:
    """Give OpenAI messages, the system prompt left out, as turns."""
    requests: dict[str, ContentToolRequest] = {}
    turns: list[Turn] = []
    for role, group in groupby(messages, key=lambda message: message["role"]):
        if role == "tool":
            turns.append(UserTurn([_read_result(one, requests) for one in group]))
            continue
        turns += [_said(one, requests) for one in group if role in ("user", "assistant")]
    return turns


def _said(message: Message, requests: dict[str, ContentToolRequest]) -> Turn:
    text = content_text(message.get("content"))
    contents: list[Content] = [ContentText.model_construct(text=text)] if text else []
    if message["role"] == "user":
        return UserTurn(contents)
    if reasoning := message.get("reasoning_content"):
        contents.insert(0, ContentThinking(thinking=reasoning))
    calls = [_request(call) for call in message.get("tool_calls") or ()]
    requests |= {call.id: call for call in calls}
    return AssistantTurn([*contents, *calls])


def _request(call: Mapping[str, Any]) -> ContentToolRequest:
    function = call["function"]
    arguments = read_arguments(function["arguments"])
    return ContentToolRequest(id=call["id"], name=function["name"], arguments=arguments)


def read_arguments(text: str) -> object:
    """Give a call's arguments; as text if they are not JSON, for the tool to refuse."""
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def _read_result(message: Message, requests: Mapping[str, ContentToolRequest]) -> ContentToolResult:
    own = message["tool_call_id"]
    request = requests.get(own) or ContentToolRequest(id=own, name="", arguments={})
    return ContentToolResult(value=content_text(message.get("content")), request=request)
