"""The templates and vocabularies inside the llama-cpp-python sdist, fetched once.

``LLAMANB_SDIST`` names an unpacked sdist; without it ``pip download`` brings the
archive into the test cache, and only ``vendor/llama.cpp/models`` is kept.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.support.cache import cache_dir

__all__ = ["SdistUnavailableError", "download", "models_dir", "templates_dir", "vocab_dir"]

REQUIREMENT = "llama-cpp-python==0.3.36"
MODELS = Path("vendor", "llama.cpp", "models")
DOWNLOAD_TIMEOUT_S = 300


class SdistUnavailableError(RuntimeError):
    """A package is neither here nor can it be fetched."""


def templates_dir() -> Path:
    """Give the folder with some seventy real chat templates (``*.jinja``)."""
    return models_dir() / "templates"


def vocab_dir() -> Path:
    """Give the folder with real vocabularies (``ggml-vocab-*.gguf``)."""
    return models_dir()


@functools.cache
def models_dir() -> Path:
    """Give llama.cpp's ``models`` folder.

    Raises
    ------
    SdistUnavailableError
        If ``LLAMANB_SDIST`` is not an unpacked sdist, or the download fails.
    """
    named = os.environ.get("LLAMANB_SDIST")
    found = Path(named) / MODELS if named else cache_dir() / REQUIREMENT.replace("==", "-")
    if not (found / "templates").is_dir():
        if named:
            raise SdistUnavailableError(f"LLAMANB_SDIST={named!r} has no {MODELS} folder")
        _fetch(found)
    return found


def _fetch(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        archive = download(REQUIREMENT, Path(scratch), "--no-binary", ":all:")
        with tarfile.open(archive) as tar:
            wanted = [m for m in tar.getmembers() if f"/{MODELS.as_posix()}/" in m.name]
            tar.extractall(scratch, members=wanted, filter="data")
        root = archive.name.removesuffix(".tar.gz")
        try:
            (Path(scratch) / root / MODELS).rename(target)
        except OSError:
            # another test run was faster
            if not (target / "templates").is_dir():
                raise


def download(requirement: str, folder: Path, *options: str) -> Path:
    """Let pip fetch one package and give its archive.

    Raises
    ------
    SdistUnavailableError
        If it cannot be fetched.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *options]
    command += ["--disable-pip-version-check", "--dest", str(folder), requirement]
    try:
        subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S
        )
    except (OSError, subprocess.SubprocessError) as failure:
        output = (getattr(failure, "stderr", None) or str(failure)).strip()
        reason = output.splitlines()[-1] if output else repr(failure)
        message = f"{requirement} could not be fetched by pip: {reason}"
        raise SdistUnavailableError(message) from failure
    return next(path for path in folder.iterdir() if path.is_file())
