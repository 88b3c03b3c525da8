"""Turn what a user writes into the file of a model.

Understood are a path (``~`` too), an alias, ``demo`` and ``demo-embed``, a hub
model (``org/repo``, ``org/repo:Q4_K_M``, ``org/repo/file.gguf``, its web address)
and the name of a file in one of the local model folders.
"""

from __future__ import annotations

import difflib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llamanb.demo import DEMO_FILES, demo_path
from llamanb.errors import ModelNotFoundError, OptionError
from llamanb.models import hub, local
from llamanb.models.hub_names import SHARD_NAME, HubSpec, parse_hub_spec
from llamanb.models.preflight import shard_paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["ModelSource", "resolve", "suggest"]

MAX_SPEC_LENGTH = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """Where a model comes from.

    ``path`` is the file (the first of a split model), ``name`` what it is called
    unless the user says otherwise; ``is_toy`` marks the bundled demo models.
    """

    path: Path
    name: str
    is_toy: bool = False


def resolve(
    spec: str | os.PathLike[str],
    *,
    aliases: Mapping[str, str] | None = None,
    revision: str | None = None,
    token: str | None = None,
    progress: bool = True,
) -> ModelSource:
    """Find, or download, the file that ``spec`` names.

    Raises
    ------
    ModelNotFoundError
        Nothing answers to that name; suggests near ones.
    HubError
        It names a hub model that could not be looked up or downloaded.
    """
    text = _checked_text(spec)
    text = (aliases or {}).get(text, text)
    if _is_file(text) or isinstance(spec, Path):
        return _from_path(text)
    if text in DEMO_FILES:
        return ModelSource(path=demo_path(text), name=text, is_toy=True)
    hub_spec = parse_hub_spec(text)
    if hub_spec is not None:
        return _from_hub(hub_spec, revision, token, progress=progress)
    return _from_name(text, aliases or {})


def _checked_text(spec: Any) -> str:
    try:
        text = os.fspath(spec)
    except TypeError:
        text = None
    if not isinstance(text, str):
        raise OptionError(f"a model is named by a str or a Path, not {type(spec).__name__}")
    text = text.strip().removeprefix("hf://")
    if not text or "\0" in text or len(text) > MAX_SPEC_LENGTH:
        raise OptionError(f"{text[:80]!r} cannot be the name of a model")
    return text


def _expand(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # no home folder for that user
        return Path(text)


def _is_file(text: str) -> bool:
    try:
        return _expand(text).is_file()
    except (OSError, ValueError):
        return False


def _looks_like_path(text: str) -> bool:
    return text.startswith(("/", ".", "~", "\\")) or ":\\" in text or text.endswith(".gguf")


def _from_path(text: str) -> ModelSource:
    path = Path(os.path.abspath(_expand(text)))  # noqa: PTH100  # resolve() would follow the hub cache's links to blobs without a name
    if not path.exists():
        raise ModelNotFoundError(f"model file not found: {path}{_near_files(path)}")
    return _describe(path)


def _describe(path: Path) -> ModelSource:
    first = shard_paths(path)[0]
    match = SHARD_NAME.match(first.name)
    toy = _toy_name(first) if path == first else None
    name = toy or (match["stem"] if match else first.stem)
    return ModelSource(path=first, name=name, is_toy=toy is not None)


def _toy_name(path: Path) -> str | None:
    for name in DEMO_FILES:
        with suppress(ModelNotFoundError):  # an installation without them
            if path == demo_path(name):
                return name
    return None


def _near_files(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f" (there is no folder {folder})"
    return _did_you_mean(path.name, (item.name for item in folder.glob("*.gguf")))


def suggest(name: str, known: Iterable[str]) -> list[str]:
    """Give up to three of the known names that are most like ``name``."""
    return difflib.get_close_matches(name, sorted(set(known)), n=3, cutoff=0.5)


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = suggest(name, known)
    return f". Did you mean {' or '.join(map(repr, near))}?" if near else ""


def _from_hub(
    spec: HubSpec, revision: str | None, token: str | None, *, progress: bool
) -> ModelSource:
    path = None
    if revision is None:
        path = local.find_downloaded(spec)
    if path is None:
        path = hub.fetch(spec, revision=revision, token=token, progress=progress)
    return _describe(path)


def _from_name(text: str, aliases: Mapping[str, str]) -> ModelSource:
    if "://" in text:
        raise ModelNotFoundError(f"{text} is not on the Hugging Face hub; download the file first")
    if _looks_like_path(text) or "/" in text:
        return _from_path(text)
    found = local.find_by_name(text)
    if found is not None:
        return _describe(found)
    if _expand(text).is_dir():
        return _from_path(text)
    known = [*aliases, *DEMO_FILES, *(item.name for item in local.search())]
    raise ModelNotFoundError(
        f"model file not found: {text}{_did_you_mean(text, known) or '.'} "
        "Give a path, 'demo', or a hub model such as 'org/repo:Q4_K_M'."
    )
