"""A llama_batch over numpy arrays, filled row by row and reused for ever."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Batch"]


class Batch:
    """Up to ``capacity`` tokens for one ``llama_decode``; one owner, one sequence a row."""

    def __init__(self, api: Any, capacity: int) -> None:
        self.capacity = capacity
        self.n_tokens = 0
        self._token = np.zeros(capacity, np.int32)
        self._position = np.zeros(capacity, np.int32)
        self._sequence = np.zeros(capacity, np.int32)
        self._wants_logits = np.zeros(capacity, np.int8)
        self._counts = np.ones(capacity, np.int32)
        # llama.cpp wants a pointer to the sequence ids of each row.
        offsets = 4 * np.arange(capacity, dtype=np.uint64)
        self._pointers = np.append(self._sequence.ctypes.data + offsets, np.uint64(0))
        self.native = api.llama_batch(
            n_tokens=0,
            token=_pointer(self._token, ctypes.c_int32),
            embd=None,
            pos=_pointer(self._position, ctypes.c_int32),
            n_seq_id=_pointer(self._counts, ctypes.c_int32),
            seq_id=ctypes.cast(
                self._pointers.ctypes.data, ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))
            ),
            logits=_pointer(self._wants_logits, ctypes.c_int8),
        )

    @property
    def room(self) -> int:
        """How many rows are free."""
        return self.capacity - self.n_tokens

    def clear(self) -> None:
        """Start over."""
        self.n_tokens = 0

    def add(self, tokens: Sequence[int], position: int, sequence: int, logits: str) -> int | None:
        """Append consecutive tokens of one sequence.

        ``logits`` is ``"none"``, ``"last"`` or ``"all"``. Gives the row whose
        logits were asked for (the last one), or None.
        """
        start, stop = self.n_tokens, self.n_tokens + len(tokens)
        if stop > self.capacity:
            raise ValueError(f"{stop} rows do not fit into a batch of {self.capacity}")
        self._token[start:stop] = tokens
        self._position[start:stop] = range(position, position + len(tokens))
        self._sequence[start:stop] = sequence
        self._wants_logits[start:stop] = logits == "all"
        if logits == "last":
            self._wants_logits[stop - 1] = 1
        self.n_tokens = stop
        self.native.n_tokens = stop
        return None if logits == "none" else stop - 1


def _pointer(array: np.ndarray[Any, Any], kind: Any) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(kind))
