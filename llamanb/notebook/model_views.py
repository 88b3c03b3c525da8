"""Show models: what one is, and which files a folder holds."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from llamanb.notebook.messages import UsageError
from llamanb.notebook.tables import Table

if TYPE_CHECKING:
    from llamanb.models import Model

__all__ = ["files_table", "info_table"]

MOST_FILES = 200


def info_table(model: Model) -> Table:
    """Give what a model is: its metadata, sizes and context."""
    facts = asdict(model.info)
    facts["chat_template"] = "yes" if facts["chat_template"] else "no"
    rows = [(key, f"{value:,}" if type(value) is int else value) for key, value in facts.items()]
    title = f"Model {model.name}" + " (a toy for demos and tests)" * model.is_toy
    return Table(title, ("", ""), [*rows, ("n_ctx", f"{model.n_ctx:,}")])


def files_table(folder: str) -> Table:
    """Give the GGUF files in a folder and below it.

    Raises
    ------
    UsageError
        If there is no such folder.
    """
    root = Path(os.path.expanduser(folder))  # noqa: PTH111  # Path's raises where there is no such user
    if not os.path.isdir(root):  # noqa: PTH112  # Path's raises in a folder that may not be read
        raise UsageError(f"there is no folder {folder!r}. Example: %llama models ~/models")
    found = sorted(root.rglob("*.gguf"))
    rows = [(path.relative_to(root), _megabytes(path)) for path in found[:MOST_FILES]]
    more = len(found) - len(rows)
    note = f"and {more} more" if more else ("" if rows else "no GGUF file is there")
    return Table(f"Models in {root}", ("file", "size"), rows, note)


def _megabytes(path: Path) -> str:
    try:
        return f"{path.stat().st_size / 1e6:,.1f} MB"
    except OSError:  # a link to nothing, or into a folder that may not be read
        return "missing"
