"""One tool call while it is being read: what is known of it, and when to say so."""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING

from llamanb.chat_layer.events import ChatEvent, ToolArgumentsDelta, ToolCallEnd, ToolCallStart
from llamanb.chat_layer.syntax.schemas import JSON_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["OpenCall", "argument_json", "json_text"]

MAX_LITERAL_CHARS = 4096
_ODD_ESCAPE = re.compile(r"\\[^nrtxuU'\"\\]")  # Python warns of some of these


class OpenCall:
    """Gathers one call and gives its events, as early as they are certain.

    Stages: ``name`` (and ``id``) become known → ``start`` → ``write`` the arguments'
    JSON text → ``end``. Text written before ``start`` is kept for it.
    """

    def __init__(self, index: int, say: Callable[[ChatEvent], None]) -> None:
        self._say = say
        self._index = index
        self._written: list[str] = []
        self.name = ""
        self.id = ""
        self.is_started = False
        self.is_cut = False
        self.has_arguments = False
        self.leftover: list[str] = []

    def start(self, make_id: Callable[[], str]) -> None:
        """Say that the call begins, and what was written before."""
        if self.is_started:
            return
        self.is_started = True
        self.id = self.id or make_id()
        self._say(ToolCallStart(index=self._index, id=self.id, name=self.name))
        if self._written:
            self._say(ToolArgumentsDelta(index=self._index, text="".join(self._written)))

    def write(self, text: str) -> None:
        """Append to the arguments."""
        if not text:
            return
        self._written.append(text)
        if self.is_started:
            self._say(ToolArgumentsDelta(index=self._index, text=text))

    def end(self) -> None:
        """Say that the call is complete; without arguments they are ``{}``."""
        if not self._written:
            self.write("{}")
        arguments = "".join(self._written)
        self._say(ToolCallEnd(index=self._index, id=self.id, name=self.name, arguments=arguments))


def json_text(text: str) -> str:
    """Give raw text as it stands inside a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def argument_json(text: str, *, may_be_text: bool, types: tuple[str, ...] = ()) -> str:
    """Give the JSON of a value that a model wrote between tags.

    Python's words become JSON's; what is neither becomes a string. With
    ``may_be_text`` only JSON is taken for more than text.
    """
    stripped = text.strip()
    if stripped == "None" and "null" in types:
        return "null"
    try:
        value = json.loads(stripped, parse_constant=_refuse)
    except (ValueError, RecursionError):
        python = None if may_be_text else _from_python(stripped)
        return json.dumps(text, ensure_ascii=False) if python is None else python
    is_other = may_be_text and types and JSON_TYPES[type(value)] not in types
    return json.dumps(text, ensure_ascii=False) if is_other else stripped


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _from_python(text: str) -> str | None:
    if len(text) > MAX_LITERAL_CHARS or _ODD_ESCAPE.search(text):
        return None
    try:
        return json.dumps(ast.literal_eval(text), ensure_ascii=False, allow_nan=False)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None
