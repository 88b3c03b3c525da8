"""One native context: memory of tokens per sequence, decode, logits, abort flag.

Every method runs on the compute thread, except :meth:`NativeContext.interrupt`.
"""

from __future__ import annotations

import ctypes
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from llamanb.engine.batch import Batch
from llamanb.engine.native import float_view, native_errors
from llamanb.engine.threads import thread_counts
from llamanb.errors import ModelLoadError

if TYPE_CHECKING:
    from llamanb.engine.weights import LoadedModel
    from llamanb.settings import ContextSettings

__all__ = ["DECODE_ABORTED", "DECODE_NO_ROOM", "DECODE_OK", "NativeContext"]

FloatRow = NDArray[np.float32]
DECODE_OK, DECODE_NO_ROOM, DECODE_ABORTED = 0, 1, 2
DEFAULT_N_CTX = 4096
_MOST_CELLS = (1 << 31) - 1
_KV_TYPES = {
    "f32": 0,
    "f16": 1,
    "q4_0": 2,
    "q4_1": 3,
    "q5_0": 6,
    "q5_1": 7,
    "q8_0": 8,
    "iq4_nl": 20,
    "bf16": 30,
}
_FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}
_POOLINGS = {"none": 0, "mean": 1, "cls": 2, "last": 3, "rank": 4}


class NativeContext:
    """Stages: made on the compute thread → used there → ``free()`` there.

    Attributes
    ----------
    n_ctx : tokens that one sequence can hold.
    n_batch : tokens that one decode can take; at least one per sequence.
    can_be_interrupted : whether :meth:`interrupt` reaches a decode in progress.
    """

    def __init__(self, loaded: LoadedModel, settings: ContextSettings) -> None:
        self._native = loaded.native
        self._pointer = self._create(loaded, settings)
        try:
            self._equip(loaded, settings)
        except BaseException:
            self.free()
            raise

    def _equip(self, loaded: LoadedModel, settings: ContextSettings) -> None:
        api = self._native.api
        self._memory = api.llama_get_memory(self._pointer)
        self.n_vocab = loaded.vocabulary.n_tokens
        self.n_ctx = self._usable_n_ctx(loaded, settings)
        self.n_batch = min(_n_batch(settings), int(api.llama_n_batch(self._pointer)))
        self.batch = Batch(api, self.n_batch)
        self._bind_short_calls()
        self.can_be_interrupted = self._install_abort_flag()

    @property
    def has_memory(self) -> bool:
        """Whether it remembers sequences; one that only embeds does not."""
        return bool(self._memory)

    @property
    def can_split(self) -> bool:
        """Whether one text may be computed in several micro-batches, the first one first."""
        return self.has_memory and bool(self._native.api.llama_get_causal_attn(self._pointer))

    # ---- decoding -----------------------------------------------------------------

    def decode(self) -> int:
        """Compute the batch; 0 done, 1 no room in memory, 2 interrupted, < 0 failed."""
        code = int(self._decode(self._pointer, self.batch.native))
        if code == DECODE_OK:
            self._synchronize(self._pointer)
        return code

    def encode(self) -> int:
        """Compute the batch with an encoder-only model; 0 done, < 0 failed."""
        return int(self._native.api.llama_encode(self._pointer, self.batch.native))

    def logits(self, row: int) -> FloatRow | None:
        """Give a writable view of one row's logits, shape (n_vocab,); None if not computed."""
        pointer = self._logits_of(self._pointer, row)
        return float_view(pointer, self.n_vocab) if pointer else None

    def sample(self, chain: Any, row: int) -> int:
        """Sample (and accept) a token from one row through a native chain."""
        return int(self._sample(chain, self._pointer, row))

    def interrupt(self) -> None:
        """Make a decode in progress return 2 soon; safe from any thread."""
        self._flag[0] = b"\x01"

    def allow(self) -> None:
        """Take an earlier :meth:`interrupt` back."""
        self._flag[0] = b"\x00"

    # ---- memory --------------------------------------------------------------------

    def resident(self, sequence: int) -> int:
        """Count the tokens that memory holds of a sequence."""
        return int(self._position_max(self._memory, sequence)) + 1

    def truncate(self, sequence: int, length: int) -> bool:
        """Forget all tokens from ``length`` on; False if this kind of memory cannot."""
        return bool(self._remove(self._memory, sequence, length, -1))

    def forget(self, sequence: int) -> None:
        """Forget a whole sequence."""
        self._remove(self._memory, sequence, -1, -1)

    def copy(self, source: int, target: int) -> None:
        """Make ``target`` hold what ``source`` holds.

        Always whole: llama.cpp aborts on a partial copy between partitions.
        """
        self.forget(target)
        self._copy(self._memory, source, target, -1, -1)

    def state_bytes(self) -> int:
        """Give the size of the memory's state as llama.cpp counts it, in bytes."""
        return int(self._native.api.llama_state_get_size(self._pointer))

    def free(self) -> None:
        """Give the context back; harmless when repeated."""
        pointer, self._pointer = self._pointer, None
        if pointer is not None:
            self._native.api.llama_free(pointer)

    @property
    def pointer(self) -> Any:
        """The native context, for this room only."""
        return self._pointer

    # ---- making it ------------------------------------------------------------------

    def _create(self, loaded: LoadedModel, settings: ContextSettings) -> Any:
        api = self._native.api
        native_errors()  # older ones on this thread say nothing about this context
        pointer = api.llama_init_from_model(loaded.pointer, _parameters(api, loaded, settings))
        reason = native_errors()
        if not pointer:
            raise ModelLoadError(
                f"llama.cpp could not make a context for {loaded.path}: {reason or 'no reason'}"
            )
        return pointer

    def _usable_n_ctx(self, loaded: LoadedModel, settings: ContextSettings) -> int:
        # llama.cpp rounds up to multiples of 256; users get what they asked for.
        made = int(self._native.api.llama_n_ctx_seq(self._pointer))
        return min(made, asked_n_ctx(loaded, settings))

    def _bind_short_calls(self) -> None:
        native = self._native
        self._decode = native.api.llama_decode
        self._synchronize = native.held("llama_synchronize")
        self._logits_of = native.held("llama_get_logits_ith")
        self._sample = native.held("llama_sampler_sample")
        self._position_max = native.held("llama_memory_seq_pos_max")
        self._remove = native.held("llama_memory_seq_rm")
        self._copy = native.held("llama_memory_seq_cp")

    def _install_abort_flag(self) -> bool:
        """Use libc's strlen on a two-byte buffer as the abort callback.

        It is called hundreds of times in a decode; a Python function there costs
        a factor of ten. An empty string means go on.
        """
        self._flag = ctypes.create_string_buffer(2)
        api = self._native.api
        strlen = _libc_strlen()
        if strlen is None:
            return False
        self._strlen = ctypes.cast(strlen, api.ggml_abort_callback)
        api.llama_set_abort_callback(self._pointer, self._strlen, ctypes.addressof(self._flag))
        return True


def _libc_strlen() -> Any:
    if sys.platform == "win32":
        return None
    try:
        return ctypes.CDLL(None).strlen
    except (OSError, AttributeError):
        return None


def asked_n_ctx(loaded: LoadedModel, settings: ContextSettings) -> int:
    """Give the tokens per sequence that the settings ask for."""
    trained = loaded.info.n_ctx_train or DEFAULT_N_CTX
    return settings.n_ctx if settings.n_ctx is not None else min(DEFAULT_N_CTX, trained)


def _n_batch(settings: ContextSettings) -> int:
    # Every running sequence adds a token to each batch.
    return max(settings.n_batch, settings.n_seq_max)


def _n_ctx_total(loaded: LoadedModel, settings: ContextSettings) -> int:
    n_ctx = asked_n_ctx(loaded, settings)
    total = n_ctx if settings.kv_unified else n_ctx * settings.n_seq_max
    if total > _MOST_CELLS:  # llama.cpp counts in 32 bits and would wrap around
        raise ModelLoadError(
            f"n_ctx={n_ctx:,} for n_seq_max={settings.n_seq_max} sequences is more than "
            f"llama.cpp can count; at most {_MOST_CELLS:,} tokens fit together"
        )
    return total


def _parameters(api: Any, loaded: LoadedModel, settings: ContextSettings) -> Any:
    single, batch = thread_counts(settings)
    parameters = api.llama_context_default_params()
    parameters.n_ctx = _n_ctx_total(loaded, settings)
    parameters.n_seq_max = settings.n_seq_max
    parameters.n_batch, parameters.n_ubatch = _n_batch(settings), settings.n_ubatch
    parameters.n_threads, parameters.n_threads_batch = single, batch
    parameters.kv_unified = settings.kv_unified
    parameters.flash_attn_type = _FLASH_ATTENTION[settings.flash_attn]
    parameters.type_k = _KV_TYPES[settings.type_k]
    parameters.type_v = _KV_TYPES[settings.type_v]
    parameters.no_perf = True
    parameters.embeddings = settings.embedding
    if not settings.embedding:
        # One row of logits per sequence: else llama.cpp reserves n_ubatch * n_vocab floats.
        parameters.n_outputs_max = settings.n_seq_max
        parameters.n_outputs_max_per_seq = 1
    if settings.pooling is not None:
        parameters.pooling_type = _POOLINGS[settings.pooling]
    return parameters
