"""Items in, messages out: what was said so far, as a chat template takes it.

What an assistant did in one turn comes as several items (reasoning, a message, calls)
and becomes one message. Calls of tools that we never offer, as ``local_shell_call``,
keep their place as ordinary calls, so that nothing of a conversation is lost.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from llamanb.servers.openai_responses.tools import CUSTOM_TEXT, shown_name
from llamanb.servers.problems import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["additional_tools", "complete_items", "read_items", "seal", "unseal"]

Item = Mapping[str, Any]
Message = dict[str, Any]
SEAL = "llamanb."
LEFT_OUT = "[{kind} left out: this model reads text only]"
ROLES = ("user", "assistant", "system", "developer")
TEXT_PARTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text")
# what only the server that wrote it can read, or what would change the conversation
UNREADABLE = frozenset(
    ["compaction", "computer_call", "computer_call_output", "mcp_approval_response", "program"]
)
_OWN_FIELDS = frozenset(["type", "id", "call_id", "status"])


def complete_items(given: str | Sequence[Item] | None, seed: str) -> list[dict[str, Any]]:
    """Give the input as items that have a type and an id, as they are listed and kept.

    Raises
    ------
    Refusal
        If an item says nothing about what it is.
    """
    if isinstance(given, str):
        given = [{"role": "user", "content": given}] if given else []
    return [_complete(item, number, seed) for number, item in enumerate(given or ())]


def _complete(item: Item, number: int, seed: str) -> dict[str, Any]:
    kind = item.get("type") or _untold_kind(item)
    if not isinstance(kind, str):
        raise _wrong(f"input[{number}].type", "it must be the kind of the item, as 'message'")
    own, made = item.get("id"), f"{_PREFIXES.get(kind, 'item')}_{seed}{number:04d}"
    completed = {**item, "type": kind, "id": own if own and isinstance(own, str) else made}
    if kind == "message":
        completed["status"] = item.get("status") or "completed"
        if isinstance(item.get("content"), str):
            completed["content"] = [_text_part(item)]
    return completed


def _untold_kind(item: Item) -> str | None:
    """Give the kind of an item that may leave it out."""
    return "message" if "role" in item else "item_reference" if "id" in item else None


def _text_part(item: Item) -> dict[str, Any]:
    if item.get("role") == "assistant":
        return {"type": "output_text", "text": item["content"], "annotations": []}
    return {"type": "input_text", "text": item["content"]}


_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
}


def additional_tools(items: Iterable[Item]) -> list[Item]:
    """Give the tools that come as items: Codex adds them so for some names of models."""
    lists = (item.get("tools") for item in items if item.get("type") == "additional_tools")
    return [
        tool for tools in lists if isinstance(tools, list) for tool in tools if _is_object(tool)
    ]


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping)


# ---- items to messages -------------------------------------------------------------------


def read_items(items: Sequence[Item], *, n_earlier: int = 0) -> list[Message]:
    """Give the messages that items make up; kinds that nobody knows are left out.

    Parameters
    ----------
    items : as :func:`complete_items` gives them.
    n_earlier : how many of them are of earlier responses.

    Raises
    ------
    Refusal
        Naming the item that cannot be read.
    """
    messages: list[Message] = []
    for number, item in enumerate(items, start=-n_earlier):
        _reader_of(item, number)(item, f"input[{number}]", messages)
    return [message for message in messages if _says_something(message)]


def _reader_of(item: Item, number: int) -> _Reader:
    kind = item["type"]
    if kind in UNREADABLE:
        raise _wrong(f"input[{number}]", f"items of type {kind!r} are not supported")
    return _READERS.get(kind) or _foreign(item, kind)


def _foreign(item: Item, kind: str) -> _Reader:
    """Read the call of a tool that OpenAI defines, or its result, by the names of its kind."""
    if kind.endswith("_call_output"):
        return _read_result
    return _read_foreign_call if kind.endswith("_call") and item.get("call_id") else _ignore


def _ignore(_item: Item, _place: str, _messages: list[Message]) -> None:
    """Leave an item out."""


def _read_message(item: Item, place: str, messages: list[Message]) -> None:
    role = item.get("role")
    if role not in ROLES:
        raise _wrong(f"{place}.role", f"it must be one of {', '.join(map(repr, ROLES))}")
    texts = _texts(item.get("content"), f"{place}.content")
    if role != "assistant":
        parts = [{"type": "text", "text": text} for text in texts]
        messages.append({"role": role, "content": texts[0] if len(texts) == 1 else parts})
    else:
        _turn(messages, begins=True)["content"] = "".join(texts)


def _read_reasoning(item: Item, place: str, messages: list[Message]) -> None:
    texts = _texts(item.get("content"), f"{place}.content")
    text = "\n\n".join(texts) or unseal(item.get("encrypted_content"))
    if text:
        turn = _turn(messages, begins=True)
        before = turn.get("reasoning_content")
        turn["reasoning_content"] = f"{before}\n\n{text}" if before else text


def _read_function_call(item: Item, place: str, messages: list[Message]) -> None:
    _add_call(item, place, messages, _required(item, "arguments", place) or "{}")


def _read_custom_call(item: Item, place: str, messages: list[Message]) -> None:
    text = _required(item, "input", place)
    _add_call(item, place, messages, json.dumps({CUSTOM_TEXT: text}, ensure_ascii=False))


def _read_foreign_call(item: Item, place: str, messages: list[Message]) -> None:
    name = str(item["type"]).removesuffix("_call")
    told = {key: value for key, value in item.items() if key not in _OWN_FIELDS}
    arguments = json.dumps(told, ensure_ascii=False)
    _add_call({**item, "name": name, "namespace": None}, place, messages, arguments)


def _add_call(item: Item, place: str, messages: list[Message], arguments: str) -> None:
    namespace = item.get("namespace")
    name = shown_name(
        _required(item, "name", place), namespace if isinstance(namespace, str) else None
    )
    call = {
        "id": _required(item, "call_id", place),
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }
    _turn(messages).setdefault("tool_calls", []).append(call)


def _read_result(item: Item, place: str, messages: list[Message]) -> None:
    key = "call_id" if item.get("call_id") else "id"
    output = item.get("output")
    texts = _texts(output, f"{place}.output", is_strict=False)
    content: Any = texts[0] if len(texts) == 1 else [{"type": "text", "text": t} for t in texts]
    call_id = _required(item, key, place)
    messages.append({"role": "tool", "tool_call_id": call_id, "content": content or ""})


_Reader = Callable[[Item, str, list[Message]], None]
_READERS: Mapping[str, _Reader] = MappingProxyType(
    {
        "message": _read_message,
        "reasoning": _read_reasoning,
        "function_call": _read_function_call,
        "custom_tool_call": _read_custom_call,
        "function_call_output": _read_result,
        "custom_tool_call_output": _read_result,
        "additional_tools": _ignore,  # read before, as tools
    }
)


def _turn(messages: list[Message], *, begins: bool = False) -> Message:
    """Give the assistant's message that goes on, or a new one.

    ``begins`` says that what comes next stands at the beginning of a turn.
    """
    last = messages[-1] if messages else None
    if last is None or last["role"] != "assistant" or (begins and _says_something(last)):
        messages.append({"role": "assistant", "content": ""})
    return messages[-1]


def _says_something(message: Message) -> bool:
    """Whether a message is more than reasoning that led to nothing."""
    return message["role"] != "assistant" or bool(message["content"] or message.get("tool_calls"))


# ---- texts -------------------------------------------------------------------------------


def _texts(content: Any, place: str, *, is_strict: bool = True) -> list[str]:
    """Give the texts of a content: a text, or parts.

    What is no text is refused, or told by a placeholder if ``is_strict`` is False: a
    tool's picture must not end a conversation.
    """
    if content is None or isinstance(content, str):
        return [content or ""] if content or is_strict else []
    if not isinstance(content, list):
        if is_strict:
            raise _wrong(place, "it must be a text or a list of parts")
        return [json.dumps(content, ensure_ascii=False)]
    return [
        _part_text(part, f"{place}[{number}]", is_strict=is_strict)
        for number, part in enumerate(content)
    ]


def _part_text(part: Any, place: str, *, is_strict: bool) -> str:
    kind = part.get("type") if isinstance(part, Mapping) else None
    text = part.get("refusal" if kind == "refusal" else "text") if kind else part
    if isinstance(text, str) and kind in (None, "refusal", *TEXT_PARTS):
        return text
    if is_strict or kind in TEXT_PARTS:
        why = f"parts of type {kind!r} are not supported" if kind else "it must have a type"
        raise _wrong(place, "it must have a text" if kind in TEXT_PARTS else why)
    return LEFT_OUT.format(kind=kind) if kind else json.dumps(part, ensure_ascii=False)


def _required(item: Item, key: str, place: str) -> str:
    value = item.get(key)
    if not isinstance(value, str) or not (value or key in ("arguments", "input")):
        raise _wrong(f"{place}.{key}", "it must be a text")
    return value


def _wrong(place: str, why: str) -> Refusal:
    return Refusal(f"{place}: {why}", param=place)


# ---- reasoning that travels ----------------------------------------------------------------


def seal(reasoning: str) -> str:
    """Write reasoning as ``encrypted_content``: clients send it back and do not look into it.

    It is not secret: the text is the client's own machine's.
    """
    return SEAL + base64.b64encode(reasoning.encode("utf-8", "replace")).decode("ascii")


def unseal(sealed: Any) -> str:
    """Give the reasoning that we sealed; nothing for what another server sealed."""
    if not isinstance(sealed, str) or not sealed.startswith(SEAL):
        return ""
    try:
        return base64.b64decode(sealed.removeprefix(SEAL), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
