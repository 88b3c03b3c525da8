"""Show the tokens of a text: where the model cuts it, and what each token is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from llamanb.notebook.clean_text import clean_text
from llamanb.notebook.tables import Table

if TYPE_CHECKING:
    from llamanb.engine import Vocabulary
    from llamanb.models import Model

__all__ = ["Token", "TokensView", "code_cell", "quoted_piece"]

MOST_ROWS = 400
_COLORS = ("rgba(33,150,243,.22)", "rgba(255,152,0,.22)", "rgba(76,175,80,.22)")
_SPECIAL = "color:#fff;background:var(--jp-brand-color1,#1976d2);border-radius:3px"
_PRE = "white-space:pre-wrap;overflow-wrap:anywhere"


@dataclass(frozen=True, slots=True)
class Token:
    r"""One token: its number, its text, and its kind.

    The kind is ``"text"``, ``"control"``, ``"end"`` (of a generation), or ``"bytes"``
    for bytes that are no whole characters: the text then shows them as ``\xc3``.
    """

    id: int
    piece: str
    kind: str

    @classmethod
    def of(cls, token: int, vocabulary: Vocabulary) -> Token:
        """Look a token up."""
        kind = "text"
        if vocabulary.is_control(token):
            kind = "end" if vocabulary.is_eog(token) else "control"
        try:
            return cls(token, vocabulary.token_bytes(token).decode("utf-8"), kind)
        except UnicodeDecodeError:
            shown = vocabulary.token_bytes(token).decode("utf-8", "backslashreplace")
            return cls(token, shown, "bytes")


@dataclass(frozen=True, slots=True)
class TokensView:
    """The tokens of a text; a sequence of :class:`Token`."""

    text: str
    tokens: tuple[Token, ...]
    model: str

    @classmethod
    def of(cls, text: str, model: Model, *, parse_special: bool = True) -> TokensView:
        """Cut ``text`` as ``model`` does in the middle of a prompt."""
        vocabulary = model.vocab
        ids = vocabulary.tokenize_inside(text, parse_special=parse_special)
        return cls(text, tuple(Token.of(one, vocabulary) for one in ids), model.name)

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> Token:
        return self.tokens[index]

    def __repr__(self) -> str:
        return repr(self._table())

    def _repr_html_(self) -> str:
        strip = "".join(map(_colored, self.tokens, range(len(self.tokens))))
        table = self._table()._repr_html_()
        return f'<div><pre style="{_PRE}">{strip}</pre>{table}</div>'

    def _repr_markdown_(self) -> str:
        rows = [
            f"| {one.id} | {code_cell(quoted_piece(one))} | {one.kind} |"
            for one in self.tokens[:MOST_ROWS]
        ]
        head = ["| id | piece | kind |", "|---|---|---|"]
        return "\n".join([self._title(), "", *head, *rows])

    def _title(self) -> str:
        n_tokens, n_chars = len(self.tokens), len(self.text)
        ratio = f", {n_chars / n_tokens:.1f} per token" if n_tokens else ""
        return f"{n_tokens} tokens for {self.model}: {n_chars} characters{ratio}"

    def _table(self) -> Table:
        rows = [(one.id, quoted_piece(one), one.kind) for one in self.tokens[:MOST_ROWS]]
        more = len(self.tokens) - len(rows)
        return Table(
            self._title(), ("id", "piece", "kind"), rows, f"and {more} more" if more else ""
        )


def _colored(token: Token, place: int) -> str:
    style = _SPECIAL if token.kind in ("control", "end") else f"background:{_COLORS[place % 3]}"
    shown = escape(clean_text(token.piece))
    return f'<span style="{style}" title="{token.id}">{shown}</span>'


def quoted_piece(token: Token) -> str:
    """Give the text of a token so that its spaces are seen."""
    return token.piece if token.kind == "bytes" else repr(token.piece)


def code_cell(text: str) -> str:
    """Give ``text`` as code inside a cell of a Markdown table."""
    shown = clean_text(text).replace("\n", "\\n").replace("|", "\\|")
    runs = [len(run) for run in re.findall(r"`+", shown)]
    fence = "`" * (1 + max(runs, default=0))
    return f"{fence} {shown} {fence}" if runs else f"`{shown}`"
