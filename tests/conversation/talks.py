"""Talks with a scripted model, for the tests of tool rounds."""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

from llamanb.chat_layer import ChatEvent, Finished, ToolResult
from llamanb.conversation import Session, TalkStream
from llamanb.conversation.tools import tool
from tests.conversation.fakes import ScriptedModel

WAIT_S = 10


def call(name: str, arguments: Any = None) -> str:
    """What a model of the Hermes family writes to call a tool."""
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments or {})
    return f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>'


ADD_CALL = {
    "type": "function",
    "id": "c1",
    "function": {"name": "add", "arguments": '{"a": 4, "b": 1}'},
}


@tool
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


@tool(approve=True)
def shout(text: str) -> str:
    """Write in capitals."""
    sys.stdout.write("shouting\n")
    return text.upper()


def described(name: str) -> dict[str, Any]:
    """A definition that nobody here carries out."""
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


def talk(*replies: str, **options: Any) -> tuple[Session, ScriptedModel]:
    model = ScriptedModel()
    for reply in replies:
        model.enqueue(list(reply))
    return Session(model, **{"tools": [add, shout], "approve": "auto", **options}), model


def finish_of(events: list[ChatEvent]) -> Finished:
    """The one end of a turn."""
    ends = [event for event in events if isinstance(event, Finished)]
    assert ends == events[-1:]
    return ends[0]


def results_of(events: list[ChatEvent]) -> list[tuple[str, bool]]:
    return [(e.content, e.is_error) for e in events if isinstance(e, ToolResult)]


def shape(session: Session) -> str:
    """The roles of a talk, calls and results with their ids numbered."""
    ids: dict[str, str] = {}
    words = []
    for message in session.messages:
        calls = message.get("tool_calls") or ()
        numbers = [ids.setdefault(one["id"], str(len(ids))) for one in calls]
        own = ids.get(message.get("tool_call_id", ""), "")
        words.append(message["role"][0] + own + (f"({','.join(numbers)})" if calls else ""))
    return " ".join(words)


def assert_whole(messages: list[dict[str, Any]]) -> None:
    """Every call has exactly one result, right behind it; no result is without a call."""
    waiting: list[str] = []
    seen: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            assert waiting, messages
            assert message["tool_call_id"] == waiting.pop(0)
            continue
        assert not waiting, messages
        waiting = [one["id"] for one in message.get("tool_calls") or ()]
        assert not seen & set(waiting)
        seen.update(waiting)
    assert not waiting, messages


def in_background(stream: TalkStream) -> tuple[threading.Thread, list[ChatEvent]]:
    """Read a turn in another thread."""
    events: list[ChatEvent] = []
    thread = threading.Thread(target=lambda: events.extend(stream), daemon=True)
    thread.start()
    return thread, events
