"""A small table that reads well in a notebook and in a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from llamanb.notebook.clean_text import clean_text

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Note", "Table", "Tables"]

WIDEST_CELL = 100


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a header, with a title above and a note below."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    note: str = ""

    def __repr__(self) -> str:
        lines = [clean_text(self.title), *self._text_rows()]
        return "\n".join([*lines, clean_text(self.note)] if self.note else lines)

    def _text_rows(self) -> list[str]:
        if not self.rows:
            return []
        cells = [tuple(self.header), *(tuple(map(_short, row)) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        return ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in cells if any(row)]

    def _repr_html_(self) -> str:
        head = "".join(
            f'<th style="text-align:left">{escape(clean_text(one))}</th>' for one in self.header
        )
        body = "".join(f"<tr>{_html_cells(row)}</tr>" for row in self.rows)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        note = f"<div><small>{escape(clean_text(self.note))}</small></div>" if self.note else ""
        return (
            f"<div><b>{escape(clean_text(self.title))}</b>{table if self.rows else ''}{note}</div>"
        )


@dataclass(frozen=True, slots=True)
class Tables:
    """Several displays, one below the other."""

    tables: Sequence[object]

    def __repr__(self) -> str:
        return "\n\n".join(map(repr, self.tables))

    def _repr_html_(self) -> str:
        return "".join(map(_html_of, self.tables))


def _html_of(part: object) -> str:
    draw = getattr(part, "_repr_html_", None)
    return str(draw()) if draw else f"<pre>{escape(repr(part))}</pre>"


def _short(value: object) -> str:
    text = " ".join(clean_text(str(value)).split())
    return text if len(text) <= WIDEST_CELL else text[: WIDEST_CELL - 1] + "…"


def _html_cells(row: Sequence[object]) -> str:
    return "".join(
        f'<td style="text-align:left">{escape(clean_text(str(value)))}</td>' for value in row
    )


@dataclass(frozen=True, slots=True)
class Note:
    """A text that shows as itself, not as a quoted string."""

    text: str

    def __repr__(self) -> str:
        return self.text
