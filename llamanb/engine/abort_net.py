"""A net below native code: an abort parks its thread instead of ending the kernel.

``GGML_ASSERT`` and uncaught C++ exceptions end the process by default. Both can
be told to call back first; the callback notes the message, tells the worker's
clients, and never returns, so that the process lives on without that thread.
Where the platform offers no such hook, nothing is changed.
"""

from __future__ import annotations

import ctypes
import logging
import sys
import threading
from pathlib import Path
from typing import Any

from llamanb.engine.worker import NativeWorker

__all__ = ["install", "is_installed"]

_logger = logging.getLogger("llamanb.native")
_AbortCallback = ctypes.CFUNCTYPE(None, ctypes.c_char_p)
_TerminateHandler = ctypes.CFUNCTYPE(None)
_kept_for_ever: list[Any] = []


def is_installed() -> bool:
    """Tell whether failed assertions are caught on this platform."""
    return bool(_kept_for_ever)


def install(llama_library_path: str) -> None:
    """Hang the net under the ggml that belongs to ``llama_library_path``."""
    for hook in (_catch_assertions, _catch_exceptions):
        try:
            hook(llama_library_path)
        except (OSError, AttributeError) as error:
            _logger.info("%s is not available here: %s", hook.__name__, error)


def _catch_assertions(llama_library_path: str) -> None:
    ggml = ctypes.CDLL(_mapped_ggml_base() or _sibling_ggml_base(llama_library_path))
    callback = _AbortCallback(_on_assertion)
    ggml.ggml_set_abort_callback.restype = ctypes.c_void_p
    ggml.ggml_set_abort_callback.argtypes = [_AbortCallback]
    ggml.ggml_set_abort_callback(callback)
    _kept_for_ever.append(callback)


def _catch_exceptions(_llama_library_path: str) -> None:
    name = "libc++.1.dylib" if sys.platform == "darwin" else "libstdc++.so.6"
    set_terminate = getattr(ctypes.CDLL(name), "_ZSt13set_terminatePFvvE")  # noqa: B009  # mangled name
    set_terminate.restype = ctypes.c_void_p
    set_terminate.argtypes = [_TerminateHandler]
    handler = _TerminateHandler(_on_uncaught_exception)
    previous = set_terminate(handler)
    _kept_for_ever.extend([handler, _TerminateHandler(previous) if previous else None])


def _mapped_ggml_base() -> str | None:
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return None
    lines = maps.read_text(errors="replace").splitlines()
    return next((line.split(maxsplit=5)[-1] for line in lines if "libggml-base" in line), None)


def _sibling_ggml_base(llama_library_path: str) -> str:
    folder = Path(llama_library_path).parent
    found = sorted(folder.glob("libggml-base.*")) or sorted(folder.glob("ggml-base.*"))
    if not found:
        raise OSError(f"no libggml-base beside {llama_library_path}")
    return str(found[0])


def _on_assertion(message: bytes) -> None:
    text = message.decode("utf-8", "replace")
    if not _park_if_ours(text):
        sys.stderr.write(f"{text}\n")


def _on_uncaught_exception() -> None:
    if not _park_if_ours("uncaught C++ exception"):
        previous = _kept_for_ever[-1]
        if previous is not None:
            previous()


def _park_if_ours(message: str) -> bool:
    worker = NativeWorker.of_aborting_thread()
    if worker is None:
        return False
    _logger.error("native code aborted: %s", message)
    worker.died(message)
    while True:
        threading.Event().wait()
