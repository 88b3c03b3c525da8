"""A server as it was at one moment: what stays in a saved notebook.

The API key is never part of it, as notebooks are passed on.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from llamanb.notebook.server_facts import facts_of, rows_of, speed_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llamanb.servers import Server

__all__ = ["ServerSheet"]

SHOWN_ROWS = 20
COLUMNS = (
    ("time", "time"),
    ("status", "status"),
    ("request", "path"),
    ("client", "client"),
    ("model", "model"),
    ("prompt", "prompt"),
    ("cached", "cached"),
    ("output", "generated"),
    ("first ms", "first_ms"),
    ("total ms", "total_ms"),
)
_WORDS = frozenset({"time", "path", "client", "model", "status"})


@dataclass(frozen=True, slots=True)
class ServerSheet:
    """Facts and the newest rows of the log; shows as HTML, Markdown and text.

    ``moment`` is when it was made, in seconds since 1970; equal sheets may differ in it.
    """

    facts: dict[str, Any]
    rows: Sequence[dict[str, Any]]
    moment: float = field(default_factory=time.time, compare=False)

    @classmethod
    def of(cls, server: Server) -> ServerSheet:
        """Look at ``server`` now."""
        return cls(facts_of(server), rows_of(server.log(SHOWN_ROWS)))

    def __repr__(self) -> str:
        lines = [self._headline, self._summary]
        return "\n".join([*lines, *("  ".join(row).rstrip() for row in self._aligned())])

    def _repr_markdown_(self) -> str:
        head = [f"**{self._headline}**", "", self._summary, ""]
        if not self.rows:
            return "\n".join(head)
        lines = [[title for title, _ in COLUMNS], ["---"] * len(COLUMNS), *map(_cells, self.rows)]
        return "\n".join([*head, *("| " + " | ".join(map(_escaped, row)) + " |" for row in lines)])

    def _repr_html_(self) -> str:
        return (
            f"<div><b>{escape(self._headline)}</b><div>{escape(self._summary)}</div>"
            f"{self._html_table()}</div>"
        )

    @property
    def _headline(self) -> str:
        apis = " and ".join(self.facts["apis"])
        return f"{apis} server at {self.facts['url']}: {self.facts['status']}"

    @property
    def _summary(self) -> str:
        facts = self.facts
        speed = speed_of(facts)
        parts = [
            ", ".join(facts["models"]) or "no model",
            "asks for a key" if facts["has_key"] else "no key",
            f"{facts['requests']:,} request{'' if facts['requests'] == 1 else 's'}",
            f"{facts['running']} running, {facts['waiting']} waiting",
            f"{speed} tokens/s" if speed else "",
            time.strftime("as of %Y-%m-%d %H:%M:%S", time.localtime(self.moment)),
        ]
        return " · ".join(filter(None, parts))

    def _aligned(self) -> list[list[str]]:
        if not self.rows:
            return []
        lines = [[title for title, _ in COLUMNS], *map(_cells, self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return [list(map(str.ljust, line, widths)) for line in lines]

    def _html_table(self) -> str:
        if not self.rows:
            return ""
        head = "".join(f"<th{_align(key)}>{escape(title)}</th>" for title, key in COLUMNS)
        body = "".join(f"<tr>{_html_cells(row)}</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(row: dict[str, Any]) -> list[str]:
    return [_text(row, key) for _, key in COLUMNS]


def _text(row: dict[str, Any], key: str) -> str:
    value = row[key]
    match key:
        case "time":
            return time.strftime("%H:%M:%S", time.localtime(value))
        case "path":
            return f"{row['method']} {value}"
        case "status":
            return str(value or "") if row["state"] in {"done", "error"} else str(row["state"])
        case "first_ms" | "total_ms":
            return "" if value is None else f"{value:,}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _escaped(text: str) -> str:
    return escape(text.replace("\\", "\\\\").replace("|", "\\|"), quote=False)


def _html_cells(row: dict[str, Any]) -> str:
    return "".join(f"<td{_align(key)}>{escape(_text(row, key))}</td>" for _, key in COLUMNS)


def _align(key: str) -> str:
    return f' style="text-align:{"left" if key in _WORDS else "right"}"'
