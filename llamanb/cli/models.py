"""``llamanb models``: the model files that are on this machine already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from llamanb.demo import TOY_LABELS, demo_path
from llamanb.errors import OptionError

if TYPE_CHECKING:
    import argparse

__all__ = ["add_command", "run"]


def add_command(commands: Any) -> None:
    """Add ``models`` to the sub-commands."""
    parser = commands.add_parser(
        "models",
        help="list the GGUF files on this machine",
        description="List the bundled models and the GGUF files in the caches of Hugging Face, "
        "llama.cpp, LM Studio, Ollama and LLAMANB_MODEL_DIRS, or in FOLDER.",
    )
    parser.add_argument("action", nargs="?", choices=("ls",), default="ls", help="list them")
    parser.add_argument("folder", nargs="?", help="look in this folder instead")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print one line for each model file; give the exit code."""
    from llamanb.models.local import search

    if arguments.folder is not None and not _is_folder(arguments.folder):
        raise OptionError(f"there is no folder {arguments.folder!r}")
    found = search(arguments.folder)
    rows = [(model.name, model.size_bytes, model.place, str(model.path)) for model in found]
    if arguments.folder is None:
        rows = [*_bundled_rows(), *rows]
    if not rows:
        print(f"no GGUF files in {arguments.folder}")
    _print_rows(rows)
    return 0


def _is_folder(name: str) -> bool:
    try:
        return Path(name).expanduser().is_dir()
    except (OSError, RuntimeError):  # it may not be looked at, or there is no such user
        return False


def _bundled_rows() -> list[tuple[str, int, str, str]]:
    return [
        (name, demo_path(name).stat().st_size, "bundled", label)
        for name, label in TOY_LABELS.items()
    ]


def _print_rows(rows: list[tuple[str, int, str, str]]) -> None:
    from llamanb.models.memory import readable_bytes

    width = max((len(name) for name, *_ in rows), default=0)
    for name, size, place, detail in rows:
        print(f"{name:<{width}}  {readable_bytes(size):>9}  {place:<13} {detail}")
