"""Conversations to render, by name; ``needle`` is a word the prompt must show once."""

from __future__ import annotations

from typing import Any

SYSTEM = {"role": "system", "content": "You are terse."}
USER = {"role": "user", "content": "Is it cold?"}
ANSWER = {"role": "assistant", "content": "It is mild."}
NEEDLE_USER = {"role": "user", "content": "needle"}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Gives the weather.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "a city"}},
            "required": ["city"],
        },
    },
}


def call(arguments: Any, call_id: str = "call_1") -> dict[str, Any]:
    function = {"name": "get_weather", "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


def result(content: str, call_id: str = "call_1") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "name": "get_weather", "content": content}


def called(*calls: Any, content: Any = "") -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(calls)}


PARIS = {"city": "Paris"}
CONVERSATIONS: dict[str, list[dict[str, Any]]] = {
    "plain": [NEEDLE_USER],
    "system": [SYSTEM, NEEDLE_USER],
    "system-shown": [{"role": "system", "content": "needle"}, USER],
    "multi-turn": [SYSTEM, USER, ANSWER, NEEDLE_USER],
    "typed-parts": [{"role": "user", "content": [{"type": "text", "text": "needle"}]}],
    "developer": [{"role": "developer", "content": "needle"}, USER],
    "late-system": [SYSTEM, USER, ANSWER, {"role": "system", "content": "needle"}, USER],
    "two-users": [USER, NEEDLE_USER],
    "two-assistants": [USER, ANSWER, ANSWER, NEEDLE_USER],
    "assistant-first": [ANSWER, NEEDLE_USER],
    "system-only": [{"role": "system", "content": "needle"}],
    "call-object": [USER, called(call(PARIS)), result("needle")],
    "call-text": [USER, called(call('{"city": "Paris"}')), result("needle")],
    "call-null-content": [USER, called(call(PARIS), content=None), result("needle")],
    "call-not-json": [USER, called(call("Paris")), result("needle")],
    "two-calls": [
        USER,
        called(call(PARIS), call({"city": "Rome"}, "call_2")),
        result("12 C"),
        result("needle", "call_2"),
    ],
}
REFERENCE_CASES: dict[str, dict[str, Any]] = {
    "plain": {"messages": [USER]},
    "system": {"messages": [SYSTEM, USER]},
    "multi-turn": {"messages": [SYSTEM, USER, ANSWER, USER]},
    "thinking-on": {"messages": [USER], "enable_thinking": True},
    "thinking-off": {"messages": [USER], "enable_thinking": False},
    "one-tool": {"messages": [USER], "tools": [TOOL]},
}
