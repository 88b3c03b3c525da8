"""Requests in the shape in which Claude Code 2.1 sends them, with made-up words."""

from __future__ import annotations

import itertools
from typing import Any

from tests.servers.anthropic.asking import text, tool, user

__all__ = ["HEADERS", "first_request", "next_request"]

Body = dict[str, Any]
SESSION = "5f0c2d1e-0000-4000-8000-000000000001"
HEADERS = {
    "x-api-key": "local",
    "x-app": "cli",
    "x-claude-code-session-id": SESSION,
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14,"
    "context-management-2025-06-27,prompt-caching-scope-2026-01-05,"
    "mid-conversation-system-2026-04-07,effort-2025-11-24",
}
CACHED = {"cache_control": {"type": "ephemeral"}}
TOOL_NAMES = ("Agent", "Bash", "Edit", "Glob", "Grep", "Read", "Skill", "TaskCreate", "Write")
_runs = itertools.count()


def first_request(**fields: Any) -> Body:
    """Give what it sends when somebody says hello; no two runs send the same header."""
    run = f"x-anthropic-billing-header: cc_version=2.1.330.{next(_runs):x}; cc_entrypoint=cli;"
    rules = "\n".join(f"Rule {number}: read a file before you change it." for number in range(40))
    context = "<system-reminder>\nToday's date is 2026-11-23.\n</system-reminder>"
    kinds = {"role": "system", "content": [text("Agents for the Agent tool: claude, explore")]}
    return {
        "model": "claude-opus-4-8",
        "system": [text(run), {**text("You help with code."), **CACHED}, {**text(rules), **CACHED}],
        "messages": [user(context, {**text("Hello"), **CACHED}), kinds],
        "tools": [tool(name) for name in TOOL_NAMES],
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "high"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "metadata": {"user_id": f'{{"device_id":"0","session_id":"{SESSION}"}}'},
        "max_tokens": 32_000,
        "stream": True,
        **fields,
    }


def next_request(answer: list[Body], results: list[Body], **fields: Any) -> Body:
    """Give what it sends after an answer: the results of its calls, or the user's next words."""
    request = first_request(**fields)
    talk = request["messages"]
    turn = user(*results) if results else user("Thank you")
    return {**request, "messages": [*talk, {"role": "assistant", "content": answer}, turn]}
