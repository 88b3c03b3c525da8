"""Which metadata and tensors each architecture needs, for random-weight models.

A tensor is named with its shape in numpy order (rows, columns) and a kind that
says how its numbers are drawn. Source: llama.cpp ``src/models/<name>.cpp``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    import gguf

__all__ = ["Shape", "Tensor", "tensors", "write_metadata"]

Kind = Literal["matrix", "embedding", "output", "ones", "zeros", "decay", "time_step"]
Architecture = Literal["qwen3", "llama", "gemma3", "mamba", "bert"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes of one model; ``n_ctx`` is what it claims to be trained on, in tokens.

    With ``classes`` it has the classifier head of a reranker, with as many outputs.
    """

    architecture: Architecture
    n_embd: int
    n_layer: int
    n_ff: int = 0
    n_head: int = 1
    n_head_kv: int = 1
    head_dim: int = 32
    n_ctx: int = 4096
    window: int = 0
    tied: bool = False
    classes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One tensor to write."""

    name: str
    shape: tuple[int, ...]
    kind: Kind = "matrix"


def write_metadata(writer: gguf.GGUFWriter, shape: Shape) -> None:
    """Add the architecture's hyperparameters to ``writer``."""
    writer.add_block_count(shape.n_layer)
    writer.add_context_length(shape.n_ctx)
    writer.add_embedding_length(shape.n_embd)
    writer.add_feed_forward_length(shape.n_ff)
    writer.add_head_count(shape.n_head)
    if shape.architecture == "bert":
        _write_bert(writer, shape)
    elif shape.architecture == "mamba":
        _write_mamba(writer, shape)
    else:
        _write_attention(writer, shape)
    if shape.classes:
        _write_classes(writer, shape)


def tensors(shape: Shape, n_vocab: int) -> Iterator[Tensor]:
    """Give every tensor of the model."""
    yield Tensor(name="token_embd.weight", shape=(n_vocab, shape.n_embd), kind="embedding")
    if shape.architecture == "bert":
        yield from _bert_input(shape)
    else:
        yield Tensor(name="output_norm.weight", shape=(shape.n_embd,), kind="ones")
    if not shape.tied and shape.architecture != "bert":
        yield Tensor(name="output.weight", shape=(n_vocab, shape.n_embd), kind="output")
    layer = {"mamba": _mamba_layer, "bert": _bert_layer}.get(shape.architecture, _attention_layer)
    for index in range(shape.n_layer):
        yield from layer(shape, f"blk.{index}.")
    if shape.classes:
        yield from _classifier(shape)


def _write_attention(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_head_count_kv(shape.n_head_kv)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_rope_freq_base(1e6)
    writer.add_layer_norm_rms_eps(1e-6)
    if shape.architecture == "llama":
        writer.add_rope_dimension_count(shape.head_dim)
    if shape.window:
        writer.add_sliding_window(shape.window)


def _write_mamba(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_ssm_conv_kernel(4)
    writer.add_ssm_inner_size(2 * shape.n_embd)
    writer.add_ssm_state_size(16)
    writer.add_ssm_time_step_rank(shape.n_embd // 16)
    writer.add_layer_norm_rms_eps(1e-5)


def _write_bert(writer: gguf.GGUFWriter, shape: Shape) -> None:
    from gguf import PoolingType

    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    if not shape.classes:
        writer.add_pooling_type(PoolingType.MEAN)
    writer.add_token_type_count(2)


def _write_classes(writer: gguf.GGUFWriter, shape: Shape) -> None:
    from gguf import PoolingType

    writer.add_pooling_type(PoolingType.RANK)
    if shape.classes > 1:
        labels = [f"class {number}" for number in range(shape.classes)]
        writer.add_array(f"{shape.architecture}.classifier.output_labels", labels)


def _attention_layer(shape: Shape, prefix: str) -> Iterator[Tensor]:
    heads, kv = shape.n_head * shape.head_dim, shape.n_head_kv * shape.head_dim
    norms = {"attn_norm": shape.n_embd, "ffn_norm": shape.n_embd}
    if shape.architecture != "llama":
        norms |= {"attn_q_norm": shape.head_dim, "attn_k_norm": shape.head_dim}
    if shape.architecture == "gemma3":
        norms |= {"post_attention_norm": shape.n_embd, "post_ffw_norm": shape.n_embd}
    for name, size in norms.items():
        yield Tensor(name=f"{prefix}{name}.weight", shape=(size,), kind="ones")
    matrices = {
        "attn_q": (heads, shape.n_embd),
        "attn_k": (kv, shape.n_embd),
        "attn_v": (kv, shape.n_embd),
        "attn_output": (shape.n_embd, heads),
        "ffn_gate": (shape.n_ff, shape.n_embd),
        "ffn_up": (shape.n_ff, shape.n_embd),
        "ffn_down": (shape.n_embd, shape.n_ff),
    }
    for name, size_2d in matrices.items():
        yield Tensor(name=f"{prefix}{name}.weight", shape=size_2d)


def _mamba_layer(shape: Shape, prefix: str) -> Iterator[Tensor]:
    inner, rank, state = 2 * shape.n_embd, shape.n_embd // 16, 16
    yield Tensor(name=f"{prefix}attn_norm.weight", shape=(shape.n_embd,), kind="ones")
    yield Tensor(name=f"{prefix}ssm_in.weight", shape=(2 * inner, shape.n_embd))
    yield Tensor(name=f"{prefix}ssm_conv1d.weight", shape=(inner, 4))
    yield Tensor(name=f"{prefix}ssm_conv1d.bias", shape=(inner,), kind="zeros")
    yield Tensor(name=f"{prefix}ssm_x.weight", shape=(rank + 2 * state, inner))
    yield Tensor(name=f"{prefix}ssm_dt.weight", shape=(inner, rank))
    yield Tensor(name=f"{prefix}ssm_dt.bias", shape=(inner,), kind="time_step")
    yield Tensor(name=f"{prefix}ssm_a", shape=(inner, state), kind="decay")
    yield Tensor(name=f"{prefix}ssm_d", shape=(inner,), kind="ones")
    yield Tensor(name=f"{prefix}ssm_out.weight", shape=(shape.n_embd, inner))


def _bert_input(shape: Shape) -> Iterator[Tensor]:
    size = shape.n_embd
    yield Tensor(name="token_types.weight", shape=(2, size), kind="embedding")
    yield Tensor(name="position_embd.weight", shape=(shape.n_ctx, size), kind="embedding")
    yield Tensor(name="token_embd_norm.weight", shape=(size,), kind="ones")
    yield Tensor(name="token_embd_norm.bias", shape=(size,), kind="zeros")


def _bert_layer(shape: Shape, prefix: str) -> Iterator[Tensor]:
    size = shape.n_embd
    for name in ("attn_output_norm", "layer_output_norm"):
        yield Tensor(name=f"{prefix}{name}.weight", shape=(size,), kind="ones")
        yield Tensor(name=f"{prefix}{name}.bias", shape=(size,), kind="zeros")
    rows = {"attn_q": size, "attn_k": size, "attn_v": size, "attn_output": size}
    rows |= {"ffn_up": shape.n_ff, "ffn_down": size}
    for name, n_rows in rows.items():
        columns = shape.n_ff if name == "ffn_down" else size
        yield Tensor(name=f"{prefix}{name}.weight", shape=(n_rows, columns))
        yield Tensor(name=f"{prefix}{name}.bias", shape=(n_rows,), kind="zeros")


def _classifier(shape: Shape) -> Iterator[Tensor]:
    if shape.architecture == "bert":
        yield Tensor(name="cls.weight", shape=(shape.n_embd, shape.n_embd))
        yield Tensor(name="cls.bias", shape=(shape.n_embd,), kind="zeros")
    yield Tensor(name="cls.output.weight", shape=(shape.classes, shape.n_embd))
    if shape.architecture == "bert":
        yield Tensor(name="cls.output.bias", shape=(shape.classes,), kind="zeros")
