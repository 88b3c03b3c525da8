"""The table of models, as text and as HTML."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llamanb.models.memory import readable_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llamanb.models.model import Model
    from llamanb.models.registry import Entry
    from llamanb.models.residence import State

__all__ = ["ModelRow", "ModelTable", "html_of", "readable_time", "row_of"]

HEADINGS = (
    "name", "size", "memory", "contexts", "refs", "state", "idle", "ttl", "tok/s", "file",
)  # fmt: skip
CELL = "text-align:left;padding:2px 8px"
NARROW = "text-align:left;padding:2px 5px;white-space:nowrap"
MOST_COLUMNS = 100
LEAST_PATH, MOST_PATH = 20, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One model of the manager.

    ``memory_bytes`` is the prediction for weights, cache and buffers, 0 when
    evicted; weights shared by several names count for each. ``n_ctx`` counts
    tokens per sequence, ``contexts`` the open contexts, ``refs`` the requests in
    progress. ``is_toy`` marks the bundled demo models. Rows that differ only in
    ``idle_s`` are equal.
    """

    name: str
    path: str
    size_bytes: int
    memory_bytes: int
    contexts: int
    n_ctx: int
    refs: int
    state: State
    idle_s: float = field(compare=False)
    ttl_s: float | None
    is_pinned: bool
    tokens_per_s: float
    is_toy: bool
    is_default: bool

    def cells(self) -> tuple[str, ...]:
        """Give the row as readable texts, in the order of the table's headings.

        ``contexts`` shows the tokens per sequence too; a pinned model has no time to live.
        """
        contexts = f"{self.contexts} ({self.n_ctx:,})" if self.n_ctx else str(self.contexts)
        return (
            f"{self.name}{' (toy)' if self.is_toy else ''}{' *' if self.is_default else ''}",
            readable_bytes(self.size_bytes),
            readable_bytes(self.memory_bytes) if self.memory_bytes else "-",
            contexts,
            str(self.refs),
            self.state,
            readable_time(self.idle_s),
            "pinned" if self.is_pinned else readable_time(self.ttl_s),
            f"{self.tokens_per_s:.1f}" if self.tokens_per_s else "-",
            self.path,
        )


def row_of(entry: Entry, *, default: str | None, ttl_s: float | None) -> ModelRow:
    """Make the row of one model; ``default`` and ``ttl_s`` are the manager's."""
    model, residence = entry.model, entry.residence
    held = residence.holds()
    writer = residence.context("text")
    status = writer.status() if writer is not None else None
    return ModelRow(
        name=model.name,
        path=model.path,
        size_bytes=model.header.tensor_bytes,
        memory_bytes=sum(hold.n_bytes for hold in held),
        contexts=max(0, len(held) - 1),
        n_ctx=status.n_ctx if status is not None else 0,
        refs=residence.leases,
        state=residence.state,
        idle_s=residence.idle_s,
        ttl_s=ttl_s if entry.ttl_s is None else entry.ttl_s,
        is_pinned=entry.is_pinned,
        tokens_per_s=status.tokens_per_s if status is not None else 0.0,
        is_toy=model.is_toy,
        is_default=model.name == default,
    )


def readable_time(seconds: float | None) -> str:
    """Give a time as ``90 s``, ``5 min`` or ``2.5 h``; ``-`` for None."""
    if seconds is None:
        return "-"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def facts_of(model: Model) -> list[tuple[str, str]]:
    """Give what a model's own display says, as pairs of heading and text."""
    header = model.header
    return [
        ("file", header.path),
        ("architecture", f"{header.architecture}, {header.n_layer} layers"),
        ("weights", f"{readable_bytes(header.tensor_bytes)}, {header.quantization}"),
        ("vocabulary", f"{header.n_vocab:,} tokens"),
        ("trained on", f"{header.n_ctx_train:,} tokens of context"),
        ("state", model.state),
    ]


def html_of(model: Model) -> str:
    """Give a model's own display as HTML."""
    toy = " <i>(a toy for demos and tests)</i>" if model.is_toy else ""
    rows = "".join(
        f'<tr><th style="{CELL}">{key}</th><td style="{CELL}">{html.escape(value)}</td></tr>'
        for key, value in facts_of(model)
    )
    return f"<b>{html.escape(model.name)}</b>{toy}<table>{rows}</table>"


class ModelTable(tuple[ModelRow, ...]):
    """The rows of ``llamanb.ps()``; shows as a table in a notebook and in a terminal.

    The default model is marked with ``*``.
    """

    __slots__ = ()

    def __new__(cls, rows: Iterable[ModelRow] = ()) -> ModelTable:
        """Make a table of rows."""
        return super().__new__(cls, rows)

    def __repr__(self) -> str:
        if not self:
            return "no models; llamanb.load(...) loads one"
        lines = [HEADINGS, *(row.cells() for row in self)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        room = MOST_COLUMNS - sum(widths[:-1]) - 2 * (len(widths) - 1)
        room = max(LEAST_PATH, room)
        lines = [(*line[:-1], _end_of(line[-1], room)) for line in lines]
        widths[-1] = room
        return "\n".join(
            "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )

    def _repr_html_(self) -> str:
        if not self:
            return "<i>no models; <code>llamanb.load(…)</code> loads one</i>"
        head = "".join(f'<th style="{NARROW}">{heading}</th>' for heading in HEADINGS)
        body = "".join(f"<tr>{_html_cells(row)}</tr>" for row in self)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _html_cells(row: ModelRow) -> str:
    *cells, path = row.cells()
    shown = "".join(f'<td style="{NARROW}">{html.escape(text)}</td>' for text in cells)
    end, whole = html.escape(_end_of(path, MOST_PATH)), html.escape(path)
    return f'{shown}<td style="{NARROW}" title="{whole}">{end}</td>'


def _end_of(path: str, length: int) -> str:
    """Give the end of a long path, from a folder's name on if that is possible."""
    if len(path) <= length:
        return path
    end = path[-(length - 1) :]
    cut = end.find("/")
    return "…" + (end if cut < 0 else end[cut:])
