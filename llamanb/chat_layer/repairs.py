"""Changes to a conversation that some templates insist on.

Each takes messages and gives changed copies; which are needed is found by trying,
in ``build``. Order: the least invasive first.
"""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from llamanb.chat_layer.messages import Message, Messages, content_text

__all__ = [
    "REPAIRS",
    "Change",
    "merge_late_system",
    "merge_system",
    "one_call_at_a_time",
    "results_beside_calls",
    "tools_as_text",
]

Change = Callable[[Messages], Messages]
_ALPHABET = string.ascii_letters + string.digits
ID_CHARS = 9


def _short_id(original: str) -> str:
    """Give nine letters and digits for a call id, always the same ones.

    Mistral's templates take only such ids.
    """
    if len(original) == ID_CHARS and original.isascii() and original.isalnum():
        return original
    digest = hashlib.sha256(original.encode("utf-8", "replace")).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:ID_CHARS])


def shorten_ids(messages: Messages) -> Messages:
    """Rewrite the ids of tool calls, in the calls and in their results."""
    changed = deepcopy(messages)
    for number, message in enumerate(changed):
        for index, call in enumerate(message.get("tool_calls") or ()):
            call["id"] = _short_id(str(call.get("id") or f"call_{number}_{index}"))
        if message["role"] == "tool":
            message["tool_call_id"] = _short_id(str(message.get("tool_call_id") or ""))
    return changed


def objects_for_arguments(messages: Messages) -> Messages:
    """Wrap arguments that are not a JSON object into one."""
    changed = deepcopy(messages)
    for function in _functions(changed):
        if not isinstance(function.get("arguments"), dict):
            function["arguments"] = {"input": function.get("arguments")}
    return changed


def strings_for_arguments(messages: Messages) -> Messages:
    """Write arguments as JSON text."""
    changed = deepcopy(messages)
    for function in _functions(changed):
        if not isinstance(function.get("arguments"), str):
            function["arguments"] = json.dumps(function.get("arguments"), ensure_ascii=False)
    return changed


def _functions(messages: Messages) -> list[dict[str, Any]]:
    calls = [call for message in messages for call in message.get("tool_calls") or ()]
    return [call["function"] for call in calls if isinstance(call.get("function"), dict)]


def one_call_at_a_time(messages: Messages) -> Messages:
    """Split a turn with several calls into one turn per call, each with its result."""
    changed: Messages = []
    results = {m.get("tool_call_id"): m for m in messages if m["role"] == "tool"}
    moved: list[int] = []
    for message in deepcopy(messages):
        calls = message.get("tool_calls") or []
        if len(calls) < 2:
            changed.append(message)
            continue
        for index, call in enumerate(calls):
            content = message.get("content") if index == 0 else ""
            changed.append(message | {"content": content, "tool_calls": [call]})
            result = results.get(call.get("id"))
            if result is not None:
                changed.append(deepcopy(result))
                moved.append(id(changed[-1]))
    return _without_moved(changed, moved)


def _without_moved(messages: Messages, moved: list[int]) -> Messages:
    ids = {m.get("tool_call_id") for m in messages if id(m) in moved}
    return [
        m
        for m in messages
        if m["role"] != "tool" or id(m) in moved or m.get("tool_call_id") not in ids
    ]


def results_beside_calls(messages: Messages) -> Messages:
    """Put results right behind their turn with calls, before what was said in between."""
    changed: Messages = []
    place: int | None = None
    for message in messages:
        if message["role"] == "assistant":
            place = len(changed) + 1
        if message["role"] != "tool" or place is None:
            changed.append(message)
        else:
            changed.insert(place, message)
            place += 1
    return changed


def answer_results(messages: Messages) -> Messages:
    """Put an unsaid answer between tool results and what the user says next.

    So it is when a turn was cut short after its tools ran. Some templates refuse an
    answer without any text.
    """
    changed: Messages = []
    for message in messages:
        if message["role"] == "user" and changed and changed[-1]["role"] == "tool":
            changed.append({"role": "assistant", "content": "…"})
        changed.append(dict(message))
    return changed


def merge_late_system(messages: Messages) -> Messages:
    """Turn system messages after the first turn into the user's words."""
    first_other = next((i for i, m in enumerate(messages) if m["role"] != "system"), len(messages))
    changed = [
        m | {"role": "user"} if m["role"] == "system" and i > first_other else dict(m)
        for i, m in enumerate(messages)
    ]
    return changed if changed == messages else _merge_runs(changed, roles=("system", "user"))


def merge_system(messages: Messages) -> Messages:
    """Put the system messages at the top into the user's turn after them."""
    if all(message["role"] != "system" for message in messages):
        return messages
    return _merge_runs([m | {"role": "user"} if m["role"] == "system" else m for m in messages])


def alternate_roles(messages: Messages) -> Messages:
    """Join neighbouring turns of one role, and let the user begin."""
    changed = _merge_runs(messages)
    first = next((m for m in changed if m["role"] != "system"), None)
    if first is not None and first["role"] != "user":
        changed.insert(changed.index(first), {"role": "user", "content": ""})
    return changed


def _merge_runs(
    messages: Messages, roles: tuple[str, ...] = ("system", "user", "assistant")
) -> Messages:
    changed: Messages = []
    for message in messages:
        last = changed[-1] if changed else None
        if last is not None and message["role"] in roles and _can_join(last, message):
            changed[-1] = last | {"content": _joined(last, message)}
        else:
            changed.append(dict(message))
    return changed


def _can_join(one: Message, other: Message) -> bool:
    return (
        one["role"] == other["role"] and not one.get("tool_calls") and not other.get("tool_calls")
    )


def _joined(one: Message, other: Message) -> Any:
    contents = one.get("content"), other.get("content")
    if isinstance(contents[0], list) and isinstance(contents[1], list):
        return [*contents[0], *contents[1]]
    return "\n\n".join(text for text in map(content_text, contents) if text)


def add_user_turn(messages: Messages) -> Messages:
    """Add an empty user turn at the end if the user has said nothing at all."""
    if any(message["role"] == "user" for message in messages):
        return messages
    return [*messages, {"role": "user", "content": ""}]


def tools_as_text(messages: Messages) -> Messages:
    """Write tool calls and their results as ordinary text, for templates without tools."""
    changed: Messages = []
    for message in messages:
        calls = message.get("tool_calls") or ()
        if calls:
            texts = [content_text(message.get("content")), *map(_call_text, calls)]
            text = "\n".join(text for text in texts if text)
            changed.append({"role": message["role"], "content": text})
        elif message["role"] == "tool":
            changed.append({"role": "user", "content": content_text(message.get("content"))})
        else:
            changed.append(dict(message))
    return changed


def _call_text(call: Any) -> str:
    function = call.get("function", call)
    shown = {"name": function.get("name"), "arguments": function.get("arguments")}
    return json.dumps(shown, ensure_ascii=False, default=str)


REPAIRS: tuple[tuple[str, Change], ...] = (
    ("tool call ids became nine letters and digits", shorten_ids),
    ("tool call arguments became text", strings_for_arguments),
    ("tool call arguments were wrapped into an object", objects_for_arguments),
    ("parallel tool calls became one call at a time", one_call_at_a_time),
    ("later system messages became user messages", merge_late_system),
    ("an unsaid answer (…) was put after tool results", answer_results),
    ("neighbouring turns of one role were joined", alternate_roles),
    ("an empty user turn was added", add_user_turn),
    ("the system message was merged into the user's", merge_system),
    ("tool calls and results became plain text", tools_as_text),
)
