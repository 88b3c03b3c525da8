"""The table of a server that stays in a saved notebook."""

from __future__ import annotations

import time
from typing import Any

import pytest

from llamanb.notebook.server_facts import row_of
from llamanb.notebook.server_sheet import ServerSheet
from llamanb.servers.request_log import LogEntry

FACTS: dict[str, Any] = {
    "url": "http://127.0.0.1:11434",
    "port": 11434,
    "apis": ["OpenAI", "Anthropic"],
    "models": ["demo"],
    "has_key": False,
    "status": "running",
    "running": 1,
    "waiting": 0,
    "requests": 2,
    "tokens_per_s": 93.21,
}
ENTRIES = [
    LogEntry(number=2, method="POST", path="/v1/messages", user_agent="<b>|evil", time=3600.0),
    LogEntry(
        number=1,
        method="GET",
        path="/v1/models",
        client="127.0.0.1",
        status=200,
        state="done",
        first_token_s=1.2345,
        seconds=2.5,
        prompt_tokens=1234,
        time=3599.0,
    ),
]


@pytest.fixture
def sheet() -> ServerSheet:
    """Give a sheet with two requests, one of which runs."""
    return ServerSheet(FACTS, [row_of(entry) for entry in ENTRIES], moment=3600.0)


def test_the_text_says_where_what_and_who(sheet: ServerSheet) -> None:
    headline, summary, head, running, done = repr(sheet).splitlines()
    assert headline == "OpenAI and Anthropic server at http://127.0.0.1:11434: running"
    clock = time.strftime("as of %Y-%m-%d %H:%M:%S", time.localtime(3600))
    assert summary.split(" · ") == [
        "demo",
        "no key",
        "2 requests",
        "1 running, 0 waiting",
        "93.2 tokens/s",
        clock,
    ]
    assert head.split()[:4] == ["time", "status", "request", "client"]
    assert "running  POST /v1/messages" in running
    assert "200      GET /v1/models" in done
    assert done.split()[-5:] == ["1,234", "0", "0", "1,234", "2,500"]


def test_texts_of_clients_stay_text(sheet: ServerSheet) -> None:
    assert "<td" in sheet._repr_html_()
    assert "&lt;b&gt;|evil" in sheet._repr_html_()
    assert "&lt;b&gt;\\|evil" in sheet._repr_markdown_()


def test_without_requests_there_is_no_table() -> None:
    sheet = ServerSheet({**FACTS, "requests": 1, "tokens_per_s": 0.0, "has_key": True}, [], 0.0)
    assert len(repr(sheet).splitlines()) == 2
    assert "asks for a key · 1 request · 1 running" in repr(sheet)
    assert "<table>" not in sheet._repr_html_()
    assert "|" not in sheet._repr_markdown_()
