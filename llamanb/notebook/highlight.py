"""Colour source code with styles that follow JupyterLab's light or dark theme."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, Operator, String
from pygments.util import ClassNotFound

from llamanb.notebook.grammar_lexer import GRAMMAR_LANGUAGES, GrammarLexer

if TYPE_CHECKING:
    from pygments.lexer import Lexer
    from pygments.token import _TokenType

__all__ = ["CODE_STYLES", "highlight_code"]

LONGEST_COLOURED = 50_000


def _style(variable: str, fallback: str) -> str:
    return f"color:var(--jp-mirror-editor-{variable}-color,{fallback})"


# The more special type first: the first match wins.
_STYLE_OF: tuple[tuple[_TokenType, str], ...] = (
    (Comment, _style("comment", "#708080")),
    (Keyword, _style("keyword", "#008000")),
    (Operator.Word, _style("keyword", "#008000")),
    (Operator, _style("operator", "#7a3fd0")),
    (Number, _style("number", "#2a8a4a")),
    (String, _style("string", "#ba2121")),
    (Name.Builtin, _style("builtin", "#208050")),
    (Name.Function, _style("def", "#3060e0")),
    (Name.Class, _style("def", "#3060e0")),
    (Name.Decorator, _style("meta", "#7a3fd0")),
)
CODE_STYLES = frozenset(style for _, style in _STYLE_OF)


def highlight_code(code: str, language: str) -> str:
    """Give ``code`` as escaped HTML with coloured spans.

    An unknown language, or more than 50,000 characters, stays without colour.
    """
    try:
        lexer = _lexer(language)
    except ClassNotFound:
        return escape(code)
    if len(code) > LONGEST_COLOURED:
        return escape(code)
    return "".join(_span(kind, value) for kind, value in lexer.get_tokens(code))


def _lexer(language: str) -> Lexer:
    options = {"stripnl": False, "ensurenl": False}
    if language in GRAMMAR_LANGUAGES:
        return GrammarLexer(**options)
    return get_lexer_by_name(language, **options)


def _span(kind: _TokenType, value: str) -> str:
    style = next((style for parent, style in _STYLE_OF if kind in parent), None)
    return f'<span style="{style}">{escape(value)}</span>' if style else escape(value)
