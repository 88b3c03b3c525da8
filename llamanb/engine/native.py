"""The door to llama.cpp: imported on first use, with its traps disarmed.

llama.cpp aborts the process on a failed assertion and logs to file descriptor 2.
Here its log goes to Python's logging, an abort parks the thread that caused it
(:mod:`llamanb.engine.abort_net`), and a child made by ``os.fork`` is told so
instead of hanging.
"""

from __future__ import annotations

import ctypes
import logging
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from llamanb.errors import ForkedProcessError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "NativeLibrary",
    "check_process",
    "float_view",
    "is_forked_child",
    "library",
    "native_errors",
]

_logger = logging.getLogger("llamanb.native")
_logger.addHandler(logging.NullHandler())
_LEVELS = {1: logging.DEBUG, 2: logging.INFO, 3: logging.INFO, 4: logging.DEBUG}
_ERROR_LEVEL = 4  # ggml's number
SPIN_COUNT = 10_000  # a few hundred microseconds: longer than two busy threads of ggml differ
_import_lock = threading.Lock()
_kept_for_ever: list[object] = []
_recent_errors: dict[int, deque[str]] = {}


class NativeLibrary:
    """The functions of llama.cpp, in two flavours.

    ``api`` is ``llama_cpp.llama_cpp``; its calls give up the GIL. ``held(name)``
    binds the same function without giving it up: a call of some microseconds
    would otherwise wait up to 5 ms for a busy notebook cell to let go.
    """

    def __init__(self, api: Any) -> None:
        self.api = api
        self._held_library = ctypes.PyDLL(_library_path(api))

    def held(self, name: str) -> Any:
        """Give the function ``name`` in the flavour that keeps the GIL."""
        function = getattr(self._held_library, name)
        original = getattr(self.api, name)
        function.argtypes, function.restype = original.argtypes, original.restype
        return function


_library: NativeLibrary | None = None
_owner_pid = os.getpid()


def is_forked_child() -> bool:
    """Tell whether this is a child made by ``os.fork`` since the first use."""
    return os.getpid() != _owner_pid


def check_process() -> None:
    """Refuse to go on in a child made by ``os.fork``.

    Raises
    ------
    ForkedProcessError
        Native threads and locks do not survive a fork.
    """
    if is_forked_child():
        raise ForkedProcessError(
            "this process was made by os.fork and cannot use the models of its parent; "
            "start it with multiprocessing's 'spawn' method and load the model there"
        )


def library() -> NativeLibrary:
    """Give llama.cpp's functions, importing and guarding them once.

    Raises
    ------
    ForkedProcessError
        In a child made by ``os.fork`` after the first use.
    """
    global _library, _owner_pid  # noqa: PLW0603  # the one native library of the process
    if _library is not None:
        check_process()
        return _library
    with _import_lock:
        if _library is None:
            _owner_pid = os.getpid()
            _library = _import_library()
    return _library


def _spin_little() -> None:
    """Let compute threads that wait for each other sleep soon.

    By default they spin through whole time slices, and a core that another program
    uses makes reading a prompt 20 to 40 times slower (measured: 15 s for 0.6 s).
    """
    if not os.environ.keys() & {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}:
        os.environ["GOMP_SPINCOUNT"] = str(SPIN_COUNT)


def _import_library() -> NativeLibrary:
    # Without this an abort forks gdb to print a backtrace, which can hang.
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    _spin_little()
    import llama_cpp.llama_cpp as api

    from llamanb.engine import abort_net

    callback = api.llama_log_callback(_on_native_log)
    _kept_for_ever.append(callback)
    api.llama_log_set(callback, ctypes.c_void_p(0))
    api.llama_backend_init()
    abort_net.install(_library_path(api))
    return NativeLibrary(api)


def _library_path(api: Any) -> str:
    return str(api._lib._name)  # noqa: SLF001  # llama_cpp offers no public name for it


def _on_native_log(level: int, text: bytes, _user_data: object) -> None:
    message = text.decode("utf-8", "replace").rstrip()
    if not message:
        return
    if level == _ERROR_LEVEL:
        recent = _recent_errors.setdefault(threading.get_ident(), deque(maxlen=8))
        recent.append(message)
    _logger.log(_LEVELS.get(level, logging.DEBUG), "%s", message)


def native_errors() -> str:
    """Give what llama.cpp said was wrong on this thread since the last call."""
    return "; ".join(_recent_errors.pop(threading.get_ident(), ()))


def float_view(pointer: Any, count: int) -> NDArray[np.float32]:
    """View ``count`` floats at a native pointer as an array, shape (count,); no copy."""
    address = ctypes.cast(pointer, ctypes.c_void_p).value or 0
    buffer: Any = (ctypes.c_float * count).from_address(address)
    return np.frombuffer(buffer, dtype=np.float32)
