"""Random-weight GGUF models, written on the spot and kept in a cache.

``model_path("tiny")`` gives a file that llama.cpp loads; the same name always
gives the same bytes. Nothing is downloaded except, for the 0.6B shape, the
vocabulary in the llama-cpp-python sdist.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import gguf
import numpy as np
from gguf import GGMLQuantizationType

from tests.support import sdist
from tests.support.architectures import Shape, Tensor, tensors, write_metadata
from tests.support.cache import cache_dir
from tests.support.vocabularies import (
    Vocabulary,
    byte_bpe,
    from_file,
    qwen3,
    sentencepiece,
    wordpiece,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["REAL_VOCABULARIES", "RECIPES", "TINY", "Recipe", "model_path", "write_model"]

Array = np.ndarray[Any, Any]
FORMAT_VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one model is made.

    32-bit weights keep the arithmetic of a batch of one and of many as close as
    it can be, so that greedy texts compare. ``weights="q4_0"`` writes random Q4_0 blocks (Q6_K for the embedding), as
    ``llama-quantize`` would lay them out, without making the floats first.
    """

    shape: Shape
    vocabulary: Callable[[], Vocabulary]
    weights: Literal["f32", "q4_0"] = "f32"
    seed: int = 1
    logit_deviation: float = field(default=4.0)


def _qwen3_vocabulary() -> Vocabulary:
    template = sdist.templates_dir() / "Qwen-Qwen3-0.6B.jinja"
    return qwen3(sdist.vocab_dir() / "ggml-vocab-qwen2.gguf", template.read_text("utf-8"))


def _real_vocabulary(vocabulary: str, template: str) -> Vocabulary:
    text = (sdist.templates_dir() / f"{template}.jinja").read_text("utf-8")
    return from_file(sdist.vocab_dir() / f"ggml-vocab-{vocabulary}.gguf", text)


def _reranking() -> Vocabulary:
    template = "<|im_start|>user\n<Query>: {query}\n<Document>: {document}<|im_end|>\n"
    return replace(byte_bpe(), rerank_template=template)


def _readable() -> Vocabulary:
    return byte_bpe(readable=True)


_TINY_SIZES: dict[str, Any] = {
    "n_embd": 128,
    "n_layer": 4,
    "n_ff": 384,
    "n_head": 4,
    "n_head_kv": 2,
}
_SLIM = Shape(architecture="qwen3", **_TINY_SIZES | {"n_embd": 256, "n_layer": 1}, tied=True)
RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "tiny": Recipe(shape=Shape(architecture="qwen3", **_TINY_SIZES), vocabulary=byte_bpe),
        "tiny-readable": Recipe(
            shape=Shape(architecture="qwen3", **_TINY_SIZES), vocabulary=_readable
        ),
        "tiny-llama": Recipe(
            shape=Shape(architecture="llama", **_TINY_SIZES), vocabulary=sentencepiece
        ),
        "tiny-swa": Recipe(
            shape=Shape(architecture="gemma3", **_TINY_SIZES | {"n_layer": 6}, window=64),
            vocabulary=sentencepiece,
        ),
        "tiny-recurrent": Recipe(
            shape=Shape(architecture="mamba", n_embd=128, n_layer=3), vocabulary=byte_bpe
        ),
        "tiny-embedding": Recipe(
            shape=Shape(architecture="bert", **_TINY_SIZES | {"n_layer": 2, "n_ctx": 512}),
            vocabulary=wordpiece,
        ),
        "reranker": Recipe(
            shape=Shape(
                architecture="bert", **_TINY_SIZES | {"n_layer": 2, "n_ctx": 512}, classes=1
            ),
            vocabulary=wordpiece,
        ),
        "reranker-causal": Recipe(
            shape=Shape(architecture="qwen3", **_TINY_SIZES, classes=2), vocabulary=_reranking
        ),
        "slow": Recipe(
            shape=Shape(
                architecture="qwen3",
                n_embd=768,
                n_layer=16,
                n_ff=2560,
                n_head=8,
                n_head_kv=4,
                head_dim=96,
                n_ctx=32_768,
            ),
            vocabulary=_readable,
            weights="q4_0",
        ),
        "vocabulary-qwen3": Recipe(
            shape=_SLIM, vocabulary=_qwen3_vocabulary, weights="q4_0", logit_deviation=1.0
        ),
        "vocabulary-llama-3": Recipe(
            shape=_SLIM,
            vocabulary=partial(_real_vocabulary, "llama-bpe", "meta-llama-Llama-3.1-8B-Instruct"),
            weights="q4_0",
            logit_deviation=1.0,
        ),
        "vocabulary-gemma-4": Recipe(
            shape=_SLIM,
            vocabulary=partial(_real_vocabulary, "gemma-4", "google-gemma-4-31B-it"),
            weights="q4_0",
            logit_deviation=1.0,
        ),
        "qwen3-0.6b-q4_0": Recipe(
            shape=Shape(
                architecture="qwen3",
                n_embd=1024,
                n_layer=28,
                n_ff=3072,
                n_head=16,
                n_head_kv=8,
                head_dim=128,
                n_ctx=40_960,
                tied=True,
            ),
            vocabulary=_qwen3_vocabulary,
            weights="q4_0",
        ),
    }
)
REAL_VOCABULARIES = tuple(name for name in RECIPES if name.startswith("vocabulary-"))
TINY = tuple(name for name in RECIPES if name.startswith("tiny"))


def model_path(name: str) -> Path:
    """Give the cached file of ``RECIPES[name]``, writing it first if need be."""
    target = cache_dir() / "models" / f"random-{name}-v{FORMAT_VERSION}.gguf"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(f".{os.getpid()}.part")
        write_model(part, RECIPES[name], name=f"llamanb random {name}")
        part.replace(target)
    return target


def write_model(path: Path, recipe: Recipe, *, name: str) -> None:
    """Write one random-weight model to ``path``."""
    vocabulary = recipe.vocabulary()
    writer = gguf.GGUFWriter(path, recipe.shape.architecture)
    writer.add_name(name)
    writer.add_file_type(2 if recipe.weights == "q4_0" else 0)
    write_metadata(writer, recipe.shape)
    _write_vocabulary(writer, vocabulary)
    random = np.random.default_rng(recipe.seed)
    for tensor in tensors(recipe.shape, len(vocabulary.tokens)):
        _add(writer, tensor, recipe, vocabulary, random)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_vocabulary(writer: gguf.GGUFWriter, vocabulary: Vocabulary) -> None:
    writer.add_vocab_size(len(vocabulary.tokens))
    writer.add_tokenizer_model(vocabulary.model)
    writer.add_token_list(list(vocabulary.tokens))
    writer.add_token_types(list(vocabulary.types))
    if vocabulary.pre:
        writer.add_tokenizer_pre(vocabulary.pre)
    if vocabulary.merges:
        writer.add_token_merges(list(vocabulary.merges))
    if vocabulary.scores:
        writer.add_token_scores(list(vocabulary.scores))
    _write_specials(writer, vocabulary)
    if vocabulary.model != "bert":
        writer.add_add_bos_token(vocabulary.add_bos)
    if vocabulary.chat_template:
        writer.add_chat_template(vocabulary.chat_template)
    if vocabulary.rerank_template:
        writer.add_string("tokenizer.chat_template.rerank", vocabulary.rerank_template)


def _write_specials(writer: gguf.GGUFWriter, vocabulary: Vocabulary) -> None:
    adders = {
        writer.add_bos_token_id: vocabulary.bos,
        writer.add_eos_token_id: vocabulary.eos,
        writer.add_pad_token_id: vocabulary.pad,
        writer.add_unk_token_id: vocabulary.unknown,
        writer.add_sep_token_id: vocabulary.separator,
        writer.add_mask_token_id: vocabulary.mask,
    }
    for add, token in adders.items():
        if token is not None:
            add(token)


def _add(
    writer: gguf.GGUFWriter,
    tensor: Tensor,
    recipe: Recipe,
    vocabulary: Vocabulary,
    random: np.random.Generator,
) -> None:
    if recipe.weights == "q4_0" and tensor.kind == "matrix":
        writer.add_tensor(
            tensor.name, _q4_0_blocks(tensor.shape, random), raw_dtype=GGMLQuantizationType.Q4_0
        )
    elif recipe.weights == "q4_0" and tensor.kind == "embedding":
        writer.add_tensor(
            tensor.name, _q6_k_blocks(tensor.shape, random), raw_dtype=GGMLQuantizationType.Q6_K
        )
    else:
        writer.add_tensor(tensor.name, _drawn(tensor, recipe, vocabulary, random))


def _drawn(
    tensor: Tensor, recipe: Recipe, vocabulary: Vocabulary, random: np.random.Generator
) -> Array:
    match tensor.kind:
        case "embedding":
            return random.standard_normal(tensor.shape, np.float32)
        case "output":
            return _output(tensor, recipe, vocabulary, random)
        case "matrix":
            return _matrix(tensor, random)
        case "decay":
            return np.tile(
                -np.arange(1.0, 1 + tensor.shape[1], dtype=np.float32), (tensor.shape[0], 1)
            )
        case "ones" | "zeros" | "time_step":
            value = {"ones": 1.0, "zeros": 0.0, "time_step": -3.0}[tensor.kind]
            return np.full(tensor.shape, value, np.float32)


def _matrix(tensor: Tensor, random: np.random.Generator) -> Array:
    drawn = random.standard_normal(tensor.shape, np.float32)
    drawn *= np.float32(tensor.shape[1] ** -0.5)
    return drawn


def _output(
    tensor: Tensor, recipe: Recipe, vocabulary: Vocabulary, random: np.random.Generator
) -> Array:
    """Draw the output rows; a silent token's logit is always 0, far below the best."""
    drawn = random.standard_normal(tensor.shape, np.float32)
    drawn *= np.float32(recipe.logit_deviation * tensor.shape[1] ** -0.5)
    drawn[sorted(vocabulary.silent)] = 0.0
    return drawn


def _q4_0_blocks(shape: tuple[int, ...], random: np.random.Generator) -> Array:
    """Draw Q4_0 blocks: an f16 scale, then 32 nibbles of mean zero (-7 to 7)."""
    rows, columns = shape
    n_blocks = rows * columns // 32
    blocks = np.empty((n_blocks, 18), np.uint8)
    scale = np.float16(columns**-0.5 / 4.2)
    blocks[:, :2] = np.frombuffer(scale.tobytes(), np.uint8)
    nibbles = np.where(np.arange(16) == 0, 8, np.arange(16)).astype(np.uint8)
    pairs = (nibbles[:, None] << 4 | nibbles[None, :]).astype(np.uint8).ravel()
    blocks[:, 2:] = pairs[np.frombuffer(random.bytes(n_blocks * 16), np.uint8)].reshape(-1, 16)
    return blocks.reshape(rows, -1)


def _q6_k_blocks(shape: tuple[int, ...], random: np.random.Generator) -> Array:
    """Draw Q6_K blocks: 192 bytes of quants, 16 signed scales, an f16 scale."""
    rows, columns = shape
    n_blocks = rows * columns // 256
    blocks = np.empty((n_blocks, 210), np.uint8)
    blocks[:, :192] = np.frombuffer(random.bytes(n_blocks * 192), np.uint8).reshape(-1, 192)
    signs = np.frombuffer(random.bytes(n_blocks * 16), np.uint8).reshape(-1, 16) & 1
    blocks[:, 192:208] = np.where(signs, np.int8(1), np.int8(-1)).view(np.uint8)
    blocks[:, 208:] = np.frombuffer(np.float16(0.02 / 18).tobytes(), np.uint8)
    return blocks.reshape(rows, -1)
