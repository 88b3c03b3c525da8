"""Help texts made from the option table: for the terminal, the kernel and the docs."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from llamanb.notebook.options import CELL, COMMANDS

if TYPE_CHECKING:
    from llamanb.notebook.options import Command, Option

__all__ = ["command_help", "docs_page", "overview"]

WIDEST_LINE = 100
WIDEST_LEFT = 32


def overview() -> str:
    """Give the help of ``%llama`` and ``%%llama`` as plain text."""
    lines = _columns([(_usage(command), command.about) for command in COMMANDS.values()])
    return "\n".join(
        [
            "Talk to a language model that lives in this kernel.",
            "",
            "%%llama [MODEL] [options]      the cell below is the prompt",
            "%llama COMMAND …               (alone: status)",
            "",
            "Commands:",
            *lines,
            "",
            "Options of %%llama and of %llama ask:",
            *_option_lines(CELL.options),
            "",
            "In a prompt {{expression}} puts in the value of a Python expression.",
            "Cells without -c go on with the chat 'main': the model sees its earlier turns, and the line",
            "below a reply says which turn it is. %%llama --new starts anew; -c NAME is another chat.",
            "Running a cell again replaces its own turn and forgets the later ones.",
        ]
    )


def command_help(command: Command) -> str:
    """Give everything about one command as plain text."""
    lines = [_usage(command), f"  {command.about}"]
    if command.options:
        lines += ["", "Options:", *_option_lines(command.options)]
    return "\n".join([*lines, "", f"Example: {command.example}"])


def docs_page() -> str:
    """Give the reference of the magics as a Markdown page."""
    rows = [
        f"| `{_cell(_usage(c))}` | {_cell(c.about)} | `{_cell(c.example)}` |"
        for c in COMMANDS.values()
    ]
    sections = [
        _options_section(_usage(command), command.options)
        for command in (CELL, *(c for c in COMMANDS.values() if c.options and c.name != "ask"))
    ]
    table = ["| command | does | example |", "|---|---|---|", *rows]
    return "\n".join(["# Magics", "", *table, "", *sections])


def _options_section(title: str, options: tuple[Option, ...]) -> str:
    rows = [f"| `{_cell(o.usage)}` | {_cell(o.about)} | {_example(o)} |" for o in options]
    head = [f"## `{title}`", "", "| option | does | example |", "|---|---|---|"]
    return "\n".join([*head, *rows, ""])


def _example(option: Option) -> str:
    return f"`{_cell(f'--{option.name} {option.example}'.strip())}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _usage(command: Command) -> str:
    prefix = "" if command.name.startswith("%") else "%llama "
    options = "[options]" if command.options else ""
    return " ".join(filter(None, (prefix + command.name, command.operands, options)))


def _option_lines(options: tuple[Option, ...]) -> list[str]:
    return _columns([(option.usage, option.about) for option in options])


def _columns(rows: list[tuple[str, str]]) -> list[str]:
    """Give the rows as two columns; what does not fit left pushes its text a line down."""
    width = max(len(left) for left, _ in rows if len(left) <= WIDEST_LEFT)
    indent = " " * (width + 4)
    lines: list[str] = []
    for left, right in rows:
        text = wrap(right, WIDEST_LINE - len(indent))
        if len(left) > width:
            lines.append(f"  {left}")
        else:
            lines.append(f"  {left:<{width}}  {text.pop(0)}")
        lines += [indent + line for line in text]
    return lines
