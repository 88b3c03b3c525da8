"""Show named chats: the list of them, and the messages of one."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from llamanb.notebook.call_view import call_html, call_lines
from llamanb.notebook.calls import Call
from llamanb.notebook.clean_text import clean_text
from llamanb.notebook.markdown import render_html
from llamanb.notebook.tables import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llamanb.notebook.state import NotebookState

__all__ = ["History", "chats_table"]


def chats_table(state: NotebookState) -> Table:
    """Give the named chats; the one that is written to has a star."""
    current = state.chat_name(None)
    rows = [_row(name, state, is_current=name == current) for name in state.chats.names()]
    note = "" if rows else "no chat yet: run a %%llama cell, or name one with %%llama -c NAME"
    return Table("Chats", ("", "name", "model", "turns", "last question"), rows, note)


def _row(name: str, state: NotebookState, *, is_current: bool) -> tuple[str, ...]:
    chat = state.chats.find(name)
    questions = [str(m["content"]) for m in chat.messages if m["role"] == "user"]
    last = questions[-1] if questions else ""
    return ("*" if is_current else "", name, chat.model_name, str(len(questions)), last)


@dataclass(frozen=True, slots=True)
class History:
    """The messages of one chat, as text and as HTML."""

    name: str
    messages: Sequence[dict[str, Any]]

    def __repr__(self) -> str:
        lines = [f"{_speaker(m)}: {clean_text(_content(m))}" for m in self.messages]
        return "\n".join([self._title(), *lines])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<dt><b>{escape(_speaker(m))}</b></dt><dd>{_html(m)}</dd>" for m in self.messages
        )
        return f"<div>{escape(self._title())}<dl>{rows}</dl></div>"

    def _title(self) -> str:
        return f"chat {self.name!r}: {len(self.messages)} messages"


def _speaker(message: dict[str, Any]) -> str:
    is_result = message["role"] == "tool" and message.get("name")
    return clean_text(f"tool {message['name']}" if is_result else str(message["role"]))


def _content(message: dict[str, Any]) -> str:
    """Give what was said, and what was called, as text."""
    said = str(message.get("content") or "")
    calls = ["\n".join(call_lines(call)) for call in _calls(message)]
    return "\n".join(filter(None, (said, *calls)))


def _html(message: dict[str, Any]) -> str:
    said = str(message.get("content") or "")
    if message["role"] == "tool":
        return f'<pre style="white-space:pre-wrap">{escape(clean_text(said))}</pre>'
    return render_html(said) + "".join(map(call_html, _calls(message)))


def _calls(message: dict[str, Any]) -> list[Call]:
    return [
        Call(
            id=str(call.get("id")),
            name=str(call["function"]["name"]),
            arguments=str(call["function"]["arguments"]),
            is_whole=True,
        )
        for call in message.get("tool_calls") or ()
    ]
