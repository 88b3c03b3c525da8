"""Read the header of a GGUF file without trusting a byte of it.

Every count, length and type is checked against a limit before it is used, and
nothing is mapped into memory, so that a file that shrinks meanwhile cannot kill
the process. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

__all__ = ["TENSOR_TYPES", "GgufArray", "RawGguf", "TensorEntry", "UnreadableError", "read_gguf"]

MAX_HEADER_BYTES = 256 << 20
MAX_PAIRS = 65_536
MAX_TENSORS = 65_536
MAX_KEY_BYTES = 65_535
MAX_STRING_BYTES = 16 << 20
MAX_ARRAY_ITEMS = 8_000_000
MAX_TENSOR_NAME_BYTES = 63
MAX_ELEMENTS = 1 << 60
FIRST_READ_BYTES = 1 << 20

STRING, ARRAY = 8, 9
SCALARS = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
SCALAR_STRUCTS = {number: struct.Struct("<" + code) for number, code in SCALARS.items()}
TYPE_NAMES = {
    0: "uint8", 1: "int8", 2: "uint16", 3: "int16", 4: "uint32", 5: "int32", 6: "float32",
    7: "bool", 8: "string", 9: "array", 10: "uint64", 11: "int64", 12: "float64",
}  # fmt: skip
U32, U64 = struct.Struct("<I"), struct.Struct("<Q")

# ggml type number -> (name, elements per block, bytes per block); ggml/src/ggml.c, type_traits
TENSOR_TYPES: dict[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 36),
    10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2),
    26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18), 42: ("Q2_0", 64, 18),
}  # fmt: skip


class UnreadableError(ValueError):
    """The bytes are not a GGUF header; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufArray:
    """One array of the metadata: strings as raw bytes, numbers as a numpy array."""

    kind: str
    items: list[bytes] | np.ndarray[Any, Any]

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorEntry:
    """Where one tensor lies; ``offset`` counts bytes from the start of the data."""

    name: str
    shape: tuple[int, ...]
    type_number: int
    offset: int
    n_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RawGguf:
    """Everything before the tensor data; ``kinds`` names the type of each value."""

    version: int
    metadata: dict[str, Any]
    kinds: dict[str, str]
    tensors: tuple[TensorEntry, ...]
    alignment: int
    data_offset: int


class _Cursor:
    """Reads forward through a file; open → read … → dropped with the file."""

    def __init__(self, file: BinaryIO, file_bytes: int) -> None:
        self._file = file
        self._limit = min(file_bytes, MAX_HEADER_BYTES)
        self._file_bytes = file_bytes
        self._buffer = b""
        self.position = 0

    def _need(self, end: int) -> None:
        """Have the bytes up to ``end`` in the buffer, or raise."""
        if end <= len(self._buffer):
            return
        if end > self._limit:
            raise UnreadableError(self._too_long(end))
        wanted = min(self._limit, max(end, 2 * len(self._buffer), FIRST_READ_BYTES))
        self._buffer += self._file.read(wanted - len(self._buffer))
        if end > len(self._buffer):
            raise UnreadableError(self._too_long(end))

    def _too_long(self, end: int) -> str:
        if end > self._file_bytes:
            return f"it ends inside its header (at byte {self._file_bytes:,}): it is truncated"
        return f"its header is larger than {MAX_HEADER_BYTES >> 20} MiB"

    def number(self, layout: struct.Struct) -> Any:
        """Give one number."""
        end = self.position + layout.size
        self._need(end)
        (value,) = layout.unpack_from(self._buffer, self.position)
        self.position = end
        return value

    def raw_string(self, limit: int, what: str) -> bytes:
        """Give the bytes of one string of at most ``limit`` bytes."""
        length = self.number(U64)
        if length > limit:
            raise UnreadableError(
                f"{what} is {length:,} bytes long; at most {limit:,} are possible"
            )
        end = self.position + length
        self._need(end)
        text = self._buffer[self.position : end]
        self.position = end
        return text

    def text(self, limit: int, what: str) -> str:
        """Give one string that must be UTF-8."""
        try:
            return self.raw_string(limit, what).decode()
        except UnicodeDecodeError:
            raise UnreadableError(f"{what} is not UTF-8 text") from None

    def numbers(self, type_number: int, count: int) -> np.ndarray[Any, Any]:
        """Give ``count`` numbers of one type."""
        kind = np.dtype("<" + SCALARS[type_number])
        end = self.position + count * kind.itemsize
        self._need(end)
        values = np.frombuffer(self._buffer, kind, count, self.position)
        self.position = end
        return values

    def strings(self, count: int, what: str) -> list[bytes]:
        """Give ``count`` strings; one tight loop, for vocabularies of 250,000 tokens."""
        found: list[bytes] = []
        unpack, position, buffer = U64.unpack_from, self.position, self._buffer
        for _ in range(count):
            if position + 8 > len(buffer):
                self._need(position + 8)
                buffer = self._buffer
            start = position + 8
            (length,) = unpack(buffer, position)
            position = start + length
            if position > len(buffer):
                self._check_item(length, what)
                self._need(position)
                buffer = self._buffer
            found.append(buffer[start:position])
        self.position = position
        return found

    @staticmethod
    def _check_item(length: int, what: str) -> None:
        if length > MAX_STRING_BYTES:
            raise UnreadableError(f"{what} holds a string of {length:,} bytes")


def read_gguf(file: BinaryIO, file_bytes: int) -> RawGguf:
    """Read everything before the tensor data of an open GGUF file.

    Parameters
    ----------
    file : opened in binary mode, at its start.
    file_bytes : its size.

    Raises
    ------
    UnreadableError
        If the bytes are not a well-formed header within the limits.
    """
    cursor = _Cursor(file, file_bytes)
    version, n_tensors, n_pairs = _read_counts(cursor)
    metadata, kinds = _read_metadata(cursor, n_pairs)
    tensors = tuple(_read_tensor(cursor) for _ in range(n_tensors))
    alignment = metadata.get("general.alignment", 32)
    if kinds.get("general.alignment", "uint32") != "uint32" or not _is_alignment(alignment):
        raise UnreadableError(f"general.alignment={alignment!r} is not a power of two")
    return RawGguf(
        version=version,
        metadata=metadata,
        kinds=kinds,
        tensors=tensors,
        alignment=alignment,
        data_offset=-(-cursor.position // alignment) * alignment,
    )


def _is_alignment(value: Any) -> bool:
    return isinstance(value, int) and 8 <= value <= 1 << 20 and value & (value - 1) == 0


def _read_counts(cursor: _Cursor) -> tuple[int, int, int]:
    """Read magic, version and counts, in the order of the format."""
    if cursor.number(struct.Struct("<4s")) != b"GGUF":
        raise UnreadableError("it does not start with 'GGUF'")
    version = cursor.number(U32)
    if version not in (2, 3):
        raise UnreadableError(_version_problem(version))
    n_tensors, n_pairs = cursor.number(U64), cursor.number(U64)
    if n_tensors > MAX_TENSORS or n_pairs > MAX_PAIRS:
        raise UnreadableError(f"it claims {n_tensors:,} tensors and {n_pairs:,} metadata entries")
    return version, n_tensors, n_pairs


def _version_problem(version: int) -> str:
    if version & 0xFFFF == 0 and version:
        return "it was written for big-endian machines; get the little-endian file"
    if version == 1:
        return "it is GGUF version 1, which llama.cpp no longer reads; convert the model again"
    return f"its GGUF version {version} is not known here (2 and 3 are)"


def _read_metadata(cursor: _Cursor, count: int) -> tuple[dict[str, Any], dict[str, str]]:
    metadata: dict[str, Any] = {}
    kinds: dict[str, str] = {}
    for _ in range(count):
        key = cursor.text(MAX_KEY_BYTES, "a metadata key")
        if not key or key in metadata:
            raise UnreadableError(f"metadata key {key[:80]!r} is empty or occurs twice")
        type_number = cursor.number(U32)
        metadata[key] = _read_value(cursor, key[:80], type_number)
        kinds[key] = _kind(type_number, metadata[key])
    return metadata, kinds


def _kind(type_number: int, value: Any) -> str:
    return value.kind if isinstance(value, GgufArray) else TYPE_NAMES[type_number]


def _read_value(cursor: _Cursor, key: str, type_number: int) -> Any:
    if type_number == STRING:
        return cursor.raw_string(MAX_STRING_BYTES, f"the text of {key!r}").decode(errors="replace")
    if type_number == ARRAY:
        return _read_array(cursor, key)
    layout = SCALAR_STRUCTS.get(type_number)
    if layout is None:
        raise UnreadableError(f"metadata key {key!r} has the unknown type {type_number}")
    return cursor.number(layout)


def _read_array(cursor: _Cursor, key: str) -> GgufArray:
    type_number, count = cursor.number(U32), cursor.number(U64)
    if count > MAX_ARRAY_ITEMS:
        raise UnreadableError(f"the array {key!r} claims {count:,} items")
    if type_number == STRING:
        return GgufArray(kind="string[]", items=cursor.strings(count, f"the array {key!r}"))
    if type_number not in SCALARS:
        raise UnreadableError(f"the array {key!r} has items of the unknown type {type_number}")
    kind = TYPE_NAMES[type_number] + "[]"
    return GgufArray(kind=kind, items=cursor.numbers(type_number, count))


def _read_tensor(cursor: _Cursor) -> TensorEntry:
    name = cursor.text(MAX_TENSOR_NAME_BYTES, "a tensor name")
    n_dims = cursor.number(U32)
    if not 1 <= n_dims <= 4:
        raise UnreadableError(f"tensor {name!r} has {n_dims} dimensions")
    shape = tuple(cursor.number(U64) for _ in range(n_dims))
    type_number = cursor.number(U32)
    n_bytes = _tensor_bytes(name, shape, type_number)
    return TensorEntry(
        name=name,
        shape=shape,
        type_number=type_number,
        offset=cursor.number(U64),
        n_bytes=n_bytes,
    )


def _tensor_bytes(name: str, shape: tuple[int, ...], type_number: int) -> int:
    elements = _product(shape, name)
    if type_number not in TENSOR_TYPES:
        raise UnreadableError(
            f"tensor {name!r} has the type {type_number}, which this llama.cpp cannot read"
        )
    type_name, block, block_bytes = TENSOR_TYPES[type_number]
    if shape[0] % block:
        raise UnreadableError(
            f"tensor {name!r} has rows of {shape[0]} elements, no whole {type_name}"
        )
    return elements // block * block_bytes


def _product(shape: tuple[int, ...], name: str) -> int:
    elements = 1
    for size in shape:
        elements *= size
        if size == 0 or elements > MAX_ELEMENTS:
            raise UnreadableError(f"tensor {name!r} has the impossible shape {shape}")
    return elements
