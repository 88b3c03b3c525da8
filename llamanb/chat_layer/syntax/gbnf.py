"""Writes a description as GBNF, the grammar format of llama.cpp.

Syntax: https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md
"""

from __future__ import annotations

import re

from llamanb.chat_layer.syntax.delimiters import Step, text_automaton
from llamanb.chat_layer.syntax.elements import Element, Json, Literal, Schema, Token, Until
from llamanb.chat_layer.syntax.gbnf_schema import SchemaWriter
from llamanb.chat_layer.syntax.gbnf_text import any_of, any_other, quote
from llamanb.chat_layer.syntax.lower import lower
from llamanb.chat_layer.syntax.lowered import Lowered, Pattern, Through
from llamanb.chat_layer.syntax.writing import GrammarWriter
from llamanb.errors import GrammarError

__all__ = ["write_gbnf"]


def write_gbnf(element: Element) -> str:
    r"""Give the grammar of ``element``; special tokens are written as their text.

    Raises
    ------
    GrammarError
        If a JSON Schema in it says something that GBNF cannot express.

    Examples
    --------
    >>> from llamanb.chat_layer.syntax.elements import Literal, Until, sequence
    >>> print(write_gbnf(sequence(Until(("</",)), Literal("</a>\n"))))
    root ::= through "a>\n"
    through ::= [^<] through | "<" through-1
    through-1 ::= [^/<] through | "/" | "<" through-1
    """
    return _Writer().whole(lower(element))


class _Writer(GrammarWriter):
    """Collects rules while it writes expressions. Used once."""

    def __init__(self) -> None:
        super().__init__()
        self._rules: dict[str, str] = {"root": ""}
        self._automata: dict[Until | Through, str] = {}
        self._schemas = SchemaWriter(self._rules)

    def whole(self, lowered: Lowered) -> str:
        self._rules["root"] = self._expression(lowered, nested=False)
        return "\n".join(f"{name} ::= {body}" for name, body in self._rules.items())

    def _expression(self, lowered: Lowered, *, nested: bool = True) -> str:
        match lowered:
            case Literal(text) | Token(text):
                return quote(text)
            case Until() | Through():
                return self._text(lowered)
            case Json():
                return self._schemas.any_value()
            case Schema(schema):
                return self._schemas.write(schema)
            case Pattern(pattern, text):
                if not text:
                    raise GrammarError(f"GBNF cannot express the pattern {pattern!r}")
                return self._named("string", text)
            case _:
                return self._compound(lowered, nested=nested)

    def _label(self, name: str, number: int) -> str:
        base = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "rule"
        return base if number == 1 else f"{base}-{number}"

    def _keep(self, label: str, body: str) -> bool:
        return self._rules.setdefault(label, body) == body

    def _text(self, lowered: Until | Through) -> str:
        known = self._automata.get(lowered)
        return known or self._new_text(lowered)

    def _new_text(self, lowered: Until | Through) -> str:
        kind = "through" if isinstance(lowered, Through) else "text"
        base = self._free_name(kind)
        self._automata[lowered] = base
        end = lowered.delimiter if isinstance(lowered, Through) else ""
        words = (end, *lowered.others) if isinstance(lowered, Through) else lowered.delimiters
        for number, steps in enumerate(text_automaton(words)):
            name = _state(base, number)
            self._rules[name] = _alternatives(steps, end, base, may_end=kind == "text")
        return base

    def _free_name(self, kind: str) -> str:
        number = 2
        name = kind
        while name in self._rules:
            name, number = f"{kind}{number}", number + 1
        return name


def _state(base: str, number: int) -> str:
    return f"{base}-{number}" if number else base


def _alternatives(steps: list[Step], end: str, base: str, *, may_end: bool) -> str:
    parts = []
    for step in steps:
        characters = any_other(step.characters) if step.is_other else any_of(step.characters)
        if step.target is not None:
            parts.append(f"{characters} {_state(base, step.target)}")
        elif step.found == end:
            parts.append(characters)
    return " | ".join([*parts, *(['""'] if may_end else [])])
