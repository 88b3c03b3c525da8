"""How weights and contexts are put into memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llamanb.settings.checks import MAX_N_CTX, check_choice, check_int

__all__ = ["KV_TYPES", "ContextSettings", "FlashAttention", "KvType", "Pooling", "WeightSettings"]

KV_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")
KvType = Literal["f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1"]
FlashAttention = Literal["auto", "on", "off"]
Pooling = Literal["none", "mean", "cls", "last", "rank"]
MAX_SEQUENCES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightSettings:
    """How the weights of a model are put into memory (shared by its contexts).

    Names are llama.cpp's. ``n_gpu_layers=-1`` means all of them.
    """

    n_gpu_layers: int = -1
    split_mode: Literal["none", "layer", "row"] = "layer"
    main_gpu: int = 0
    use_mmap: bool = True
    use_mlock: bool = False

    def __post_init__(self) -> None:
        check_int("n_gpu_layers", self.n_gpu_layers, -1, 10_000)
        check_choice("split_mode", self.split_mode, ("none", "layer", "row"))
        check_int("main_gpu", self.main_gpu, 0, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextSettings:
    """How one context over the weights is made.

    ``n_ctx`` counts tokens *per sequence*; ``None`` leaves it to the model and
    the memory guard. ``n_threads=None`` leaves one core to the kernel.
    """

    n_ctx: int | None = None
    n_seq_max: int = 4
    n_threads: int | None = None
    n_threads_batch: int | None = None
    n_batch: int = 2048
    n_ubatch: int = 512
    kv_unified: bool = False
    flash_attn: FlashAttention = "auto"
    type_k: KvType = "f16"
    type_v: KvType = "f16"
    embedding: bool = False
    pooling: Pooling | None = None

    def __post_init__(self) -> None:
        if self.n_ctx is not None:
            check_int("n_ctx", self.n_ctx, 8, MAX_N_CTX)
        check_int("n_seq_max", self.n_seq_max, 1, MAX_SEQUENCES)
        for name in ("n_threads", "n_threads_batch"):
            if getattr(self, name) is not None:
                check_int(name, getattr(self, name), 1, 1024)
        check_int("n_batch", self.n_batch, 8, 65_536)
        check_int("n_ubatch", self.n_ubatch, 8, self.n_batch)
        check_choice("flash_attn", self.flash_attn, ("auto", "on", "off"))
        check_choice("type_k", self.type_k, KV_TYPES)
        check_choice("type_v", self.type_v, KV_TYPES)
        if self.pooling is not None:
            check_choice("pooling", self.pooling, ("none", "mean", "cls", "last", "rank"))
