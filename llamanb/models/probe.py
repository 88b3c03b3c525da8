"""Load an unknown file once in a process of its own, which may die instead of the kernel."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llamanb.errors import ModelFileError, ModelLoadTimeout
from llamanb.settings import read_environment

if TYPE_CHECKING:
    from llamanb.models.preflight import FileIdentity, GgufHeader

__all__ = ["check_by_loading", "trial_generation"]

WAIT_SLICE_S = 0.05
PATIENCE_S = 120.0
SLOWEST_BYTES_PER_S = 20e6
TRIAL_TOKENS = 8
TRIAL_N_CTX = 64
MAX_NOTES = 2000
CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from llamanb.models.probe import trial_generation; trial_generation(*sys.argv[2:])"
)
logger = logging.getLogger(__name__)
_passed: set[str] = set()
_lock = threading.Lock()


def check_by_loading(
    header: GgufHeader, identity: FileIdentity, timeout_s: float | None = None
) -> None:
    """Refuse a file that kills a process, hangs it, or computes what is no number.

    Nothing is done for a file that passed before and has not changed since (kept in
    ``LLAMANB_CACHE``, or the user's cache folder), or where no process can be started.

    Raises
    ------
    ModelFileError
        Saying what the trial process died of.
    ModelLoadTimeout
        After ``timeout_s`` seconds.
    """
    key = hashlib.sha256(repr(identity).encode()).hexdigest()[:32]
    if not sys.executable or _has_passed(key):
        return
    patience_s = PATIENCE_S + header.tensor_bytes / SLOWEST_BYTES_PER_S
    process = _start(header)
    if process is None:
        return
    with process:
        try:
            _wait(process, header, patience_s, timeout_s)
            _judge(process, header)
        finally:
            process.kill()
    _note_passed(key)


def _start(header: GgufHeader) -> subprocess.Popen[str] | None:
    paths = json.dumps([path or str(Path.cwd()) for path in sys.path])
    command = [sys.executable, "-I", "-c", CODE, paths, header.path, header.kind]
    try:
        return subprocess.Popen(  # noqa: S603  # our own interpreter and code
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    except OSError as error:
        logger.info("no trial process could be started: %s", error)
        return None


def _wait(
    process: subprocess.Popen[str],
    header: GgufHeader,
    patience_s: float,
    timeout_s: float | None,
) -> None:
    started = time.monotonic()
    while True:
        limit_s = patience_s if timeout_s is None else min(patience_s, timeout_s)
        left = limit_s - (time.monotonic() - started)
        # short slices, so that the main thread serves an interrupt
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, min(WAIT_SLICE_S, left)))
            return
        if left > 0:
            continue
        if timeout_s is not None and timeout_s <= patience_s:
            raise ModelLoadTimeout(
                f"loading {header.path} took longer than {timeout_s:g} s; nothing was kept, "
                "try again with a larger timeout",
                timeout_s=timeout_s,
            )
        raise _refusal(header, f"a trial process hung for {patience_s:.0f} s on it")


def _judge(process: subprocess.Popen[str], header: GgufHeader) -> None:
    answer, _ = process.communicate()
    verdict = answer.strip().splitlines()[-1] if answer.strip() else ""
    if verdict == "passed":
        return
    died = f"a trial process that loaded it ended with code {process.returncode}"
    raise _refusal(header, verdict or died)


def _refusal(header: GgufHeader, reason: str) -> ModelFileError:
    return ModelFileError(
        f"{header.path} cannot be loaded: {reason}. Get the file again from a source you trust; "
        'llamanb.load(..., trust="trusted") loads it without this check.',
        path=header.path,
        reason=reason,
    )


# ---- in the trial process ------------------------------------------------------------------


def trial_generation(path: str, kind: str) -> None:
    """Load a file, compute a little and print ``passed`` or what is wrong with it."""
    from llamanb import engine, errors
    from llamanb.settings import WeightSettings

    try:
        _compute(engine.load_weights(path, WeightSettings(n_gpu_layers=0)), kind)
    except (errors.EngineDead, errors.NumericalError) as error:
        print(f"a trial process failed on it: {error}")  # noqa: T201  # read by the parent
        return
    except errors.LlamanbError as error:
        # a polite refusal is no danger; the real load will say it better
        logger.info("trial load: %s", error)
    print("passed")  # noqa: T201  # read by the parent


def _compute(loaded: Any, kind: str) -> None:
    from llamanb import engine
    from llamanb.settings import ContextSettings, SamplingSettings

    tokens = tuple(loaded.vocabulary.tokenize("Hello", add_special=True)) or (0,)
    settings = ContextSettings(n_ctx=TRIAL_N_CTX, n_seq_max=1)
    if kind == "embedding":
        engine.open_embedding_engine(loaded, settings).embed([tokens[: TRIAL_N_CTX - 1]])
        return
    if kind == "rerank":
        engine.open_rerank_engine(loaded, settings).score([tokens[: TRIAL_N_CTX - 1]])
        return
    sampling = SamplingSettings(max_tokens=TRIAL_TOKENS, temperature=0, ignore_eos=True)
    request = engine.EngineRequest(prompt_tokens=tokens[:8], sampling=sampling)
    generation = engine.open_engine(loaded, settings).submit(request)
    generation.wait(PATIENCE_S)
    generation.raise_for_error()


# ---- what has passed -----------------------------------------------------------------------


def _notes_file() -> Path | None:
    chosen = read_environment().cache_dir or os.environ.get("XDG_CACHE_HOME")
    if chosen:
        return Path(chosen).expanduser() / "llamanb" / "checked-files.json"
    with suppress(RuntimeError):
        return Path.home() / ".cache" / "llamanb" / "checked-files.json"
    return None


def _has_passed(key: str) -> bool:
    with _lock:
        return key in _passed or key in _read_notes()


def _read_notes() -> list[str]:
    path = _notes_file()
    with suppress(OSError, ValueError):
        notes = json.loads(path.read_text()) if path is not None else []
        return notes if isinstance(notes, list) else []
    return []


def _note_passed(key: str) -> None:
    with _lock:
        _passed.add(key)
        path = _notes_file()
        if path is None:
            return
        notes = [*_read_notes(), key][-MAX_NOTES:]
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(f".{os.getpid()}.part")
            part.write_text(json.dumps(notes))
            part.replace(path)
