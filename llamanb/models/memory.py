"""Predict what a model needs, and refuse what would wake the OOM killer."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from llamanb.errors import InsufficientMemoryError

if TYPE_CHECKING:
    from llamanb.models.preflight import GgufHeader
    from llamanb.settings import ContextSettings

__all__ = [
    "MemoryBudget",
    "available_bytes",
    "check_fits",
    "choose_context",
    "context_bytes",
    "kv_bytes",
    "readable_bytes",
    "total_bytes",
]

SAFE_SHARE = 0.8
KV_SHARE = 0.25
DEFAULT_N_CTX = 4096
CONTEXT_STEP = 256  # llama.cpp pads the cells of a sequence to this
BYTES_PER_ELEMENT = {
    "f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32, "q4_1": 20 / 32,
    "iq4_nl": 18 / 32, "q5_0": 22 / 32, "q5_1": 24 / 32,
}  # fmt: skip
CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")
NO_LIMIT = 1 << 60


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBudget:
    """What one model would take, in bytes; ``allowed`` is what it may take."""

    weights: int
    context: int
    allowed: int

    @property
    def needed(self) -> int:
        """Weights, cache and compute buffers together."""
        return self.weights + self.context


def readable_bytes(count: int) -> str:
    """Give a size in the largest fitting binary unit, such as ``1.4 GiB``."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def kv_bytes(header: GgufHeader, n_ctx: int, settings: ContextSettings) -> int:
    """Predict the key-value cache of ``n_seq_max`` sequences of ``n_ctx`` tokens.

    Exact for ordinary attention; an upper bound for models that attend to a
    window or keep a recurrent state.
    """
    width_k = sum(header.n_head_kv) * header.key_length * BYTES_PER_ELEMENT[settings.type_k]
    width_v = sum(header.n_head_kv) * header.value_length * BYTES_PER_ELEMENT[settings.type_v]
    cells = (
        -(-n_ctx // CONTEXT_STEP)
        * CONTEXT_STEP
        * (1 if settings.kv_unified else settings.n_seq_max)
    )
    return int(cells * (width_k + width_v))


def _compute_bytes(header: GgufHeader, n_ctx: int, settings: ContextSettings) -> int:
    """Estimate llama.cpp's buffers for one micro-batch, its logits and its mask."""
    widths = 8 * header.n_embd + 3 * header.n_ff + header.n_vocab
    attention = header.n_head * n_ctx if settings.flash_attn == "off" else n_ctx
    return 4 * settings.n_ubatch * (widths + attention) + 4 * settings.n_seq_max * header.n_vocab


def context_bytes(header: GgufHeader, n_ctx: int, settings: ContextSettings) -> int:
    """Predict the bytes of one context: its cache and its compute buffers."""
    return kv_bytes(header, n_ctx, settings) + _compute_bytes(header, n_ctx, settings)


def choose_context(
    header: GgufHeader, settings: ContextSettings, allowed: int, *, n_seq_is_given: bool
) -> ContextSettings:
    """Fill in ``n_ctx`` and lower ``n_seq_max`` where the user left them open.

    The cache takes at most a quarter of ``allowed`` bytes: sequences are given up
    before context (ENGINE.md, "partitioned KV").
    """
    n_ctx = settings.n_ctx or min(DEFAULT_N_CTX, header.n_ctx_train)
    chosen = replace(settings, n_ctx=max(8, n_ctx))
    while not n_seq_is_given and chosen.n_seq_max > 1 and _is_greedy(header, chosen, allowed):
        chosen = replace(chosen, n_seq_max=chosen.n_seq_max // 2)
    while settings.n_ctx is None and n_ctx > 2 * CONTEXT_STEP:
        if not _is_greedy(header, chosen, allowed):
            break
        n_ctx = n_ctx // 2 // CONTEXT_STEP * CONTEXT_STEP
        chosen = replace(chosen, n_ctx=n_ctx)
    return chosen


def _is_greedy(header: GgufHeader, settings: ContextSettings, allowed: int) -> bool:
    """Whether the cache is more than its share, or all together more than is allowed."""
    n_ctx = settings.n_ctx or 0
    whole = header.tensor_bytes + context_bytes(header, n_ctx, settings)
    return kv_bytes(header, n_ctx, settings) > max(0, allowed) * KV_SHARE or whole > allowed


def check_fits(
    header: GgufHeader, settings: ContextSettings, allowed: int, *, weights_resident: bool
) -> MemoryBudget:
    """Give the prediction, or raise if it is more than ``allowed`` bytes.

    Raises
    ------
    InsufficientMemoryError
        Names the largest ``n_ctx`` that fits.
    """
    n_ctx = settings.n_ctx or DEFAULT_N_CTX
    budget = MemoryBudget(
        weights=0 if weights_resident else header.tensor_bytes,
        context=context_bytes(header, n_ctx, settings),
        allowed=max(0, allowed),
    )
    if budget.needed > budget.allowed:
        raise _too_large(header, settings, budget)
    return budget


def _too_large(
    header: GgufHeader, settings: ContextSettings, budget: MemoryBudget
) -> InsufficientMemoryError:
    largest = _largest_n_ctx(header, settings, budget.allowed - budget.weights)
    if largest:
        advice = f"the largest n_ctx that fits is {largest:,} (with n_seq_max={settings.n_seq_max})"
        if largest > header.n_ctx_train:
            advice += f"; the model was trained on {header.n_ctx_train:,}"
    else:
        advice = "no n_ctx fits; unload other models, or use a smaller file or quantization"
    message = (
        f"{header.path} with n_ctx={settings.n_ctx:,} needs {readable_bytes(budget.needed)}, "
        f"but only {readable_bytes(budget.allowed)} may be used: {advice}."
    )
    return InsufficientMemoryError(
        message,
        needed_bytes=budget.needed,
        available_bytes=budget.allowed,
        largest_n_ctx=largest,
    )


def _largest_n_ctx(header: GgufHeader, settings: ContextSettings, room: int) -> int:
    """Search the largest multiple of 256 whose context takes at most ``room`` bytes."""
    low, high = 0, (settings.n_ctx or DEFAULT_N_CTX) // CONTEXT_STEP
    while low < high:
        middle = (low + high + 1) // 2
        fits = context_bytes(header, middle * CONTEXT_STEP, settings) <= room
        low, high = (middle, high) if fits else (low, middle - 1)
    return low * CONTEXT_STEP


def available_bytes() -> int:
    """Give the bytes that a new model may take now: 80 % of what is free."""
    return int(min(_free_in_machine(), _free_in_cgroup()) * SAFE_SHARE)


def total_bytes() -> int:
    """Give the memory of this machine or container, in bytes."""
    limit = min((limit for limit, _ in _cgroup_levels()), default=NO_LIMIT)
    return min(_meminfo().get("MemTotal", NO_LIMIT), limit)


def _meminfo() -> dict[str, int]:
    """Read /proc/meminfo in bytes; elsewhere what sysconf knows."""
    with suppress(OSError, ValueError, IndexError):
        rows = (line.split() for line in MEMINFO.read_text().splitlines())
        return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows}
    with suppress(OSError, ValueError, AttributeError):
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return {"MemTotal": total, "MemAvailable": total // 2}
    return {}


def _free_in_machine() -> int:
    return _meminfo().get("MemAvailable", NO_LIMIT)


def _free_in_cgroup() -> int:
    return min((limit - used for limit, used in _cgroup_levels()), default=NO_LIMIT)


def _cgroup_levels() -> list[tuple[int, int]]:
    """Give (limit, bytes in use that cannot be reclaimed) of each limiting level."""
    levels = [
        (folder / "memory.max", folder / "memory.current", folder / "memory.stat")
        for folder in _unified_folders()
    ]
    v1 = CGROUP / "memory"
    levels.append((v1 / "memory.limit_in_bytes", v1 / "memory.usage_in_bytes", v1 / "memory.stat"))
    read = (_read_level(*files) for files in levels)
    return [level for level in read if level is not None and level[0] < NO_LIMIT]


def _unified_folders() -> list[Path]:
    """Give this process's cgroup v2 folder and those above it."""
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::"):
                own = CGROUP / line[3:].lstrip("/")
                return [own, *(p for p in own.parents if p.is_relative_to(CGROUP))]
    return [CGROUP]


def _read_level(limit: Path, current: Path, statistics: Path) -> tuple[int, int] | None:
    try:
        text = limit.read_text().strip()
        if text == "max":
            return None
        return int(text), max(0, int(current.read_text()) - _reclaimable(statistics))
    except (OSError, ValueError):
        return None


def _reclaimable(statistics: Path) -> int:
    """Give the file cache that the kernel drops before it kills anybody."""
    with suppress(OSError, ValueError):
        rows = dict(line.split() for line in statistics.read_text().splitlines())
        return int(rows.get("total_inactive_file", rows.get("inactive_file", "0")))
    return 0
