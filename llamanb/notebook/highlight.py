"""Colour source code with styles that follow JupyterLab's light or dark theme."""

from __future__ import annotations

from functools import cache
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, Operator, String
from pygments.util import ClassNotFound

from llamanb.notebook.grammar_lexer import GRAMMAR_LANGUAGES, GrammarLexer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pygments.lexer import Lexer
    from pygments.token import _TokenType

__all__ = ["CODE_STYLES", "CODE_TAGS", "highlight_code"]

LONGEST_COLOURED = 50_000


def _style(variable: str, fallback: str) -> str:
    return f"color:var(--jp-mirror-editor-{variable}-color,{fallback})"


# The more special type first: the first match wins. The tag is what stands for the style
# where a style sheet comes along; what has none keeps the colour of the text there.
_STYLE_OF: tuple[tuple[_TokenType, str, str], ...] = (
    (Comment, "i", _style("comment", "#708080")),
    (Keyword, "b", _style("keyword", "#008000")),
    (Operator.Word, "b", _style("keyword", "#008000")),
    (Operator, "", _style("operator", "#7a3fd0")),
    (Number, "var", _style("number", "#2a8a4a")),
    (String, "u", _style("string", "#ba2121")),
    (Name.Builtin, "", _style("builtin", "#208050")),
    (Name.Function, "dfn", _style("def", "#3060e0")),
    (Name.Class, "dfn", _style("def", "#3060e0")),
    (Name.Decorator, "", _style("meta", "#7a3fd0")),
)
CODE_STYLES = frozenset(style for _, _, style in _STYLE_OF)
CODE_TAGS = {tag: style for _, tag, style in reversed(_STYLE_OF) if tag}
"""The tags of compact code and what they look like; ``static/chat.css`` says so to pages."""


def highlight_code(code: str, language: str, *, compact: bool = False) -> str:
    """Give ``code`` as escaped HTML with coloured spans.

    An unknown language, or more than 50,000 characters, stays without colour. With
    ``compact`` short tags stand for the styles, see ``CODE_TAGS``.
    """
    try:
        lexer = _lexer(language)
    except ClassNotFound:
        return escape(code)
    if len(code) > LONGEST_COLOURED:
        return escape(code)
    place = 0 if compact else 1
    pieces = ((_row(kind)[place], text) for kind, text in lexer.get_tokens(code))
    mark = _tagged if compact else _styled
    return "".join(
        mark(style, "".join(text for _, text in run)) if style else _plain(run)
        for style, run in groupby(pieces, key=lambda piece: piece[0])
    )


def _lexer(language: str) -> Lexer:
    options = {"stripnl": False, "ensurenl": False}
    if language in GRAMMAR_LANGUAGES:
        return GrammarLexer(**options)
    return get_lexer_by_name(language, **options)


@cache
def _row(kind: _TokenType) -> tuple[str, str]:
    return next(((tag, style) for parent, tag, style in _STYLE_OF if kind in parent), ("", ""))


def _plain(run: Iterable[tuple[str, str]]) -> str:
    return escape("".join(text for _, text in run))


def _tagged(tag: str, text: str) -> str:
    return f"<{tag}>{escape(text)}</{tag}>"


def _styled(style: str, text: str) -> str:
    return f'<span style="{style}">{escape(text)}</span>'
