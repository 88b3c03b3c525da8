"""What the ``LLAMANB_*`` environment variables say."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from llamanb.settings.checks import fail

__all__ = ["Environment", "read_environment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What the ``LLAMANB_*`` environment variables say.

    Attributes
    ----------
    stream : False with ``LLAMANB_STREAM=0``: a cell shows one final display only.
    progress : False with ``LLAMANB_PROGRESS=0``: no progress bars.
    n_threads : ``LLAMANB_N_THREADS``, the default number of compute threads.
    model : ``LLAMANB_MODEL``, what is loaded when nothing is named (else the demo).
    cache_dir : ``LLAMANB_CACHE``, for checked-file notes and test material.
    model_dirs : ``LLAMANB_MODEL_DIRS``, further folders to search (os.pathsep between).
    """

    stream: bool = True
    progress: bool = True
    n_threads: int | None = None
    model: str | None = None
    cache_dir: str | None = None
    model_dirs: tuple[str, ...] = field(default=())


def read_environment() -> Environment:
    """Read every ``LLAMANB_*`` variable, now.

    Raises
    ------
    OptionError
        If a variable has a value that cannot be read.
    """
    raw_threads = os.environ.get("LLAMANB_N_THREADS", "")
    if raw_threads and not raw_threads.isdecimal():
        raise fail("LLAMANB_N_THREADS", raw_threads, "a whole number")
    folders = os.environ.get("LLAMANB_MODEL_DIRS", "").split(os.pathsep)
    return Environment(
        stream=os.environ.get("LLAMANB_STREAM", "1") not in ("0", "false", "no"),
        progress=os.environ.get("LLAMANB_PROGRESS", "1") not in ("0", "false", "no"),
        n_threads=int(raw_threads) if raw_threads else None,
        model=os.environ.get("LLAMANB_MODEL") or None,
        cache_dir=os.environ.get("LLAMANB_CACHE") or None,
        model_dirs=tuple(folder for folder in folders if folder),
    )
