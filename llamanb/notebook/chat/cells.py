"""A talk as notebook cells: questions for ``%%llama``, answers as Markdown."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from llamanb.notebook.chat.settings_text import cell_options
from llamanb.notebook.chat.twin import one_line_text, talk_title, turn_markdown
from llamanb.notebook.clean_text import clean_text
from llamanb.notebook.markdown import safe_line

if TYPE_CHECKING:
    from llamanb.notebook.chat.parts import TalkView

__all__ = ["Cell", "notebook_json", "talk_cells"]

_PLAIN = re.compile(r"[\w .,;:!?()'-]+")
_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that is not in a notebook yet."""

    kind: Literal["code", "markdown"]
    source: str


def talk_cells(talk: TalkView) -> list[Cell]:
    """Give each question as a cell that asks it again, and each answer as a Markdown cell."""
    options = cell_options(talk.sampling)
    setup, system = _system(talk.system_prompt)
    cells = [Cell("code", setup)] if setup else []
    for number, turn in enumerate(talk.turns):
        words = ["%%llama", *(["--new", system] if number == 0 else []), options]
        line = " ".join(filter(None, words))
        if turn.question.strip():
            cells.append(Cell("code", f"{line}\n{_prompt(turn.question)}"))
        if answer := turn_markdown(turn):
            cells.append(Cell("markdown", answer))
    return cells


def notebook_json(talk: TalkView) -> str:
    """Give the talk as a notebook file, format 4.5."""
    model = one_line_text(talk.model)
    begin = [
        Cell("markdown", f"# {safe_line(talk_title(talk))}"),
        Cell("code", f"%load_ext llamanb\n%llama load {_quoted(model)}"),
    ]
    rows = [_row(number, cell) for number, cell in enumerate([*begin, *talk_cells(talk)])]
    metadata = {"kernelspec": _KERNEL, "language_info": {"name": "python"}}
    notebook = {"cells": rows, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    text = json.dumps(notebook, ensure_ascii=False, indent=1)
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"


def _row(number: int, cell: Cell) -> dict[str, Any]:
    row: dict[str, Any] = {"cell_type": cell.kind, "id": f"cell-{number}", "metadata": {}}
    source = cell.source.splitlines(keepends=True)
    if cell.kind == "code":
        row |= {"execution_count": None, "outputs": []}
    return {**row, "source": source}


def _system(prompt: str) -> tuple[str, str]:
    """Give a cell that has to run first, and the option for the system prompt."""
    if not prompt:
        return "", ""
    if _PLAIN.fullmatch(prompt):
        return "", f'-s "{prompt}"'
    return f"system_prompt = {prompt!r}", "-s {{system_prompt}}"


def _prompt(question: str) -> str:
    r"""Give a question so that no ``{{`` in it is read as an expression."""
    return clean_text(question).replace("{{", r"\{{")


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[\w./:-]+", name) else f'"{name.replace(chr(34), "")}"'
