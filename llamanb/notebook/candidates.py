"""What may stand at a place of a ``%llama`` line: commands, options, names, files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llamanb.notebook.options import CELL, COMMANDS
from llamanb.settings import SamplingSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from llamanb.notebook.option_kinds import Source
    from llamanb.notebook.options import Command, Option

__all__ = ["TOOL_ACTIONS", "completions"]

MOST_FILES = 200
_SUFFIXES = {
    "files": (".gguf", ".jinja"),
    "talks": (".json", ".md", ".html", ".py", ".ipynb"),
}
TOOL_ACTIONS = ("list", "add", "rm", "show", "call")


def completions(rest: str, names: Callable[[str], Iterable[str]], *, is_cell: bool) -> list[str]:
    """Give what may stand at the end of ``rest``, the line after ``%llama``."""
    *before, fragment = rest.split() if rest and not rest[-1].isspace() else [*rest.split(), ""]
    if not is_cell and not before:
        return _starting(fragment, COMMANDS)
    command = CELL if is_cell else COMMANDS.get(before[0])
    if command is None:
        return []
    option_name, assigned, value = fragment.rpartition("=")
    option = _option(option_name if assigned else (before[-1] if before else ""), command)
    if option is not None and option.kind != "switch":
        return _option_values(option, value or fragment, names)
    if fragment.startswith("-"):
        return _starting(fragment, (s for o in command.options for s in o.spellings))
    if command.completes == "actions" and len(before) > 1:
        return _values("tools", fragment, names, ())
    return _operands(command, fragment, names)


def _option_values(
    option: Option, written: str, names: Callable[[str], Iterable[str]]
) -> list[str]:
    """Give what may stand after an option; of a list only the last value is completed."""
    before, comma, fragment = written.rpartition(",") if option.is_list else ("", "", written)
    found = _values(option.completes, fragment, names, option.choices)
    taken = before.split(",")
    return [f"{before}{comma}{value}" for value in found if value not in taken]


def _operands(command: Command, fragment: str, names: Callable[[str], Iterable[str]]) -> list[str]:
    found = _values(command.completes, fragment, names, command.choices)
    if command.name == "load":
        found = [*_starting(fragment, ("demo", "demo-embed")), *found]
    if fragment or command.takes_text:
        return found
    return [*found, *(f"--{option.name}" for option in command.options)]


def _option(word: str, command: Command) -> Option | None:
    return next((option for option in command.options if word in option.spellings), None)


def _values(
    source: Source,
    fragment: str,
    names: Callable[[str], Iterable[str]],
    choices: Iterable[str],
) -> list[str]:
    if source in _SUFFIXES:
        return _files(fragment, _SUFFIXES[source])
    match source:
        case "models" | "chats" | "tools" | "types" | "ports":
            found = [*choices, *names(source)]
        case "variables":
            found = [f"${name}" for name in names(source)]
        case "actions":
            found = [*TOOL_ACTIONS]
        case "commands":
            found = [*COMMANDS]
        case "settings":
            found = [f"{name}=" for name in SamplingSettings.__slots__]
        case _:
            found = [*choices]
    return _starting(fragment, found)


def _starting(fragment: str, candidates: Iterable[str]) -> list[str]:
    return [text for text in dict.fromkeys(candidates) if text.startswith(fragment)]


def _files(fragment: str, suffixes: tuple[str, ...]) -> list[str]:
    """Give the folders, and files of these kinds, that begin with ``fragment``, as written."""
    written, _, start = fragment.rpartition("/")
    prefix = f"{written}/" if "/" in fragment else ""
    try:
        entries = sorted(Path(prefix or ".").expanduser().iterdir())[: MOST_FILES * 10]
    except (OSError, RuntimeError, ValueError):
        return []
    begun = [entry for entry in entries if entry.name.startswith(start)]
    wanted = [entry for entry in begun if _is_offered(entry, suffixes)]
    return [prefix + entry.name + "/" * _is_folder(entry) for entry in wanted[:MOST_FILES]]


def _is_offered(entry: Path, suffixes: tuple[str, ...]) -> bool:
    is_plain = not entry.name.startswith(".") and " " not in entry.name
    return is_plain and (entry.suffix in suffixes or _is_folder(entry))


def _is_folder(entry: Path) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link into a folder that may not be read
        return False
