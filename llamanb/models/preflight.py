"""Decide whether a file is a GGUF that can be loaded, before llama.cpp sees it."""

from __future__ import annotations

import os
import re
import stat
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from llamanb.errors import ModelFileError, ModelNotFoundError
from llamanb.models.gguf_checks import (
    check_header,
    check_tensor_types,
    check_tensors,
    per_layer,
)
from llamanb.models.gguf_file import TENSOR_TYPES, GgufArray, UnreadableError, read_gguf
from llamanb.models.hub_names import SHARD_NAME, part_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llamanb.models.gguf_file import RawGguf, TensorEntry

__all__ = [
    "FileIdentity",
    "GgufHeader",
    "ModelKind",
    "check_file",
    "check_unchanged",
    "file_identity",
    "shard_paths",
]

MAX_SHARDS = 1000
MIN_FILE_BYTES = 24
WRONG_STARTS = (
    (b"PK\x03\x04", "it is a zip archive (a PyTorch checkpoint?); convert it to GGUF first"),
    (b"version https://git-lfs", "it is a Git LFS pointer; fetch the real file: git lfs pull"),
    (b"<", "it is a web page or XML, probably a failed download; download it again"),
    (b"{", "it is JSON, not a model"),
    (b"tjgg", "it is in the old GGJT format; convert the model again with a recent llama.cpp"),
    (b"lmgg", "it is in the old GGML format; convert the model again with a recent llama.cpp"),
)
SAFETENSORS = re.compile(rb".{8}\s*\{", re.DOTALL)
CONVERT = (
    "Get the model as GGUF (on the hub such repositories often end in -GGUF), or convert it "
    "with llama.cpp's convert_hf_to_gguf.py."
)
DOWNLOAD_AGAIN = "Download or copy the file again, or choose another."

FileIdentity = tuple[tuple[int, int, int, int], ...]
ModelKind = Literal["text", "embedding", "rerank"]
POOLINGS = {1: "mean", 2: "cls", 3: "last", 4: "rank"}  # llama.cpp's numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufHeader:
    """What the header of a checked model file says.

    ``metadata`` has no array of more than 1,024 items. ``n_head_kv`` counts
    key-value heads for each layer; ``tensor_bytes`` covers every shard.
    """

    path: str
    shards: tuple[str, ...]
    architecture: str
    name: str
    quantization: str
    metadata: Mapping[str, Any]
    tensor_bytes: int
    n_tensors: int
    n_layer: int
    n_embd: int
    n_head: int
    n_head_kv: tuple[int, ...]
    key_length: int
    value_length: int
    n_ff: int
    n_vocab: int
    n_ctx_train: int
    is_causal: bool
    has_pooling: bool
    chat_template: str | None
    has_classifier: bool = False

    @property
    def is_embedding_model(self) -> bool:
        """Whether it reads texts, into vectors or scores, and cannot write text."""
        return not self.is_causal or self.has_pooling

    @property
    def kind(self) -> ModelKind:
        """What it is made for; a reranker says so, and has the head for it."""
        if self.pooling == "rank" and self.has_classifier:
            return "rerank"
        return "embedding" if self.is_embedding_model else "text"

    @property
    def pooling(self) -> str:
        """How a text becomes one row of numbers; "" if the file does not say."""
        return POOLINGS.get(self.metadata.get(f"{self.architecture}.pooling_type", 0), "")


_checked: dict[FileIdentity, GgufHeader] = {}
_checked_lock = threading.Lock()
MAX_REMEMBERED = 64


def shard_paths(path: Path) -> tuple[Path, ...]:
    """Give every file of a split model, in order; the file itself if it is whole."""
    match = SHARD_NAME.match(path.name)
    if match is None:
        return (path,)
    if not 1 <= int(match["count"]) <= MAX_SHARDS:
        raise _refusal(path, f"its name claims {match['count']} parts")
    return tuple(path.with_name(name) for name in part_names(path.name))


def file_identity(shards: Sequence[Path]) -> FileIdentity:
    """Give (device, inode, size, mtime_ns) of every shard.

    Raises
    ------
    ModelNotFoundError, ModelFileError
        If one is missing, or is not a regular file.
    """
    return tuple(_identity_of(shard, shards) for shard in shards)


def _identity_of(path: Path, shards: Sequence[Path]) -> tuple[int, int, int, int]:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise ModelNotFoundError(_missing(path, shards)) from None
    except OSError as error:
        raise _refusal(path, f"it cannot be read ({error.strerror})") from None
    if not stat.S_ISREG(status.st_mode):
        raise _refusal(path, _not_a_file(path))
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _missing(path: Path, shards: Sequence[Path]) -> str:
    if len(shards) == 1:
        return f"model file not found: {path}"
    missing = [shard.name for shard in shards if not shard.exists()]
    return (
        f"model file not found: {path}; the model is split into {len(shards)} files and "
        f"{len(missing)} are missing. Download them all into one folder."
    )


def _not_a_file(path: Path) -> str:
    if not path.is_dir():
        return "it is not a regular file"
    inside = sorted(item.name for item in path.glob("*.gguf"))[:5]
    hint = f"name a file in it: {', '.join(inside)}" if inside else "it holds no .gguf file"
    return f"it is a folder; {hint}"


def _refusal(path: Path | str, reason: str, advice: str = "") -> ModelFileError:
    message = f"{path} cannot be loaded: {reason}. {advice}".rstrip()
    return ModelFileError(message, path=str(path), reason=reason)


def check_file(path: Path) -> GgufHeader:
    """Check the header of a model file, and of its further shards.

    Takes at most a second for a vocabulary of 150,000 tokens, and nothing for a
    file that was checked before and has not changed since.

    Raises
    ------
    ModelNotFoundError
        If the file, or a shard of it, is missing.
    ModelFileError
        If it is not a GGUF that can be loaded safely; says what to do next.
    """
    shards = shard_paths(path)
    identity = file_identity(shards)
    with _checked_lock:
        known = _checked.get(identity)
    if known is not None and known.path == str(path):
        return known
    header = _check_shards(shards)
    _remember(identity, header)
    return header


def check_unchanged(header: GgufHeader, identity: FileIdentity) -> None:
    """Make sure that the files are still those that were checked.

    Raises
    ------
    ModelNotFoundError, ModelFileError
        If one is gone, or was replaced.
    """
    if file_identity([Path(shard) for shard in header.shards]) != identity:
        advice = f"Load it anew: llamanb.load({header.path!r})"
        raise _refusal(header.path, "it was replaced or changed since it was checked", advice)


def _remember(identity: FileIdentity, header: GgufHeader) -> None:
    with _checked_lock:
        _checked[identity] = header
        while len(_checked) > MAX_REMEMBERED:
            del _checked[next(iter(_checked))]


def _check_shards(shards: Sequence[Path]) -> GgufHeader:
    first = _read(shards[0], is_first=True)
    _check_split(shards[0], first, len(shards), 0)
    rest = [_read(path, is_first=False) for path in shards[1:]]
    for number, (path, raw) in enumerate(zip(shards[1:], rest, strict=True), 1):
        _check_split(path, raw, len(shards), number)
    return _describe(shards, first, [first, *rest])


def _check_split(path: Path, raw: RawGguf, count: int, number: int) -> None:
    declared = raw.metadata.get("split.count", 0) or 1  # 0 is written for whole files
    if declared != count:
        raise _refusal(
            path,
            f"it is one of {declared} parts, but its name says {count}",
            "Give the files of a split model their original names (…-00001-of-0000N.gguf).",
        )
    if raw.metadata.get("split.no", 0) != number:
        raise _refusal(path, f"it is not part {number + 1} of {count}", DOWNLOAD_AGAIN)


def _read(path: Path, *, is_first: bool) -> RawGguf:
    """Read and check one file; the vocabulary is in the first shard only."""
    try:
        # O_NONBLOCK: a file swapped for a FIFO meanwhile must not hang the open
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            file_bytes = os.fstat(descriptor).st_size
            _check_start(path, file.read(32), file_bytes)
            file.seek(0)
            raw = read_gguf(file, file_bytes)
        if is_first:
            check_header(raw)
        _check_weights(raw, file_bytes)
    except UnreadableError as error:
        raise _refusal(path, str(error), DOWNLOAD_AGAIN) from None
    except OSError as error:
        raise _refusal(path, f"it cannot be read ({error.strerror})") from None
    return raw


def _check_weights(raw: RawGguf, file_bytes: int) -> None:
    # the first of several parts may hold the metadata alone
    if not raw.tensors and raw.metadata.get("split.count", 0) in (0, 1):
        raise UnreadableError("it holds a vocabulary or metadata only, no weights")
    check_tensors(raw, file_bytes)
    check_tensor_types(raw)


def _check_start(path: Path, start: bytes, file_bytes: int) -> None:
    if not file_bytes:
        raise _refusal(path, "it is empty", DOWNLOAD_AGAIN)
    for magic, reason in WRONG_STARTS:
        if start.lstrip().startswith(magic):
            raise _refusal(path, f"it is not a GGUF file: {reason}")
    if not start.startswith(b"GGUF"):
        if path.suffix == ".safetensors" or SAFETENSORS.match(start):
            raise _refusal(path, "it is a safetensors file, not a GGUF file", CONVERT)
        raise _refusal(path, "it is not a GGUF file (it does not start with 'GGUF')")
    if file_bytes < MIN_FILE_BYTES:
        raise _refusal(path, "it is truncated inside its header", DOWNLOAD_AGAIN)


def _describe(shards: Sequence[Path], raw: RawGguf, parts: Sequence[RawGguf]) -> GgufHeader:
    """Condense a checked header, leaving the long arrays behind."""
    metadata, arch = raw.metadata, raw.metadata["general.architecture"]
    n_layer, n_embd = metadata[f"{arch}.block_count"], metadata[f"{arch}.embedding_length"]
    heads = per_layer(raw, f"{arch}.attention.head_count", n_layer)
    kv_key = f"{arch}.attention.head_count_kv"
    head_dim = n_embd // max(heads) if max(heads) else 0
    tensors = [tensor for part in parts for tensor in part.tensors]
    return GgufHeader(
        path=str(shards[0]),
        shards=tuple(map(str, shards)),
        architecture=arch,
        name=str(metadata.get("general.name", shards[0].stem)),
        quantization=_commonest_type(parts),
        metadata={
            key: value for key, value in map(_shorten, metadata.items()) if value is not None
        },
        tensor_bytes=sum(tensor.n_bytes for tensor in tensors),
        n_tensors=len(tensors),
        n_layer=n_layer,
        n_embd=n_embd,
        n_head=max(heads),
        n_head_kv=per_layer(raw, kv_key, n_layer) if kv_key in metadata else heads,
        key_length=metadata.get(f"{arch}.attention.key_length", head_dim),
        value_length=metadata.get(f"{arch}.attention.value_length", head_dim),
        n_ff=max(per_layer(raw, f"{arch}.feed_forward_length", n_layer)),
        n_vocab=len(metadata["tokenizer.ggml.tokens"]),
        n_ctx_train=metadata[f"{arch}.context_length"],
        is_causal=bool(metadata.get(f"{arch}.attention.causal", arch not in ENCODERS)),
        has_pooling=metadata.get(f"{arch}.pooling_type", 0) != 0,
        chat_template=_text_or_none(metadata.get("tokenizer.chat_template")),
        has_classifier=any(map(_is_classifier, tensors)),
    )


def _is_classifier(tensor: TensorEntry) -> bool:
    """Whether a tensor turns a text into a score, or into a few."""
    is_last_layer = tensor.name == "cls.weight" and tensor.shape[1:] in ((), (1,))
    return is_last_layer or tensor.name == "cls.output.weight"


ENCODERS = frozenset(
    ("bert", "modern-bert", "nomic-bert", "nomic-bert-moe", "neo-bert", "jina-bert-v2",
     "jina-bert-v3", "eurobert", "gemma-embedding", "t5encoder")
)  # fmt: skip


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _shorten(item: tuple[str, Any]) -> tuple[str, Any]:
    """Turn a short array into a tuple and a long one into nothing."""
    key, value = item
    if not isinstance(value, GgufArray):
        return item
    if len(value) > 1024:
        return key, None
    return key, tuple(_plain(entry) for entry in value.items)


def _plain(entry: Any) -> Any:
    return entry.decode(errors="replace") if isinstance(entry, bytes) else entry.item()


def _commonest_type(parts: Sequence[RawGguf]) -> str:
    """Name the tensor type that holds most of the bytes."""
    bytes_by_type: dict[str, int] = {}
    for part in parts:
        for tensor in part.tensors:
            name = TENSOR_TYPES[tensor.type_number][0]
            bytes_by_type[name] = bytes_by_type.get(name, 0) + tensor.n_bytes
    return max(bytes_by_type, key=lambda name: bytes_by_type[name])
