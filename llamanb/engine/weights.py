"""The weights of one GGUF in memory, shared by every context over them.

Stages: :func:`load_weights` → use → ``close()``. Loading runs on a worker of its
own, so other models go on generating and the caller can be interrupted.
"""

from __future__ import annotations

import atexit
import ctypes
import hashlib
import os
import re
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from llamanb.engine.compute import compute_thread
from llamanb.engine.native import NativeLibrary, is_forked_child, library, native_errors
from llamanb.engine.values import EngineStatus, ModelInfo
from llamanb.engine.vocabulary import Vocabulary
from llamanb.engine.worker import WAIT_SLICE_S, NativeWorker
from llamanb.errors import (
    EngineDead,
    ModelClosedError,
    ModelLoadCancelled,
    ModelLoadError,
    ModelLoadTimeout,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.settings import WeightSettings

__all__ = ["LoadedModel", "load_weights"]

_SPLIT_MODES = {"none": 0, "layer": 1, "row": 2}
_POOLINGS = {0: "none", 1: "mean", 2: "cls", 3: "last", 4: "rank"}
_DESCRIPTION = re.compile(r"(?:\?B|[\d.]+[KMBT])\s+(?P<quantization>.+)$")
_FINGERPRINT_BYTES = 1 << 20
_CLOSING_PATIENCE_S = 10.0
_live: weakref.WeakSet[LoadedModel] = weakref.WeakSet()


class _Context(Protocol):
    def close(self, timeout_s: float = 5.0) -> None: ...

    def status(self) -> EngineStatus: ...


class LoadedModel:
    """Weights, vocabulary and metadata of one file.

    Attributes
    ----------
    path : the file (the first shard of a split model).
    info : what the weights are.
    metadata : the GGUF's keys and values as llama.cpp prints them.
    vocabulary : text to token ids and back.
    fingerprint : 16 hexadecimal digits of a SHA-256 over the size and both ends of the file.
    """

    def __init__(self, path: str, native: NativeLibrary, pointer: Any) -> None:
        self.path = path
        self.native = native
        self._pointer = pointer
        self._closing = False
        self._contexts: list[_Context] = []
        self._lock = threading.Lock()
        self.metadata = _read_metadata(native, pointer)
        self.vocabulary = Vocabulary(native, pointer)
        self.info = _describe(path, native, pointer, self.metadata, self.vocabulary)
        self.fingerprint = _fingerprint(path)
        _live.add(self)

    @property
    def closed(self) -> bool:
        """Whether the weights have been given back."""
        return self._pointer is None

    @property
    def pointer(self) -> Any:
        """The native model, for this room's contexts only.

        Raises
        ------
        ModelClosedError
            After ``close()``.
        """
        if self._closing or self._pointer is None:
            raise ModelClosedError(f"{self.path} was unloaded; load it again")
        return self._pointer

    def add_context(self, context: _Context) -> None:
        """Remember a context that must be closed before the weights."""
        with self._lock:
            self._contexts.append(context)

    def remove_context(self, context: _Context) -> None:
        """Forget a context that was closed on its own."""
        with self._lock:
            self._contexts = [other for other in self._contexts if other is not context]

    def close(self, timeout_s: float = 5.0) -> None:
        """Close every context, then free the weights; harmless when repeated.

        Raises
        ------
        TimeoutError
            If the compute thread is busy for longer than ``timeout_s`` seconds; the
            weights stay until ``close`` is called again.
        """
        if self._pointer is None:
            return
        self._closing = True  # from here on no context can begin
        thread = compute_thread()
        if not thread.is_current:
            thread.call(_nothing, timeout_s)  # one that has begun is registered after this
        with self._lock:
            contexts = list(self._contexts)
        for context in contexts:
            context.close(timeout_s)
        self.vocabulary.close()
        compute_thread().finish(compute_thread().submit(self._free), timeout_s)

    def _free(self) -> None:
        pointer, self._pointer = self._pointer, None
        # OpenMP's threads of a parked computation may still read the weights.
        if pointer is not None and not self._contexts:
            self.native.api.llama_model_free(pointer)


def _nothing() -> None:
    """Take a turn on a worker, to know that what came before is done."""


def load_weights(
    path: str,
    settings: WeightSettings,
    *,
    on_progress: Callable[[float], None] | None = None,
    cancelled: threading.Event | None = None,
    timeout_s: float | None = None,
) -> LoadedModel:
    """Load a GGUF and wait for it, interruptibly.

    Parameters
    ----------
    path : the file, or the first shard of a split model.
    on_progress : called on the loading thread with 0.0 … 1.0.
    cancelled : set it from anywhere to give up.
    timeout_s : seconds to wait at most.

    Raises
    ------
    ModelLoadError, ModelLoadTimeout, ModelLoadCancelled, ForkedProcessError
        In each case nothing stays in memory.
    """
    native = library()
    load = _Load(path, settings, native, on_progress, cancelled or threading.Event())
    return load.wait(timeout_s)


class _Load:
    """One load in progress on its own worker."""

    def __init__(
        self,
        path: str,
        settings: WeightSettings,
        native: NativeLibrary,
        on_progress: Callable[[float], None] | None,
        cancelled: threading.Event,
    ) -> None:
        self._path, self._settings, self._native = path, settings, native
        self._on_progress, self._cancelled = on_progress, cancelled
        self._abandoned = threading.Event()
        self._loaded: LoadedModel | None = None
        self._callback_error: BaseException | None = None
        self._worker = NativeWorker("llamanb-load")
        self._call = self._worker.submit(self._run)

    def wait(self, timeout_s: float | None) -> LoadedModel:
        try:
            self._wait_until_done(timeout_s)
            return self._call.outcome()
        except EngineDead as error:
            raise ModelLoadError(f"llama.cpp gave up on {self._path}: {error}") from error
        except BaseException:
            self._give_up()  # nothing to do when the load itself failed
            raise
        finally:
            self._worker.close(timeout_s=0.0)

    def _wait_until_done(self, timeout_s: float | None) -> None:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._call.wait(self._slice(deadline)):
            if deadline is not None and time.monotonic() >= deadline:
                raise ModelLoadTimeout(
                    f"loading {self._path} took longer than {timeout_s:g} s; "
                    "nothing was kept, try again with a larger timeout",
                    timeout_s=timeout_s or 0.0,
                )

    def _slice(self, deadline: float | None) -> float:
        if deadline is None:
            return WAIT_SLICE_S
        return max(0.0, min(WAIT_SLICE_S, deadline - time.monotonic()))

    def _give_up(self) -> None:
        self._abandoned.set()
        if self._call.wait(_CLOSING_PATIENCE_S) and self._loaded is not None:
            self._loaded.close()

    # ---- on the worker ----------------------------------------------------------

    def _run(self) -> LoadedModel:
        native_errors()  # older ones on this thread say nothing about this load
        pointer = self._load_native()
        if pointer and self._wants_out():
            self._native.api.llama_model_free(pointer)
            pointer = None
        reason = native_errors()
        if self._callback_error is not None:
            raise self._callback_error
        if self._wants_out():
            raise ModelLoadCancelled(f"loading {self._path} was cancelled; nothing was kept")
        if not pointer:
            raise ModelLoadError(f"llama.cpp could not load {self._path}: {reason or 'no reason'}")
        return self._finish(pointer)

    def _finish(self, pointer: Any) -> LoadedModel:
        try:
            loaded = LoadedModel(self._path, self._native, pointer)
        except BaseException:
            self._native.api.llama_model_free(pointer)
            raise
        self._loaded = loaded
        if self._abandoned.is_set():  # while the vocabulary was read
            loaded.close()
        return loaded

    def _load_native(self) -> Any:
        api = self._native.api
        parameters = api.llama_model_default_params()
        parameters.n_gpu_layers = self._settings.n_gpu_layers
        parameters.split_mode = _SPLIT_MODES[self._settings.split_mode]
        parameters.main_gpu = self._settings.main_gpu
        parameters.load_mode = _load_mode(api, self._settings)
        callback = api.llama_progress_callback(self._progressed)
        parameters.progress_callback = callback
        return api.llama_model_load_from_file(os.fsencode(self._path), parameters)

    def _progressed(self, fraction: float, _user_data: object) -> bool:
        if self._on_progress is not None and not self._wants_out():
            try:
                self._on_progress(fraction)
            except BaseException as error:  # noqa: BLE001  # raised again by _run
                self._callback_error = error
        return not self._wants_out()

    def _wants_out(self) -> bool:
        failed = self._callback_error is not None
        return failed or self._cancelled.is_set() or self._abandoned.is_set()


def _load_mode(api: Any, settings: WeightSettings) -> int:
    names = {
        (False, False): "LLAMA_LOAD_MODE_NONE",
        (True, False): "LLAMA_LOAD_MODE_MMAP",
        (False, True): "LLAMA_LOAD_MODE_MLOCK",
        (True, True): "LLAMA_LOAD_MODE_MMAP_MLOCK",
    }
    return int(getattr(api, names[settings.use_mmap, settings.use_mlock]))


def _read_metadata(native: NativeLibrary, pointer: Any) -> dict[str, str]:
    api = native.api
    count = api.llama_model_meta_count(pointer)
    key_of = api.llama_model_meta_key_by_index
    value_of = api.llama_model_meta_val_str_by_index
    return {_text(key_of, pointer, i): _text(value_of, pointer, i) for i in range(count)}


def _text(function: Any, pointer: Any, *arguments: Any) -> str:
    room = 1 << 12
    while True:
        buffer = ctypes.create_string_buffer(room)
        written = function(pointer, *arguments, buffer, room)
        if written < room:
            return buffer.value.decode("utf-8", "replace")
        room = written + 1


def _describe(
    path: str,
    native: NativeLibrary,
    pointer: Any,
    metadata: dict[str, str],
    vocabulary: Vocabulary,
) -> ModelInfo:
    api = native.api
    description = _text(api.llama_model_desc, pointer)
    found = _DESCRIPTION.search(description)
    template = api.llama_model_chat_template(pointer, None)
    architecture = metadata.get("general.architecture", "")
    pooling = int(metadata.get(f"{architecture}.pooling_type", "-1"))
    return ModelInfo(
        path=path,
        name=metadata.get("general.name") or Path(path).stem,
        architecture=architecture,
        description=description,
        quantization=found["quantization"] if found else "",
        n_params=api.llama_model_n_params(pointer),
        size_bytes=api.llama_model_size(pointer),
        n_vocab=vocabulary.n_tokens,
        n_ctx_train=api.llama_model_n_ctx_train(pointer),
        n_embd=api.llama_model_n_embd(pointer),
        n_layer=api.llama_model_n_layer(pointer),
        n_head=api.llama_model_n_head(pointer),
        n_head_kv=api.llama_model_n_head_kv(pointer),
        has_encoder=bool(api.llama_model_has_encoder(pointer)),
        has_decoder=bool(api.llama_model_has_decoder(pointer)),
        is_recurrent=bool(
            api.llama_model_is_recurrent(pointer) or api.llama_model_is_hybrid(pointer)
        ),
        chat_template=template.decode("utf-8", "replace") if template else None,
        bos_token=_piece(vocabulary, vocabulary.bos),
        eos_token=_piece(vocabulary, vocabulary.eos),
        pooling=_POOLINGS.get(pooling, ""),
    )


def _piece(vocabulary: Vocabulary, token: int | None) -> str:
    return "" if token is None else vocabulary.token_to_piece(token)


def _fingerprint(path: str) -> str:
    size = Path(path).stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with Path(path).open("rb") as file:
        digest.update(file.read(_FINGERPRINT_BYTES))
        file.seek(max(0, size - _FINGERPRINT_BYTES))
        digest.update(file.read(_FINGERPRINT_BYTES))
    return digest.hexdigest()[:16]


@atexit.register
def _close_all() -> None:
    """Free contexts and weights; a process that ends does not wait long for it."""
    for model in [] if is_forked_child() else list(_live):
        try:
            model.close(timeout_s=1.0)
        except (EngineDead, ModelClosedError, TimeoutError):
            continue
