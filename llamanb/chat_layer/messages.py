"""Brings OpenAI messages into the form that a template takes.

What is done here loses nothing and is done for every template; changes to the
conversation itself, which only some templates need, are in ``repairs``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from llamanb.errors import OptionError

if TYPE_CHECKING:
    from llamanb.chat_layer.probe import Capabilities

__all__ = ["Message", "Messages", "content_text", "copy_messages", "copy_tools", "normalise"]

Message = dict[str, Any]
Messages = list[Message]
MAX_DEPTH = 100


def copy_messages(messages: Iterable[Mapping[str, Any]]) -> Messages:
    """Copy messages deeply, so that no template can change the caller's.

    Raises
    ------
    OptionError
        If a message is no dictionary, has no role, or is nested too deeply.
    """
    copies = [_copy(message) for message in messages]
    for number, message in enumerate(copies):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise OptionError(
                f"messages[{number}] must be a dictionary with a role, such as "
                f"{{'role': 'user', 'content': 'Hello'}}; it is {str(message)[:80]!r}"
            )
        if not _are_objects(message.get("tool_calls")):
            raise OptionError(f"messages[{number}]: tool_calls must be a list of dictionaries")
    return copies


def _are_objects(value: Any) -> bool:
    return value is None or (
        isinstance(value, list) and all(isinstance(one, dict) for one in value)
    )


def copy_tools(tools: Iterable[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    """Copy tool definitions deeply; nothing gives an empty list.

    Raises
    ------
    OptionError
        If one is no dictionary.
    """
    copies = _copy(list(tools or ()))
    if not _are_objects(copies) or not _are_objects([t.get("function", t) for t in copies]):
        raise OptionError("tools must be a list of OpenAI tool definitions (dictionaries)")
    return list(copies)


def _copy(value: Any, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        raise OptionError(f"messages may be nested {MAX_DEPTH} levels deep at most")
    if isinstance(value, str):
        return _without_surrogates(str(value))
    if isinstance(value, Mapping):
        return {str(key): _copy(one, depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_copy(one, depth + 1) for one in value]
    return value


def _without_surrogates(text: str) -> str:
    """Replace half characters, which no tokenizer takes."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def normalise(messages: Messages, able: Capabilities) -> tuple[Messages, list[str]]:
    """Give the messages as the template takes them, and what was changed."""
    changes: list[str] = []
    for message in messages:
        if message["role"] == "developer":
            message["role"] = "system"
            _note(changes, "developer messages became system messages")
        _normalise_content(message, able, changes)
        for call in message.get("tool_calls") or ():
            _normalise_call(call, able)
    return messages, changes


def _note(changes: list[str], change: str) -> None:
    if change not in changes:
        changes.append(change)


def _normalise_content(message: Message, able: Capabilities, changes: list[str]) -> None:
    content = message.get("content")
    if content is None:
        message["content"] = ""
    elif isinstance(content, list) and not able.typed_content:
        if any(_part_text(part) is None for part in content):
            _note(changes, "parts that are not text were left out: the template takes text only")
        message["content"] = content_text(content)
    elif isinstance(content, str) and able.typed_content and not able.string_content:
        message["content"] = [{"type": "text", "text": content}]


def content_text(content: Any) -> str:
    """Give the text of a content: a string, or typed parts joined by newlines."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return "" if content is None else str(content)
    texts = [_part_text(part) for part in content]
    return "\n".join(text for text in texts if text is not None)


def _part_text(part: Any) -> str | None:
    if isinstance(part, str):
        return part
    text = part.get("text") if isinstance(part, dict) else None
    return text if isinstance(text, str) else None


def _normalise_call(call: Any, able: Capabilities) -> None:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return
    arguments = function.get("arguments")
    if able.object_arguments and isinstance(arguments, str | None):
        function["arguments"] = _read_object(arguments or "{}")
    elif not able.object_arguments and isinstance(arguments, dict):
        function["arguments"] = json.dumps(arguments, ensure_ascii=False)


def _read_object(arguments: str) -> Any:
    """Give the object in JSON text; text that is none stays as it is."""
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    return value if isinstance(value, dict) else arguments
