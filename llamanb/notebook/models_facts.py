"""What there is to say about the models of this kernel, as plain JSON values."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from llamanb.models.kernel import manager
from llamanb.models.memory import readable_bytes
from llamanb.models.table import readable_time
from llamanb.notebook.clean_text import clean_text
from llamanb.notebook.messages import UsageError
from llamanb.notebook.server_facts import facts_of
from llamanb.servers import registry

if TYPE_CHECKING:
    from llamanb.models import Model, ModelRow
    from llamanb.notebook.state import NotebookState

__all__ = ["is_at_work", "kernel_facts"]

LONGEST_TEXT = 200
MOST_LISTED = 20
_NO_FIGURES: dict[str, Any] = {"n_ctx": 0, "used": (), "running": 0, "waiting": 0}


def kernel_facts(state: NotebookState) -> dict[str, Any]:
    """Give the models, and what else runs; waits for no model.

    ``models`` has a row for each, with the tokens ``used`` in each sequence of ``n_ctx``;
    ``others`` has a heading and a list of texts for each kind.
    """
    found = [(row, manager().get(row.name)) for row in manager().ps()]
    return {
        "models": [_facts(row, model) for row, model in found if model is not None],
        "others": [
            {"title": title, "texts": texts[:MOST_LISTED], "more": len(texts[MOST_LISTED:])}
            for title, texts in _others(state)
            if texts
        ],
    }


def is_at_work(facts: dict[str, Any]) -> bool:
    """Tell whether the figures will soon be others."""
    return any(one["state"] in ("busy", "loading") for one in facts["models"])


def _facts(row: ModelRow, model: Model) -> dict[str, Any]:
    figures = {**_NO_FIGURES, **model.perf()}
    return {
        "key": row.name,
        "name": _short(row.name),
        "is_toy": row.is_toy,
        "is_default": row.is_default,
        "file": _short(PurePath(row.path).name),
        "path": _short(row.path),
        "quantization": _short(model.header.quantization),
        "state": row.state,
        "memory": readable_bytes(row.memory_bytes) if row.memory_bytes else "",
        "n_ctx": figures["n_ctx"],
        "used": list(figures["used"]),
        "tokens_per_s": round(row.tokens_per_s, 1),
        "running": figures["running"],
        "waiting": figures["waiting"],
        "is_pinned": row.is_pinned,
        "ttl": "" if row.ttl_s is None else readable_time(row.ttl_s),
    }


def _others(state: NotebookState) -> list[tuple[str, list[str]]]:
    servers = [_server_text(facts_of(server)) for server in registry().values()]
    chats = list(filter(None, (_chat_text(name, state) for name in state.chats.names())))
    settings = [f"{key}={value!r}" for key, value in sorted(state.defaults.items())]
    return [
        ("Servers", list(map(_short, servers))),
        ("Chats", list(map(_short, chats))),
        ("Settings", list(map(_short, settings))),
    ]


def _server_text(facts: dict[str, Any]) -> str:
    return f"{facts['url']}: {', '.join(facts['models'])}, {facts['running']} running"


def _chat_text(name: str, state: NotebookState) -> str:
    try:
        chat = state.chats.find(name)
    except UsageError:  # forgotten meanwhile, by the cell that runs
        return ""
    n_turns = sum(message["role"] == "user" for message in chat.messages)
    turns = f"{n_turns} turn{'' if n_turns == 1 else 's'}"
    return f"{name}: {', '.join(filter(None, (chat.model_name, turns)))}"


def _short(text: str) -> str:
    return " ".join(clean_text(text[: 2 * LONGEST_TEXT]).split())[:LONGEST_TEXT]
