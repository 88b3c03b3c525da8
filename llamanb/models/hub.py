"""Models on the Hugging Face hub: list, choose a quantization, download.

``HF_ENDPOINT``, ``HF_HOME``, ``HF_TOKEN`` and ``HF_HUB_OFFLINE`` mean what they mean
to huggingface_hub; downloads land in its cache, which other programs share.
"""

from __future__ import annotations

import fnmatch
import logging
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llamanb.errors import HubError, ModelNotFoundError, OptionError
from llamanb.models.hub_names import HubSpec, parse_hub_spec, part_names
from llamanb.models.local import LocalModel, hub_cache, search
from llamanb.models.progress import bar_class

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HubFile", "cache", "download", "fetch", "list_files", "local", "remove"]

TIMEOUT_S = 20.0
NETWORK_MODULES = ("httpx", "httpcore", "requests", "urllib3", "huggingface_hub", "hf_xet")
NO_NETWORK = (
    "Check the network (HF_ENDPOINT, proxies), or give the path of a file that is already here."
)
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    """One GGUF file of a repository; ``size_bytes`` is None when the hub does not say."""

    name: str
    size_bytes: int | None


def list_files(
    repo: str,
    pattern: str | None = None,
    *,
    revision: str | None = None,
    token: str | None = None,
) -> list[HubFile]:
    """List the GGUF files of a repository, those matching ``pattern`` (as in a shell).

    Raises
    ------
    HubError
        If the hub cannot be reached or does not give the list.
    """
    from huggingface_hub import HfApi

    with _clear_errors(repo):
        api = HfApi(endpoint=_endpoint(), token=token)
        # not list_repo_tree: without a network that retries for 23 seconds
        described = api.model_info(repo, revision=revision, files_metadata=True, timeout=TIMEOUT_S)
    files = [
        HubFile(name=file.rfilename, size_bytes=file.size)
        for file in described.siblings or []
        if file.rfilename.lower().endswith(".gguf")
    ]
    return [file for file in files if pattern is None or fnmatch.fnmatch(file.name, pattern)]


def download(
    spec: str,
    *,
    revision: str | None = None,
    token: str | None = None,
    progress: bool = True,
    force: bool = False,
) -> Path:
    """Download ``org/repo``, ``org/repo:QUANT`` or ``org/repo/file.gguf`` and give its path.

    Raises
    ------
    OptionError
        If ``spec`` is none of these.
    ModelNotFoundError
        If the repository has no such file; lists what it has.
    HubError
        If the hub cannot be reached or refuses.
    """
    parsed = _parsed(spec)
    return fetch(parsed, revision=revision, token=token, progress=progress, force=force)


def _parsed(spec: str) -> HubSpec:
    parsed = parse_hub_spec(spec)
    if parsed is None:
        raise OptionError(
            f"{spec!r} is not a hub model; write org/repo:QUANT or org/repo/file.gguf"
        )
    return parsed


def fetch(
    spec: HubSpec,
    *,
    revision: str | None = None,
    token: str | None = None,
    progress: bool = True,
    force: bool = False,
) -> Path:
    """Download the file, or all parts, of an already parsed hub model; see :func:`download`."""
    available = [entry.name for entry in list_files(spec.repo, revision=revision, token=token)]
    chosen = spec.choose(available)
    if chosen is None:
        raise ModelNotFoundError(_nothing_matches(spec, available))
    get = partial(_download_file, spec.repo, revision=revision, token=token, force=force)
    bars = bar_class(progress=progress)
    paths = [get(part, bar=bars) for part in part_names(chosen)]
    return paths[0]


def _nothing_matches(spec: HubSpec, available: list[str]) -> str:
    if not available:
        return (
            f"model file not found: {spec.repo} holds no GGUF file; look for one that does "
            "(their names often end in -GGUF)"
        )
    wanted = spec.file or spec.quantization or "model"
    return f"model file not found: {spec.repo} has no {wanted}; it has: {', '.join(available[:12])}"


def _download_file(
    repo: str, name: str, *, revision: str | None, token: str | None, force: bool, bar: Any
) -> Path:
    from huggingface_hub import hf_hub_download

    with _clear_errors(f"{repo}/{name}"):
        path = hf_hub_download(
            repo,
            name,
            revision=revision,
            token=token,
            force_download=force,
            endpoint=_endpoint(),
            cache_dir=hub_cache(),
            tqdm_class=bar,
        )
    return Path(str(path))


def _endpoint() -> str | None:
    # read now: huggingface_hub itself reads the variable only when it is imported
    return os.environ.get("HF_ENDPOINT") or None


@contextmanager
def _clear_errors(what: str) -> Iterator[None]:
    """Turn huggingface_hub's exceptions into one that says what to do.

    Their tracebacks, some eighty lines of HTTP client, go to the log (DEBUG) only.
    """
    try:
        yield
    except Exception as error:
        clear = _clear_error(error, what)
        if clear is None:
            raise
        logger.debug("the hub failed", exc_info=True)
        raise clear from None


def _clear_error(error: Exception, what: str) -> Exception | None:
    """Give the error to show instead; None for one that is no trouble with the hub."""
    from huggingface_hub import errors

    match error:
        case errors.GatedRepoError() | errors.RepositoryNotFoundError():
            return HubError(
                f"the hub does not give {what}: it does not exist, or is private or gated. "
                "Check the name, or pass token= (or set HF_TOKEN)."
            )
        case errors.LocalEntryNotFoundError():
            return HubError(f"could not get {what} from the hub: {_brief(error)}. {NO_NETWORK}")
        case errors.EntryNotFoundError() | errors.RevisionNotFoundError():
            return HubError(f"the hub has no {what} in that revision ({_brief(error)})")
        case errors.HFValidationError():
            return OptionError(f"{what!r} is not the name of a hub repository")
    if not _is_network_trouble(error):
        return None
    return HubError(f"could not get {what} from the hub: {_brief(error)}. {NO_NETWORK}")


def _is_network_trouble(error: Exception) -> bool:
    return isinstance(error, OSError) or type(error).__module__.startswith(NETWORK_MODULES)


def _brief(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]


def cache() -> list[LocalModel]:
    """List the GGUF files in the Hugging Face cache."""
    return search(hub_cache())


def remove(spec: str) -> Path:
    """Delete a downloaded repository from the Hugging Face cache and give its folder.

    Raises
    ------
    ModelNotFoundError
        If it is not in the cache.
    """
    parsed = _parsed(spec)
    folder = hub_cache() / parsed.cache_name
    if not folder.is_dir():
        raise ModelNotFoundError(f"{parsed.repo} is not in the cache {hub_cache()}")
    shutil.rmtree(folder)
    return folder


def local() -> list[LocalModel]:
    """List the GGUF files that llama.cpp, LM Studio, Ollama and others have downloaded."""
    return search()
