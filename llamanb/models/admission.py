"""Who may come in, and who must leave for it: the memory guard and the LRU rule."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from llamanb.errors import InsufficientMemoryError, ModelBusyError
from llamanb.models import memory

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from llamanb.models.plan import LoadPlan
    from llamanb.models.residence import Admitted, Kind, Residence, Stores
    from llamanb.models.shared import Hold
    from llamanb.settings import ContextSettings

__all__ = ["Desk", "Limits", "MemorySource"]

EMBEDDING_N_CTX = 8192
EMBEDDING_N_CTX_OF_WRITERS = 2048
READING_STEP = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What all models together may take; None means no limit of that kind."""

    max_memory_bytes: int | None = None
    max_models: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySource:
    """Where the numbers about free memory come from; tests give their own."""

    available: Callable[[], int] = memory.available_bytes
    total: Callable[[], int] = memory.total_bytes


class Desk:
    """Reserves memory for models, one at a time, and evicts idle ones for it.

    ``idle_first`` gives the residences that may be evicted, least recently used
    first; ``count_resident`` those that have weights in memory.
    """

    def __init__(
        self,
        stores: Stores,
        source: MemorySource,
        idle_first: Callable[[Residence], list[Residence]],
        count_resident: Callable[[Residence], int],
    ) -> None:
        self._stores, self._source = stores, source
        self._idle_first, self._count_resident = idle_first, count_resident
        self._lock = threading.Lock()
        self.limits = Limits()

    def admit(self, residence: Residence, kind: Kind) -> Admitted:
        """Choose the context's size, make room and reserve it.

        Raises
        ------
        InsufficientMemoryError
            If it does not fit even with every idle model evicted.
        """
        plan = residence.plan
        with self._lock:
            settings = self._settings(residence, kind)
            self._make_room(residence, settings, kind)
            weights = self._stores.weights.reserve(plan.weights_key, plan.header.tensor_bytes)
            n_bytes = memory.context_bytes(plan.header, settings.n_ctx or 0, settings)
            context: Hold[Any] = self._stores.contexts.reserve(
                _context_key(plan, settings, kind), n_bytes
            )
        return weights, context, settings

    def allowed_bytes(self) -> int:
        """Give what a further model may take without anything being evicted."""
        taken = self._stores.total_bytes()
        # mapped weights count as free page cache, so what we know we hold is taken off too
        unclaimed = int(self._source.total() * memory.SAFE_SHARE) - taken
        allowed = min(self._source.available(), unclaimed)
        limit = self.limits.max_memory_bytes
        return allowed if limit is None else min(allowed, limit - taken)

    def total_bytes(self) -> int:
        """Give the memory of this machine or container, in bytes."""
        return self._source.total()

    def _settings(self, residence: Residence, kind: Kind) -> ContextSettings:
        plan, asked = residence.plan, residence.plan.request.context
        if kind != "text":
            return _reading_settings(plan)
        allowed = self.allowed_bytes()
        if plan.header.tensor_bytes > allowed:
            allowed += self._freeable(residence)
        return memory.choose_context(
            plan.header, asked, allowed, n_seq_is_given=plan.request.n_seq_is_given
        )

    def _freeable(self, residence: Residence) -> int:
        """Sum what evicting every idle model would give back, in bytes."""
        claims: dict[Hashable, tuple[Hold[Any], int]] = {}
        for idle in self._idle_first(residence):
            for hold in idle.holds():
                claims[hold.key] = (hold, claims.get(hold.key, (hold, 0))[1] + 1)
        return sum(hold.n_bytes for hold, count in claims.values() if hold.holders <= count)

    def _make_room(self, residence: Residence, settings: ContextSettings, kind: Kind) -> None:
        allowed = self.allowed_bytes()
        needed = self._needed(residence.plan, settings, kind)
        if needed > allowed:
            self._check_fits(residence.plan, settings, allowed + self._freeable(residence))
        for idle in self._idle_first(residence):
            if needed <= allowed and not self._too_many(residence):
                break
            before = self._stores.total_bytes()
            idle.evict()
            allowed += before - self._stores.total_bytes()
        if needed > allowed:
            self._check_fits(residence.plan, settings, allowed)
        if self._too_many(residence):
            raise ModelBusyError(
                f"max_models={self.limits.max_models} models are loaded and all are busy or "
                "pinned; unload one, or raise it with llamanb.models.configure(max_models=…)"
            )

    def _too_many(self, residence: Residence) -> bool:
        most = self.limits.max_models
        return most is not None and self._count_resident(residence) >= most

    def _needed(self, plan: LoadPlan, settings: ContextSettings, kind: Kind) -> int:
        stores, needed = self._stores, 0
        if not stores.weights.holders(plan.weights_key):
            needed += plan.header.tensor_bytes
        if not stores.contexts.holders(_context_key(plan, settings, kind)):
            needed += memory.context_bytes(plan.header, settings.n_ctx or 0, settings)
        return needed

    def _check_fits(self, plan: LoadPlan, settings: ContextSettings, allowed: int) -> None:
        resident = self._stores.weights.holders(plan.weights_key) > 0
        try:
            memory.check_fits(plan.header, settings, allowed, weights_resident=resident)
        except InsufficientMemoryError as error:
            if self._stores.total_bytes():
                error.add_note("llamanb.ps() shows what other models take; llamanb.unload() helps")
            raise


def _context_key(plan: LoadPlan, settings: ContextSettings, kind: Kind) -> Hashable:
    return (plan.weights_key, settings, kind)


def _reading_settings(plan: LoadPlan) -> ContextSettings:
    """Size an embedding or rerank context.

    Every text is whole in one micro-batch, unless its last token alone is looked at.
    """
    writes = plan.kind == "text"
    usual = EMBEDDING_N_CTX_OF_WRITERS if writes else EMBEDDING_N_CTX
    asked = None if writes else plan.request.context.n_ctx
    n_ctx = max(8, min(asked or usual, plan.header.n_ctx_train, EMBEDDING_N_CTX))
    reads_in_steps = plan.header.is_causal and plan.pooling in ("last", "rank")
    return replace(
        plan.request.context,
        n_ctx=n_ctx,
        n_seq_max=1,
        n_batch=n_ctx,
        n_ubatch=min(n_ctx, READING_STEP) if reads_in_steps else n_ctx,
        kv_unified=True,
        embedding=True,
    )
