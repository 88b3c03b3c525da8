"""Messages as OpenAI's clients write them, brought into the one form that templates get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamanb.servers.problems import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llamanb.servers.openai.requests import CalledFunction, ContentPart, Message

__all__ = ["is_prefill", "read_messages"]


def read_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Give plain dictionaries: text contents, tool calls with ids, no keys of other programs.

    A content in parts gives the same prompt as one text: the parts are joined by
    newlines. Calls and results of the old ``function_call`` kind become tool calls.

    Raises
    ------
    Refusal
        If a part is no text.
    """
    last_ids: dict[str, str] = {}
    return [_message(number, message, last_ids) for number, message in enumerate(messages)]


def is_prefill(message: dict[str, Any]) -> bool:
    """Whether a last message is the beginning of the answer: an assistant's text, no calls."""
    return (
        message["role"] == "assistant" and bool(message["content"]) and "tool_calls" not in message
    )


def _message(number: int, message: Message, last_ids: dict[str, str]) -> dict[str, Any]:
    content = _content(message.content, f"messages[{number}].content")
    read: dict[str, Any] = {"role": message.role, "content": content}
    optional = {
        "name": message.name,
        "tool_call_id": message.tool_call_id,
        "reasoning_content": _reasoning(message),
        "tool_calls": _calls(number, message, last_ids),
    }
    read.update({key: value for key, value in optional.items() if value})
    if message.role == "function":
        read["role"] = "tool"
        read.setdefault("tool_call_id", last_ids.get(message.name or "", ""))
    return read


def _content(content: str | list[str | ContentPart] | None, place: str) -> str | None:
    if isinstance(content, list):
        return "\n".join(_text(part, f"{place}[{index}]") for index, part in enumerate(content))
    return content


def _text(part: str | ContentPart, place: str) -> str:
    if isinstance(part, str):
        return part
    text = part.text if part.text is not None else (part.model_extra or {}).get(part.type)
    if isinstance(text, str):  # {"type": "refusal", "refusal": "…"} is text, too
        return text
    raise Refusal(
        f"{place}: a part of the type {part.type!r} cannot be read; this model takes text only",
        param=place,
        code="unsupported_content",
    )


def _reasoning(message: Message) -> str | None:
    """Give the reasoning under llama-server's name, or the one that others use."""
    if message.reasoning_content is not None:
        return message.reasoning_content
    reasoning = (message.model_extra or {}).get("reasoning")
    return reasoning if isinstance(reasoning, str) else None


def _calls(number: int, message: Message, last_ids: dict[str, str]) -> list[dict[str, Any]]:
    calls = [
        _call(call.id or f"call_{number}_{index}", call.function)
        for index, call in enumerate(message.tool_calls or ())
    ]
    if not calls and message.function_call is not None:
        calls = [_call(f"call_{number}_0", message.function_call)]
    last_ids.update({call["function"]["name"]: call["id"] for call in calls})
    return calls


def _call(call_id: str, function: CalledFunction) -> dict[str, Any]:
    arguments = "{}" if function.arguments in (None, "") else function.arguments
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": function.name, "arguments": arguments},
    }
