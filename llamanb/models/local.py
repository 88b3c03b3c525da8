"""Find GGUF files that other programs have already downloaded."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llamanb.models.hub_names import SHARD_NAME, HubSpec, is_model_file, part_names
from llamanb.settings import read_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LocalModel", "find_by_name", "find_downloaded", "hub_cache", "model_folders", "search"]

MAX_FILES = 2000
MAX_DEPTH = 6
MAX_MANIFEST_BYTES = 1 << 20
OLLAMA_MODEL = "application/vnd.ollama.image.model"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """A model file on this machine; ``place`` names the program that keeps it."""

    name: str
    path: Path
    place: str
    size_bytes: int


def hub_cache() -> Path:
    """Give the folder of the Hugging Face cache, as its environment variables say."""
    for variable, below in (
        ("HF_HUB_CACHE", ""),
        ("HUGGINGFACE_HUB_CACHE", ""),
        ("HF_HOME", "hub"),
    ):
        if value := os.environ.get(variable):
            return Path(value).expanduser() / below
    return _cache_home() / "huggingface" / "hub"


def _cache_home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or _home() / ".cache")


def _home() -> Path:
    with suppress(RuntimeError):
        return Path.home()
    return Path(os.sep)


def model_folders() -> list[tuple[str, Path]]:
    """Give (place, folder) of every folder that is searched for GGUF files."""
    own = [("LLAMANB_MODEL_DIRS", Path(f).expanduser()) for f in read_environment().model_dirs]
    llama_cpp = os.environ.get("LLAMA_CACHE") or _cache_home() / "llama.cpp"
    others = [
        ("Hugging Face", hub_cache()),
        ("llama.cpp", Path(llama_cpp)),
        ("llama.cpp", _home() / "Library/Caches/llama.cpp"),
        ("LM Studio", _home() / ".lmstudio/models"),
        ("LM Studio", _home() / ".cache/lm-studio/models"),
        ("llamaR", _cache_home() / "R/llamaR"),
    ]
    return [*own, *others]


def search(folder: str | os.PathLike[str] | None = None) -> list[LocalModel]:
    """List the GGUF models in ``folder``, or in every known cache.

    Further parts of a split model, projectors and adapters are left out; a file
    that several links lead to is listed once.
    """
    places = [("folder", Path(folder).expanduser())] if folder is not None else model_folders()
    found: dict[Path, LocalModel] = {}
    for place, root in places:
        for path in _gguf_files(root):
            _add(found, path.stem, path, place)
    if folder is None:
        for name, path in _ollama_models():
            _add(found, name, path, "Ollama")
    return sorted(found.values(), key=lambda item: (item.name.lower(), str(item.path)))


def _add(found: dict[Path, LocalModel], name: str, path: Path, place: str) -> None:
    with suppress(OSError):
        size = path.stat().st_size
        match = SHARD_NAME.match(path.name)
        name = match["stem"] if match else name
        entry = LocalModel(name=name, path=path, place=place, size_bytes=size)
        found.setdefault(path.resolve(), entry)


def _gguf_files(root: Path) -> Iterator[Path]:
    """Walk a folder, at most six levels and 2,000 files deep, without following loops."""
    count = 0
    for folder, names, files in os.walk(root):
        if len(Path(folder).relative_to(root).parts) >= MAX_DEPTH:
            names.clear()
        names[:] = [name for name in names if not name.startswith(".")]
        for name in files:
            if is_model_file(name):
                count += 1
                yield Path(folder, name)
        if count >= MAX_FILES:
            return


def _ollama_models() -> Iterator[tuple[str, Path]]:
    """Read Ollama's manifests, which give its blobs their names."""
    root = Path(os.environ.get("OLLAMA_MODELS") or _home() / ".ollama/models")
    for manifest in sorted((root / "manifests").glob("*/*/*/*"))[:MAX_FILES]:
        digest = _model_digest(manifest)
        blob = root / "blobs" / digest.replace(":", "-") if digest else None
        if blob is not None and blob.is_file():
            yield f"{manifest.parent.name}:{manifest.name}", blob


def _model_digest(manifest: Path) -> str | None:
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        if manifest.stat().st_size > MAX_MANIFEST_BYTES:
            return None
        for layer in json.loads(manifest.read_text())["layers"]:
            if layer["mediaType"] == OLLAMA_MODEL and re.fullmatch(
                r"sha256:[0-9a-f]{64}", layer["digest"]
            ):
                return str(layer["digest"])
    return None


def find_by_name(name: str) -> Path | None:
    """Find a model by its file name without ``.gguf``; None if there is none."""
    wanted = name.lower().removesuffix(".gguf")
    return next((item.path for item in search() if item.name.lower() == wanted), None)


def find_downloaded(spec: HubSpec) -> Path | None:
    """Find a hub model in the Hugging Face cache, without asking the network."""
    for snapshot in _snapshots(spec):
        names = {
            path.relative_to(snapshot).as_posix(): path
            for path in snapshot.rglob("*.gguf")
            if path.is_file()
        }
        chosen = spec.choose(names)
        if chosen is not None and _is_whole(names[chosen]):
            return names[chosen]
    return None


def _snapshots(spec: HubSpec) -> list[Path]:
    """Give the downloaded snapshots of a repository, that of ``main`` first."""
    folder = hub_cache() / spec.cache_name
    with suppress(OSError):
        main = (folder / "refs" / "main").read_text().strip()
        snapshots = sorted((folder / "snapshots").iterdir())
        return sorted(snapshots, key=lambda path: path.name != main)
    return []


def _is_whole(path: Path) -> bool:
    return all(path.with_name(name).is_file() for name in part_names(path.name))
