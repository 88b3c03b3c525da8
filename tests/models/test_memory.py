"""Predictions of memory, and what is chosen when little is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llamanb.errors import InsufficientMemoryError, OptionError
from llamanb.models import memory
from llamanb.models.plan import read_bytes, read_seconds
from llamanb.models.preflight import GgufHeader
from llamanb.settings import ContextSettings

if TYPE_CHECKING:
    from pathlib import Path

MIB, GIB = 1 << 20, 1 << 30
QWEN3_0_6B = GgufHeader(
    path="qwen3.gguf",
    shards=("qwen3.gguf",),
    architecture="qwen3",
    name="qwen3",
    quantization="Q4_0",
    metadata={},
    tensor_bytes=400 * MIB,
    n_tensors=310,
    n_layer=28,
    n_embd=1024,
    n_head=16,
    n_head_kv=(8,) * 28,
    key_length=128,
    value_length=128,
    n_ff=3072,
    n_vocab=151_936,
    n_ctx_train=40_960,
    is_causal=True,
    has_pooling=False,
    chat_template=None,
)


def test_cache_of_one_token_is_112_kib() -> None:
    settings = ContextSettings(n_seq_max=1)
    assert memory.kv_bytes(QWEN3_0_6B, 256, settings) == 256 * 112 * 1024


def test_cache_grows_with_sequences_unless_unified() -> None:
    one = memory.kv_bytes(QWEN3_0_6B, 1024, ContextSettings(n_seq_max=1))
    assert memory.kv_bytes(QWEN3_0_6B, 1024, ContextSettings(n_seq_max=4)) == 4 * one
    unified = ContextSettings(n_seq_max=4, kv_unified=True)
    assert memory.kv_bytes(QWEN3_0_6B, 1024, unified) == one


def test_quantized_cache_is_smaller() -> None:
    small = ContextSettings(type_k="q8_0", type_v="q4_0")
    full = memory.kv_bytes(QWEN3_0_6B, 1024, ContextSettings())
    assert memory.kv_bytes(QWEN3_0_6B, 1024, small) == int(full * (34 + 18) / 128)


def test_defaults_when_memory_is_plenty() -> None:
    chosen = memory.choose_context(QWEN3_0_6B, ContextSettings(), 64 * GIB, n_seq_is_given=False)
    assert (chosen.n_ctx, chosen.n_seq_max) == (4096, 4)


@pytest.mark.parametrize(
    ("allowed", "n_ctx", "n_seq_max"),
    [
        pytest.param(4 * GIB, 4096, 2, id="fewer sequences first"),
        pytest.param(2 * GIB, 4096, 1, id="then one"),
        pytest.param(1 * GIB, 2048, 1, id="then a shorter context"),
    ],
)
def test_little_memory_costs_sequences_before_context(
    allowed: int, n_ctx: int, n_seq_max: int
) -> None:
    chosen = memory.choose_context(QWEN3_0_6B, ContextSettings(), allowed, n_seq_is_given=False)
    assert (chosen.n_ctx, chosen.n_seq_max) == (n_ctx, n_seq_max)
    assert memory.kv_bytes(QWEN3_0_6B, n_ctx, chosen) <= allowed / 4


def test_what_the_user_gave_is_kept() -> None:
    asked = ContextSettings(n_ctx=8192, n_seq_max=8)
    assert memory.choose_context(QWEN3_0_6B, asked, GIB, n_seq_is_given=True) == asked


def test_refusal_names_a_context_that_fits() -> None:
    asked = ContextSettings(n_ctx=32_768, n_seq_max=1)
    with pytest.raises(InsufficientMemoryError) as caught:
        memory.check_fits(QWEN3_0_6B, asked, 2 * GIB, weights_resident=False)
    largest = caught.value.largest_n_ctx
    smaller = ContextSettings(n_ctx=largest, n_seq_max=1)
    budget = memory.check_fits(QWEN3_0_6B, smaller, 2 * GIB, weights_resident=False)
    assert budget.needed <= 2 * GIB
    assert f"{largest:,}" in str(caught.value)
    larger = ContextSettings(n_ctx=largest + 256, n_seq_max=1)
    with pytest.raises(InsufficientMemoryError):
        memory.check_fits(QWEN3_0_6B, larger, 2 * GIB, weights_resident=False)


def test_numbers_of_this_machine_are_plausible() -> None:
    assert 0 < memory.available_bytes() <= memory.total_bytes()


def test_container_limit_counts_without_reclaimable_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text(f"{GIB}\n")
    (tmp_path / "memory.current").write_text(f"{700 * MIB}\n")
    (tmp_path / "memory.stat").write_text(f"anon 1\ninactive_file {200 * MIB}\n")
    assert memory.available_bytes() <= int((GIB - 500 * MIB) * 0.8)
    assert memory.total_bytes() == GIB


def test_old_container_limit_is_read_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    folder = tmp_path / "memory"
    folder.mkdir()
    (folder / "memory.limit_in_bytes").write_text(f"{GIB}")
    (folder / "memory.usage_in_bytes").write_text(f"{GIB // 2}")
    (folder / "memory.stat").write_text("total_inactive_file 0\n")
    assert memory.available_bytes() == int(GIB / 2 * 0.8)


def test_no_limit_means_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.total_bytes() > 64 * MIB


@pytest.mark.parametrize(
    ("text", "count"),
    [
        pytest.param(1000, 1000, id="bytes"),
        pytest.param("8GiB", 8 * GIB, id="GiB"),
        pytest.param("1.5 G", 3 * GIB // 2, id="G"),
        pytest.param("80%", 800, id="share"),
    ],
)
def test_sizes_are_read(text: float | str, count: int) -> None:
    assert read_bytes("max_memory", text, 1000) == count


def test_times_are_read() -> None:
    assert [read_seconds("ttl", value) for value in (None, 5, "90s", "5m", "1.5h")] == [
        None,
        5.0,
        90.0,
        300.0,
        5400.0,
    ]
    with pytest.raises(OptionError):
        read_seconds("ttl", True)


def test_sizes_are_readable() -> None:
    assert [memory.readable_bytes(n) for n in (12, 2048, 3 * GIB)] == ["12 B", "2.0 KiB", "3.0 GiB"]
