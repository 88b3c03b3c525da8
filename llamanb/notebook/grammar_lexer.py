"""Colours for grammars: Lark as llguidance takes it, and GBNF."""

from __future__ import annotations

from typing import ClassVar

from pygments.lexer import RegexLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String, Text

__all__ = ["GRAMMAR_LANGUAGES", "GrammarLexer"]

GRAMMAR_LANGUAGES = frozenset({"lark", "gbnf"})


class GrammarLexer(RegexLexer):
    """Tells rule names, texts, patterns, special tokens and comments apart."""

    name = "Grammar"
    tokens: ClassVar = {
        "root": [
            (r"(?m)(?://|#).*$", Comment),
            (r'"(?:\\.|[^"\\\n])*"', String),
            (r"/(?:\\.|[^/\\\n])+/[a-z]*", String.Regex),
            (r"(?m)^[A-Za-z_][\w-]*(?=[^\n:]{0,80}::?=?)", Name.Function),
            (r"<[^<>\s]+>", Keyword),
            (r"%\w+", Keyword),
            (r"\[(?:\\.|[^\]\\\n])*\]", String.Regex),
            (r"\{\d+(?:,\d*)?\}", Number),
            (r"::=|[:|?*+()]", Operator),
            (r"[\w-]+|\s+|.", Text),
        ]
    }
