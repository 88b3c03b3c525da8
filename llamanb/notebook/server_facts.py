"""What there is to say about a server and its requests, as plain JSON values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamanb.notebook.clean_text import clean_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llamanb.servers import Server
    from llamanb.servers.request_log import LogEntry

__all__ = ["MOST_ROWS", "facts_of", "row_of", "rows_of", "speed_of"]

MOST_ROWS = 200
LONGEST_TEXT = 200
_API_NAMES = {"openai": "OpenAI", "anthropic": "Anthropic"}


def facts_of(server: Server) -> dict[str, Any]:
    """Give what stands above the log: address, models, state, queue, sums, speed."""
    running, waiting = server.queue
    return {
        "url": server.url,
        "port": server.port,
        "apis": [_API_NAMES.get(api, api) for api in server.apis],
        "models": [_short(name) for name in server.models],
        "has_key": bool(server.api_key),
        "status": server.status,
        "running": running,
        "waiting": waiting,
        "requests": int(server.requests["requests"]),
        "tokens_per_s": round(server.model.perf().get("tokens_per_s", 0.0), 1),
    }


def speed_of(facts: dict[str, Any]) -> str:
    """Give the speed as a text, empty before anything was generated."""
    speed = facts["tokens_per_s"]
    return f"{speed:,.{0 if speed >= 100 else 1}f}" if speed else ""


def rows_of(entries: Sequence[LogEntry]) -> list[dict[str, Any]]:
    """Give the rows of the log, in the order of ``entries``."""
    return [row_of(entry) for entry in entries[:MOST_ROWS]]


def row_of(entry: LogEntry) -> dict[str, Any]:
    """Give one request as a row: times in milliseconds, texts of clients cleaned and cut."""
    return {
        "number": entry.number,
        "time": entry.time,
        "method": _short(entry.method),
        "path": _short(entry.path),
        "client": _client(entry),
        "address": _short(entry.client),
        "agent": _short(entry.user_agent),
        "model": _short(entry.model),
        "prompt": entry.prompt_tokens,
        "cached": entry.cached_tokens,
        "generated": entry.completion_tokens,
        "first_ms": _milliseconds(entry.first_token_s),
        "total_ms": None if entry.state == "running" else _milliseconds(entry.seconds),
        "status": entry.status,
        "state": entry.state,
        "note": _short(entry.error or entry.finish_reason),
    }


def _client(entry: LogEntry) -> str:
    """Give the first word of what the client calls itself, ``curl/8.5.0``, else its address."""
    words = _short(entry.user_agent).split()
    return (words[0] if words else _short(entry.client))[:40]


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _short(text: str) -> str:
    return " ".join(clean_text(text[: 2 * LONGEST_TEXT]).split())[:LONGEST_TEXT]
