"""Writes a description as a Lark grammar for llguidance.

Syntax: https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.elements import Element, Json, Literal, Schema, Token, Until
from llamanb.chat_layer.syntax.lower import (
    Lowered,
    Through,
    lower,
)
from llamanb.chat_layer.syntax.writing import GrammarWriter

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["write_lark"]

_BARE = re.compile(r"<[^<>\s\[\]]+>")
_ANY_TEXT = "TEXT: /(?s:.*)/"


def write_lark(element: Element, tokens: Mapping[str, int] | None = None) -> str:
    r"""Give the grammar of ``element``; the same text for the same description.

    Parameters
    ----------
    element : the description of a whole output.
    tokens : the vocabulary's special tokens and their ids. A ``Token`` among them
        is written as the special token, any other as plain text. Without it every
        ``Token`` in angle brackets is taken for a special one.

    Examples
    --------
    >>> from llamanb.chat_layer.syntax.elements import Literal, Until, sequence
    >>> print(write_lark(sequence(Until(("</a>",)), Literal("</a>\n"))))
    start: text_to_a "\n"
    text_to_a[lazy]: TEXT "</a>"
    TEXT: /(?s:.*)/
    """
    writer = _Writer(tokens)
    return writer.whole(lower(element))


class _Writer(GrammarWriter):
    """Collects named rules while it writes expressions. Used once."""

    def __init__(self, tokens: Mapping[str, int] | None) -> None:
        self._tokens = tokens
        self._rules: dict[str, str] = {}
        self._uses_text = False

    def whole(self, lowered: Lowered) -> str:
        start = self._expression(lowered, nested=False)
        lines = [f"start: {start}"]
        lines += [f"{name}: {body}" for name, body in self._rules.items()]
        return "\n".join([*lines, *([_ANY_TEXT] if self._uses_text else [])])

    def _expression(self, lowered: Lowered, *, nested: bool = True) -> str:
        match lowered:
            case Literal(text):
                return _quote(text)
            case Token(text):
                return self._token(text)
            case Until():
                return self._text()
            case Through():
                return self._through(lowered)
            case Json() | Schema():
                schema = lowered.schema if isinstance(lowered, Schema) else {}
                return f"%json {json.dumps(schema, ensure_ascii=True)}"
            case _:
                return self._compound(lowered, nested=nested)

    def _text(self) -> str:
        self._uses_text = True
        return "TEXT"

    def _is_special(self, text: str) -> bool:
        return bool(_BARE.fullmatch(text)) if self._tokens is None else text in self._tokens

    def _token(self, text: str) -> str:
        if not self._is_special(text):
            return _quote(text)
        return (
            text if self._tokens is None or _BARE.fullmatch(text) else f"<[{self._tokens[text]}]>"
        )

    def _through(self, lowered: Through) -> str:
        end = lowered.end.text
        if isinstance(lowered.end, Token) and self._is_special(end):
            return f"{self._text()} {self._token(end)}"
        name = f"text_to_{_word(end)}[lazy]"
        return self._named(name, f"{self._text()} {_quote(end)}")

    def _named(self, name: str, body: str) -> str:
        """Give the name under which ``body`` is a rule; equal bodies share one."""
        plain, bracket, options = name.partition("[")
        base, number = _word(plain), 1
        while True:
            found = base if number == 1 else f"{base}_{number}"
            known = self._rules.setdefault(f"{found}{bracket}{options}", body)
            if known == body and found != "start":
                return found
            number += 1


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _word(text: str) -> str:
    return "_".join(re.findall(r"[a-z0-9]+", text.lower())) or "marker"
