"""Write small GGUF files byte by byte, whole or wrong in one chosen way."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["FLOAT32", "INT32", "STRING", "UINT32", "Pair", "Recipe", "TensorRow", "array", "text"]

UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY, UINT64 = 4, 5, 6, 7, 8, 9, 10
CODES = {0: "B", 1: "b", UINT32: "I", INT32: "i", FLOAT32: "f", BOOL: "?", UINT64: "Q"}


def text(value: str | bytes) -> bytes:
    """Give a string as GGUF writes it."""
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One metadata value of a given type number."""

    kind: int
    value: Any

    def encode(self) -> bytes:
        return struct.pack("<I", self.kind) + self._payload()

    def _payload(self) -> bytes:
        if self.kind == STRING:
            return text(self.value)
        if isinstance(self.value, bytes):
            return self.value
        return struct.pack("<" + CODES[self.kind], self.value)


def array(kind: int, items: list[Any], count: int | None = None) -> Pair:
    """Give an array; ``count`` may lie about its length."""
    body = b"".join(Pair(kind=kind, value=item).encode()[4:] for item in items)
    head = struct.pack("<IQ", kind, len(items) if count is None else count)
    return Pair(kind=ARRAY, value=head + body)


@dataclass(frozen=True, kw_only=True)
class TensorRow:
    """One tensor of zeros; ``offset`` None means right after the one before."""

    name: str
    shape: tuple[int, ...]
    kind: int = 0
    offset: int | None = None


TOKENS = [f"token{n}" for n in range(64)]


def _pairs() -> dict[str, Pair]:
    number = lambda value: Pair(kind=UINT32, value=value)  # noqa: E731  # shortens the table below
    return {
        "general.architecture": Pair(kind=STRING, value="llama"),
        "general.name": Pair(kind=STRING, value="made by hand"),
        "llama.block_count": number(2),
        "llama.context_length": number(128),
        "llama.embedding_length": number(32),
        "llama.feed_forward_length": number(64),
        "llama.attention.head_count": number(4),
        "llama.attention.head_count_kv": number(2),
        "llama.attention.layer_norm_rms_epsilon": Pair(kind=FLOAT32, value=1e-5),
        "tokenizer.ggml.model": Pair(kind=STRING, value="gpt2"),
        "tokenizer.ggml.tokens": array(STRING, list(TOKENS)),
        "tokenizer.ggml.token_type": array(INT32, [1] * len(TOKENS)),
        "tokenizer.ggml.merges": array(STRING, ["t o"]),
    }


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole file; change one thing with ``with_pair``, ``without`` or ``replace``."""

    magic: bytes = b"GGUF"
    version: int = 3
    n_tensors: int | None = None
    n_pairs: int | None = None
    pairs: dict[str, Pair] = field(default_factory=_pairs)
    tensors: tuple[TensorRow, ...] = (
        TensorRow(name="token_embd.weight", shape=(32, 64)),
        TensorRow(name="output_norm.weight", shape=(32,)),
    )
    alignment: int = 32

    def with_pair(self, key: str, pair: Pair) -> Recipe:
        return replace(self, pairs={**self.pairs, key: pair})

    def without(self, key: str) -> Recipe:
        return replace(self, pairs={k: v for k, v in self.pairs.items() if k != key})

    def with_tensor(self, **changes: Any) -> Recipe:
        return replace(self, tensors=(replace(self.tensors[0], **changes), *self.tensors[1:]))

    def encode(self) -> bytes:
        n_tensors = len(self.tensors) if self.n_tensors is None else self.n_tensors
        n_pairs = len(self.pairs) if self.n_pairs is None else self.n_pairs
        out = self.magic + struct.pack("<IQQ", self.version, n_tensors, n_pairs)
        for key, pair in self.pairs.items():
            out += text(key) + pair.encode()
        rows, n_bytes = self._rows()
        out += rows
        out += b"\0" * (-len(out) % self.alignment)
        return out + b"\0" * min(n_bytes, 1 << 20)

    def _rows(self) -> tuple[bytes, int]:
        out, position = b"", 0
        for row in self.tensors:
            out += text(row.name) + struct.pack("<I", len(row.shape))
            out += struct.pack(f"<{len(row.shape)}Q", *row.shape)
            offset = position if row.offset is None else row.offset
            out += struct.pack("<IQ", row.kind, offset)
            elements = 1
            for size in row.shape:
                elements *= size
            position += -(-elements * 4 // self.alignment) * self.alignment
        return out, position
