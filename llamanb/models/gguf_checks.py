"""What a GGUF header must satisfy so that llama.cpp does not abort on it.

llama.cpp checks most of a file itself and refuses politely; the rules here are
those it enforces with ``GGML_ASSERT``, an uncaught exception or not at all
(src/llama-model.cpp: load_hparams, src/llama-vocab.cpp: impl::load).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from llamanb.models.gguf_file import TENSOR_TYPES, GgufArray, UnreadableError

if TYPE_CHECKING:
    from llamanb.models.gguf_file import RawGguf

__all__ = ["check_header", "check_tensor_types", "check_tensors", "per_layer"]

MAX_SHARDS = 65_535
MAX_LAYERS = 512
MAX_EXPERTS = 1024
MAX_WIDTH = 1 << 22
MAX_HEAD_DIM = 65_536
MAX_CONTEXT = 1 << 31
MAX_TOKENS = 4_000_000
MIN_TOKENS = 16
MAX_TEMPLATE_BYTES = 256 << 10
ROPE_SCALINGS = ("none", "linear", "yarn", "longrope")
BYTE_TOKENS = frozenset(b"<0x%02X>" % byte for byte in range(256))
# ids that llama.cpp uses when the file does not name them (src/llama-vocab.cpp)
DEFAULT_IDS = {
    "llama": {"bos": 1, "eos": 2, "unknown": 0},
    "bert": {"bos": 101, "unknown": 100, "seperator": 102, "mask": 103},
    "gpt2": {"bos": 11, "eos": 11},
    "t5": {"eos": 1, "unknown": 2},
    "plamo2": {"bos": 1, "eos": 2, "padding": 3},
}


def check_header(raw: RawGguf) -> None:
    """Check what a language model's own keys, vocabulary and tensors say.

    Raises
    ------
    UnreadableError
        With the first thing that is wrong.
    """
    architecture = _check_kind_of_file(raw)
    _check_sizes(raw, architecture)
    _check_heads(raw, architecture)
    _check_experts(raw, architecture)
    _check_rope(raw, architecture)
    _check_epsilons(raw, architecture)
    _check_vocabulary(raw)
    _check_templates(raw)


def check_tensors(raw: RawGguf, file_bytes: int) -> None:
    """Check that the tensors lie in a row, aligned, inside the file."""
    names = {tensor.name for tensor in raw.tensors}
    if len(names) != len(raw.tensors):
        raise UnreadableError("two of its tensors have the same name")
    expected = 0
    for tensor in raw.tensors:
        if tensor.offset != expected:
            raise UnreadableError(f"tensor {tensor.name!r} is not where the one before it ends")
        end = raw.data_offset + tensor.offset + tensor.n_bytes
        if end > file_bytes:
            raise UnreadableError(_truncated(raw, file_bytes))
        expected += -(-tensor.n_bytes // raw.alignment) * raw.alignment


def check_tensor_types(raw: RawGguf) -> None:
    """Check the tensors that llama.cpp adds to 32-bit activations as they are.

    ``ggml_add`` of 32-bit and 16-bit numbers aborts on a CPU, where the input layer
    always runs (ggml/src/ggml-cpu/binary-ops.cpp: "unsupported types").
    """
    for tensor in raw.tensors:
        if tensor.name == "token_types.weight" and TENSOR_TYPES[tensor.type_number][0] != "F32":
            kind = TENSOR_TYPES[tensor.type_number][0]
            raise UnreadableError(f"tensor {tensor.name!r} is {kind}; llama.cpp needs it as F32")


def _truncated(raw: RawGguf, file_bytes: int) -> str:
    whole = raw.data_offset + sum(tensor.n_bytes for tensor in raw.tensors)
    return f"it is truncated: {file_bytes:,} bytes are there, at least {whole:,} should be"


def _check_kind_of_file(raw: RawGguf) -> str:
    architecture = raw.metadata.get("general.architecture")
    if not isinstance(architecture, str) or not architecture:
        raise UnreadableError("it does not say its architecture (general.architecture)")
    _whole(raw, "split.count", 0, MAX_SHARDS)
    _whole(raw, "split.no", 0, MAX_SHARDS)
    if architecture == "clip" or raw.metadata.get("general.type") == "mmproj":
        raise UnreadableError("it is a multimodal projector (mmproj), not a language model")
    if raw.metadata.get("general.type") == "adapter":
        raise UnreadableError("it is a LoRA adapter, not a language model")
    return architecture


def _whole(raw: RawGguf, key: str, low: int, high: int, *, required: bool = False) -> int:
    """Give the whole number under ``key``; 0 if it is absent and not required."""
    if key not in raw.metadata:
        if required:
            raise UnreadableError(f"{key} is missing")
        return 0
    value = raw.metadata[key]
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise UnreadableError(
            f"{key}={_shown(value)}; it must be a whole number from {low} to {high}"
        )
    return value


def _check_real(raw: RawGguf, key: str, low: float, high: float) -> None:
    value = raw.metadata.get(key, low)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise UnreadableError(
            f"{key}={_shown(value)}; it must be a number from {low:g} to {high:g}"
        )


def _shown(value: Any) -> str:
    return f"<{value.kind}>" if isinstance(value, GgufArray) else repr(value)[:80]


def per_layer(raw: RawGguf, key: str, n_layer: int, default: int = 0) -> tuple[int, ...]:
    """Give a value that may be one number for all layers or one for each.

    Raises
    ------
    UnreadableError
        If it is neither, or an array of another length than ``n_layer``.
    """
    value = raw.metadata.get(key, default)
    if isinstance(value, GgufArray):
        if not _is_whole(value) or len(value) < n_layer:
            raise UnreadableError(f"{key} is not a list of {n_layer} whole numbers")
        return tuple(int(number) for number in value.items[:n_layer])
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnreadableError(f"{key}={value!r} is not a whole number")
    return (value,) * n_layer


def _is_whole(array: GgufArray) -> bool:
    return isinstance(array.items, np.ndarray) and array.items.dtype.kind in "iu"


def _check_sizes(raw: RawGguf, arch: str) -> None:
    n_layer = _whole(raw, f"{arch}.block_count", 1, MAX_LAYERS, required=True)
    _whole(raw, f"{arch}.context_length", 1, MAX_CONTEXT, required=True)
    _whole(raw, f"{arch}.embedding_length", 1, MAX_WIDTH, required=True)
    _whole(raw, f"{arch}.vocab_size", 1, MAX_TOKENS)
    _whole(raw, f"{arch}.nextn_predict_layers", 0, n_layer)
    _whole(raw, f"{arch}.leading_dense_block_count", 0, n_layer)
    _whole(raw, f"{arch}.attention.sliding_window", 0, MAX_CONTEXT)
    _whole(raw, f"{arch}.pooling_type", 0, 4)
    for width in per_layer(raw, f"{arch}.feed_forward_length", n_layer):
        _in_range(f"{arch}.feed_forward_length", width, 0, MAX_WIDTH)


def _in_range(key: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise UnreadableError(f"{key}={value} is impossible; it must be from {low} to {high}")


def _check_heads(raw: RawGguf, arch: str) -> None:
    n_layer = raw.metadata[f"{arch}.block_count"]
    heads = per_layer(raw, f"{arch}.attention.head_count", n_layer)
    key = f"{arch}.attention.head_count_kv"
    kv_heads = per_layer(raw, key, n_layer) if key in raw.metadata else heads
    for n_head, n_head_kv in zip(heads, kv_heads, strict=True):
        _in_range(f"{arch}.attention.head_count", n_head, 0, MAX_HEAD_DIM)
        _in_range(key, n_head_kv, 0, MAX_HEAD_DIM)
        if n_head and n_head_kv and n_head % n_head_kv:
            raise UnreadableError(
                f"{n_head} attention heads cannot share {n_head_kv} key-value heads"
            )
    for part in ("key", "value"):
        _whole(raw, f"{arch}.attention.{part}_length", 1, MAX_HEAD_DIM)
    n_embd = raw.metadata[f"{arch}.embedding_length"]
    if heads[0] > n_embd:
        raise UnreadableError(f"{heads[0]} attention heads do not fit a width of {n_embd}")


def _check_experts(raw: RawGguf, arch: str) -> None:
    n_layer = raw.metadata[f"{arch}.block_count"]
    experts = _whole(raw, f"{arch}.expert_count", 0, MAX_EXPERTS)
    used = max(per_layer(raw, f"{arch}.expert_used_count", n_layer))
    groups = _whole(raw, f"{arch}.expert_group_count", 0, MAX_EXPERTS)
    groups_used = _whole(raw, f"{arch}.expert_group_used_count", 0, MAX_EXPERTS)
    if used > experts or (experts and used < 1) or min(used, groups) < 0:
        raise UnreadableError(f"it uses {used} of {experts} experts")
    if groups and (groups >= experts or experts % groups):
        raise UnreadableError(f"its {experts} experts do not make {groups} groups")
    if groups > 1 and not 0 < groups_used < groups:
        raise UnreadableError(f"it uses {groups_used} of {groups} groups of experts")


def _check_rope(raw: RawGguf, arch: str) -> None:
    scaling = raw.metadata.get(f"{arch}.rope.scaling.type", "none")
    if scaling not in ROPE_SCALINGS:
        raise UnreadableError(f"{arch}.rope.scaling.type={scaling!r} is unknown")
    _check_real(raw, f"{arch}.rope.freq_base", 1e-6, 1e15)
    _check_real(raw, f"{arch}.rope.scaling.factor", 0, 1e6)
    _whole(raw, f"{arch}.rope.scaling.original_context_length", 1, MAX_CONTEXT)
    rotated = _whole(raw, f"{arch}.rope.dimension_count", 0, MAX_HEAD_DIM)
    head_dim = raw.metadata.get(f"{arch}.attention.key_length", 0)
    if rotated % 2 or (head_dim and rotated > head_dim):
        raise UnreadableError(f"{arch}.rope.dimension_count={rotated} does not fit the heads")


def _check_epsilons(raw: RawGguf, arch: str) -> None:
    for key in raw.metadata:
        if key.startswith(f"{arch}.") and key.endswith("_epsilon"):
            _check_real(raw, key, 1e-30, 1.0)


def _check_vocabulary(raw: RawGguf) -> None:
    model = raw.metadata.get("tokenizer.ggml.model")
    tokens = raw.metadata.get("tokenizer.ggml.tokens")
    if not isinstance(model, str) or not isinstance(tokens, GgufArray):
        raise UnreadableError("it has no vocabulary (tokenizer.ggml.model and .tokens)")
    if tokens.kind != "string[]" or not MIN_TOKENS <= len(tokens) <= MAX_TOKENS:
        raise UnreadableError(f"its vocabulary of {len(tokens)} {tokens.kind} is impossible")
    _check_token_texts(model, [bytes(token) for token in tokens.items])
    _check_array(raw, "tokenizer.ggml.scores", ("float32[]", "int32[]"), len(tokens))
    _check_array(raw, "tokenizer.ggml.token_type", ("int32[]",), len(tokens))
    _check_array(raw, "tokenizer.ggml.merges", ("string[]",), 0)
    _check_special_ids(raw, model, len(tokens))
    _check_charsmap(raw)


def _check_token_texts(model: str, tokens: list[bytes]) -> None:
    unique = set(tokens)
    if len(unique) != len(tokens):
        raise UnreadableError("its vocabulary has the same token twice")
    try:
        b"\n".join(tokens).decode()
    except UnicodeDecodeError:
        raise UnreadableError("its vocabulary has a token that is not UTF-8 text") from None
    missing = BYTE_TOKENS - unique
    if model in ("llama", "plamo2") and missing:
        raise UnreadableError(f"its vocabulary lacks {len(missing)} of the 256 byte tokens")


def _check_array(raw: RawGguf, key: str, kinds: tuple[str, ...], at_least: int) -> None:
    array = raw.metadata.get(key)
    if array is None:
        return
    if raw.kinds[key] not in kinds or len(array) < at_least:
        raise UnreadableError(
            f"{key} is not a list of {at_least} {kinds[0].removesuffix('[]')} values"
        )


def _check_special_ids(raw: RawGguf, model: str, n_tokens: int) -> None:
    for name, default in DEFAULT_IDS.get(model, {}).items():
        key = f"tokenizer.ggml.{name}_token_id"
        token = raw.metadata.get(key, default)
        if default >= n_tokens and not (isinstance(token, int) and 0 <= token < n_tokens):
            raise UnreadableError(f"{key}={token!r} is not one of its {n_tokens} tokens")


def _check_charsmap(raw: RawGguf) -> None:
    array = raw.metadata.get("tokenizer.ggml.precompiled_charsmap")
    if not isinstance(array, GgufArray) or not len(array):
        return
    if not isinstance(array.items, np.ndarray) or array.items.dtype.itemsize != 1:
        raise UnreadableError("tokenizer.ggml.precompiled_charsmap is not a list of bytes")
    blob = array.items.tobytes()
    if len(blob) < 4 or 4 + int.from_bytes(blob[:4], "little") >= len(blob):
        raise UnreadableError("tokenizer.ggml.precompiled_charsmap is shorter than it says")


def _check_templates(raw: RawGguf) -> None:
    for key, text in raw.metadata.items():
        if not key.startswith("tokenizer.chat_template"):
            continue
        if isinstance(text, str) and len(text.encode()) > MAX_TEMPLATE_BYTES:
            raise UnreadableError(f"its chat template ({key}) is larger than 256 KiB")
