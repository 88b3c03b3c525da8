"""A user's JSON settings file: read it, add to it, and write it back whole or not at all."""

from __future__ import annotations

import json
import re
import secrets
import shutil
from typing import TYPE_CHECKING, Any

from llamanb.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["added_to_file", "merged", "write_object"]

INDENTED = re.compile(r"^([ \t]+)\S", re.MULTILINE)


def added_to_file(
    path: Path, ours: Mapping[str, Any], *, keeps: Callable[[str, Any], bool]
) -> dict[str, Any]:
    """Add settings to a JSON file that may exist already; give what it holds now.

    Parameters
    ----------
    path : made, with its folders, if it is missing; a link is followed.
    keeps : whether a setting of the file, name and value, stays as it is there.

    Raises
    ------
    OptionError
        If the file is not plain JSON (comments, trailing commas), says a name
        twice, or cannot be written; it is then as it was.
    """
    path = path.expanduser().resolve()
    text = _read(path)
    known = _parsed(text, path) if text.strip() else {}
    stays = {key for key in ours.keys() & known.keys() if keeps(key, known[key])}
    wanted = {key: value for key, value in ours.items() if key not in stays}
    config = merged(known, wanted, where=path.name)
    if config != known:
        _write(path, _as_text(config, like=text, path=path))
    return config


def write_object(path: Path, config: Mapping[str, Any]) -> None:
    """Write a JSON file anew, whatever it held.

    Raises
    ------
    OptionError
        If it cannot be written; it is then as it was.
    """
    path = path.expanduser().resolve()
    _write(path, _as_text(config, like="", path=path))


def merged(
    known: Mapping[str, Any], ours: Mapping[str, Any], *, where: str = "it"
) -> dict[str, Any]:
    """Give ``known`` with ``ours`` put over it, object by object.

    Raises
    ------
    OptionError
        If one of them has an object where the other has something else.
    """
    result = dict(known)
    for key, value in ours.items():
        there = result.get(key)
        if isinstance(value, dict) and there is not None and not isinstance(there, dict):
            raise OptionError(f"{where}: {key!r} is {there!r} there, and should be an object")
        if isinstance(value, dict) and isinstance(there, dict):
            result[key] = merged(there, value, where=where)
        else:
            result[key] = value
    return result


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"{path} cannot be read: {error}") from None


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        config = json.loads(text, object_pairs_hook=_once_each)
    except (ValueError, RecursionError) as error:
        raise OptionError(
            f"{path} is not plain JSON ({error}); writing it anew could lose its comments, so it was"
            " left as it is. Name another file, or add the settings by hand."
        ) from None
    if not isinstance(config, dict):
        raise OptionError(f"{path} holds {type(config).__name__}, not a JSON object")
    return config


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse what a dictionary would lose without a word."""
    config = dict(pairs)
    if len(config) < len(pairs):
        raise ValueError("a name is there twice")
    return config


def _as_text(config: Mapping[str, Any], *, like: str, path: Path) -> str:
    """Write JSON with the indentation of the text it replaces."""
    found = INDENTED.search(like)
    try:
        return json.dumps(
            config, indent=found[1] if found else 2, ensure_ascii=False, allow_nan=False
        ) + ("\n" if like.endswith("\n") or not like else "")
    except ValueError as error:
        raise OptionError(f"{path} holds a number that JSON cannot hold: {error}") from None


def _write(path: Path, text: str) -> None:
    """Replace the file in one step, so that nobody ever reads half of it."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("x", encoding="utf-8") as file:
            file.write(text)
        if path.exists():
            shutil.copymode(path, draft)
        draft.replace(path)
    except (OSError, UnicodeEncodeError) as error:
        draft.unlink(missing_ok=True)
        raise OptionError(f"{path} cannot be written: {error}") from None
