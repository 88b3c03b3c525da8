"""Keeps the messages of a talk whole: every tool call has its result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.messages import copy_messages
from llamanb.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["call_ids", "completed", "last_question", "open_calls", "read_talk"]

_NO_RESULT = "no result was given"

Message = dict[str, Any]


def call_ids(messages: Sequence[Message]) -> frozenset[str]:
    """Give the ids of all tool calls."""
    return frozenset(
        str(call.get("id")) for message in messages for call in message.get("tool_calls") or ()
    )


def open_calls(messages: Sequence[Message]) -> list[Message]:
    """Give the tool calls at the end that have no result."""
    place = _last_calls(messages)
    answered = {message.get("tool_call_id") for message in messages[place + 1 :]}
    calls = messages[place].get("tool_calls") or () if messages else ()
    return [call for call in calls if call.get("id") not in answered]


def completed(
    messages: Sequence[Message], results: Mapping[str, str] | None = None
) -> list[Message]:
    """Give the messages with a result for each call at the end, in the order of the calls."""
    left = open_calls(messages)
    if not left:
        return list(messages)
    place = _last_calls(messages)
    by_id = {message.get("tool_call_id"): message for message in messages[place + 1 :]}
    by_id.update({call["id"]: _result(call, results or {}) for call in left})
    return [*messages[: place + 1], *(by_id[call["id"]] for call in messages[place]["tool_calls"])]


def _last_calls(messages: Sequence[Message]) -> int:
    """Give the place of the last message that is no result; -1 if there is none."""
    place = len(messages) - 1
    while place >= 0 and messages[place]["role"] == "tool":
        place -= 1
    return place


def _result(call: Message, texts: Mapping[str, str]) -> Message:
    return {
        "role": "tool",
        "tool_call_id": call["id"],
        "name": call["function"]["name"],
        "content": texts.get(call["id"], _NO_RESULT),
    }


def last_question(messages: Sequence[Message]) -> int:
    """Give the place of the user's last turn.

    Raises
    ------
    OptionError
        If the user has said nothing.
    """
    places = [place for place, message in enumerate(messages) if message["role"] == "user"]
    if not places:
        raise OptionError("the user has said nothing yet")
    return places[-1]


def read_talk(text: str) -> tuple[str | None, list[Message]]:
    """Give the system prompt and the messages that ``Session.to_json`` wrote.

    Raises
    ------
    OptionError
        If the text is something else.
    """
    try:
        talk = json.loads(text)
        system_prompt, messages = talk["system_prompt"], copy_messages(talk["messages"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise OptionError(f"this is no saved talk: {error!r}") from None
    if not isinstance(system_prompt, str | None):
        raise OptionError("this is no saved talk: its system_prompt is no text")
    return system_prompt, messages
