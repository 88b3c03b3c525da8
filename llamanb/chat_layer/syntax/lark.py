"""Writes a description as a Lark grammar for llguidance.

Syntax: https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md
"""

from __future__ import annotations

import json
import re
from itertools import count
from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.elements import Element, Json, Literal, Schema, Token, Until
from llamanb.chat_layer.syntax.enforceable import enforceable
from llamanb.chat_layer.syntax.lower import lower
from llamanb.chat_layer.syntax.lowered import Lowered, LoweredAnyOrder, Pattern, Through
from llamanb.chat_layer.syntax.orders import all_orders
from llamanb.chat_layer.syntax.writing import GrammarWriter

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["write_lark"]

_BARE = re.compile(r"<[^<>\s\[\]]+>")
_PARTS = re.compile(rf"({_BARE.pattern})")
_SLASH, _ESCAPED_SLASH = re.compile(r"(?<!\\)/"), r"\\/"
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
        super().__init__()
        self._tokens = tokens
        self._rules: dict[str, str] = {}
        self._uses_text = False
        self._made: list[Lowered] = []

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
            case Until() | Through():
                return self._free_text(lowered)
            case Json() | Schema():
                schema = enforceable(lowered.schema) if isinstance(lowered, Schema) else {}
                return f"%json {json.dumps(schema, ensure_ascii=True)}"
            case Pattern(regex=text):
                return f"/{_SLASH.sub(_ESCAPED_SLASH, text)}/"
            case _:
                return self._compound(lowered, nested=nested)

    def _any_order(self, lowered: LoweredAnyOrder) -> Lowered:
        self._made.append(all_orders(lowered.items))  # rules are known by their place in memory
        return self._made[-1]

    def _text(self) -> str:
        self._uses_text = True
        return "TEXT"

    def _is_special(self, text: str) -> bool:
        return bool(_BARE.fullmatch(text)) if self._tokens is None else text in self._tokens

    def _token(self, text: str) -> str:
        """Write a marker; in one of several parts each special token stands by itself."""
        if not self._is_special(text):
            parts = [one for one in _PARTS.split(text) if one]
            is_made_of = len(parts) > 1 and any(map(self._is_special, parts))
            return " ".join(map(self._token, parts)) if is_made_of else _quote(text)
        return (
            text if self._tokens is None or _BARE.fullmatch(text) else f"<[{self._tokens[text]}]>"
        )

    def _free_text(self, lowered: Until | Through) -> str:
        if isinstance(lowered, Until):
            return self._text_without(lowered.delimiters, lowered)
        end = lowered.delimiter
        if isinstance(lowered.end, Token) and self._is_special(lowered.end.text):
            text = self._text_without((), lowered)
            text = _ending_in(lowered.before) if lowered.before else text
            return f"{text} {self._token(lowered.end.text)}"
        name = f"text_to_{_word(end)}[lazy]"
        return self._named(name, f"{self._text_without(lowered.others, lowered)} {_quote(end)}")

    def _text_without(self, others: tuple[str, ...], lowered: Until | Through) -> str:
        """Give any text in which none of ``others`` is; special tokens are in none anyway."""
        words = [word for word in others if not self._is_special(word)]
        is_limited = lowered.least > 0 or lowered.most is not None
        most = "" if lowered.most is None else lowered.most
        anything = f"/(?s:.){{{lowered.least},{most}}}/" if is_limited else "/(?s:.*)/"
        if not words:
            return anything if is_limited else self._text()
        avoided = "|".join(map(_escaped, words))
        body = f"{anything} & ~/(?s:.*)({avoided})(?s:.*)/"
        names = (self._label(_word("_".join(words)), number).upper() for number in count(1))
        labels = (f"TEXT_WITHOUT_{name}" for name in names)
        return next(label for label in labels if self._keep(label, body))

    def _label(self, name: str, number: int) -> str:
        plain, bracket, options = name.partition("[")
        base = _word(plain)
        return (base if number == 1 else f"{base}_{number}") + bracket + options

    def _keep(self, label: str, body: str) -> bool:
        return label != "start" and self._rules.setdefault(label, body) == body

    def _named(self, name: str, body: str) -> str:
        return super()._named(name, body).partition("[")[0]


def _ending_in(text: str) -> str:
    return f"/(?s:.*){_escaped(text)}/"


def _escaped(text: str) -> str:
    return re.escape(text).replace("/", r"\/").replace("\\\n", r"\n")


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _word(text: str) -> str:
    return "_".join(re.findall(r"[a-z0-9]+", text.lower())) or "marker"
