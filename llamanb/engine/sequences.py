"""Sequences of a context, the requests that run on them, and who gets which."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llamanb.engine.constraint import ConstraintState
    from llamanb.engine.generation import Generation
    from llamanb.engine.sampling import Sampler
    from llamanb.engine.text import TextStitcher
    from llamanb.engine.triggers import TriggerWatch

__all__ = ["Placement", "Run", "SequenceSlot", "common_prefix", "is_worth_waiting", "place"]

# Below this many tokens a prefill is cheaper than copying another sequence's memory;
# between partitions a copy moves all of n_ctx, so a longer context asks for more.
MIN_COPY_TOKENS = 64
MIN_COPY_SHARE = 32
WAIT_TOKENS = 256
CHEAP_TOKENS = 256  # a prompt asked again may cost the answer it had


@dataclass(slots=True, kw_only=True)
class Run:
    """One request being worked on.

    ``tokens`` is the prompt and everything generated; what of it is not in memory
    yet is the work that is left. Survives losing its sequence (preemption). ``n_prompt``
    counts a given beginning of the answer, too; ``was_given_whole`` says that this was
    all of it, ``n_unscored`` how many of its last tokens have still to be scored.
    ``watch`` is there until a lazy constraint begins. ``n_ended`` counts the token that ended it, which is not part of the text.
    """

    generation: Generation
    tokens: list[int]
    n_prompt: int
    seed: int
    n_limit: int
    stitcher: TextStitcher
    constraint: ConstraintState | None
    watch: TriggerWatch | None = None
    sampler: Sampler | None = None
    was_given_whole: bool = False
    n_unscored: int = 0
    n_ended: int = 0
    n_cached: int | None = None
    submitted: float = field(default_factory=time.monotonic)
    admitted: float | None = None
    first_token: float | None = None

    @property
    def n_generated(self) -> int:
        """Tokens generated so far."""
        return len(self.tokens) - self.n_prompt

    @property
    def n_reusable(self) -> int:
        """Tokens at the start whose logits nobody needs."""
        return (self.n_prompt - self.n_unscored if self.n_unscored else len(self.tokens)) - 1

    def share(self, start: int, count: int) -> int:
        """Cut the next ``count`` tokens: a context has one row of logits for each sequence."""
        return min(count, max(1, self.n_reusable - start)) if self.n_unscored else count

    @property
    def affinity(self) -> str | None:
        """The session this request belongs to."""
        return self.generation.request.affinity


@dataclass(slots=True, kw_only=True)
class SequenceSlot:
    """One sequence of the context: what memory holds, and who uses it now.

    ``tokens`` is exactly what memory holds: ``len(tokens) == seq_pos_max + 1``
    after every step.
    """

    id: int
    tokens: list[int] = field(default_factory=list)
    run: Run | None = None
    last_used: float = 0.0
    affinity: str | None = None

    @property
    def is_free(self) -> bool:
        """Whether no request runs here."""
        return self.run is None

    @property
    def n_left(self) -> int:
        """Tokens of the run that are not in memory yet."""
        return 0 if self.run is None else len(self.run.tokens) - len(self.tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a run goes: ``slot`` keeps ``n_reused`` tokens, copied from ``source`` if given."""

    slot: SequenceSlot
    n_reused: int
    source: SequenceSlot | None = None


def common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """Count the equal tokens at the start, by bisection over slices."""
    low, high = 0, min(len(left), len(right))
    if left[:high] == right[:high]:
        return high
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def place(
    run: Run, slots: Iterable[SequenceSlot], *, may_copy: bool, n_ctx: int = 0
) -> Placement | None:
    """Choose the sequence for a run, and what of it is reused; None if all are busy.

    A free one that holds mostly the run's own beginning is gone on with. What else is
    kept for its own next turn: its beginning, or a busy one's, is copied over the least
    recently used when that saves much. So a short request beside a long talk, with a
    few words of the template in common, does not cost the talk its memory.
    ``n_ctx`` is the size of a partition, 0 where memory is shared. At least the last
    token is always left to compute, since its logits are needed.
    """
    slots = list(slots)
    free = [slot for slot in slots if slot.is_free]
    if not free:
        return None
    shared = {slot.id: common_prefix(slot.tokens, run.tokens[: run.n_reusable]) for slot in slots}
    donor = max(slots, key=lambda slot: (shared[slot.id], slot.is_free, _likes(slot, run)))
    if donor.is_free and len(donor.tokens) <= 2 * shared[donor.id]:
        return Placement(slot=donor, n_reused=shared[donor.id])
    oldest = min(free, key=lambda slot: (bool(slot.tokens), slot.last_used))
    gain = shared[donor.id] - shared[oldest.id]
    if may_copy and gain >= _copy_pays(n_ctx):
        return Placement(slot=oldest, n_reused=shared[donor.id], source=donor)
    n_lost = len(donor.tokens) - shared[donor.id]
    if donor.is_free and len(run.tokens) <= 2 * shared[donor.id] and n_lost <= CHEAP_TOKENS:
        return Placement(slot=donor, n_reused=shared[donor.id])
    return Placement(slot=oldest, n_reused=shared[oldest.id])


def is_worth_waiting(run: Run, slots: Iterable[SequenceSlot], *, n_ctx: int = 0) -> bool:
    """Whether another run is reading the same long beginning, which can be copied soon.

    So several answers to one prompt, or helpers of one agent, read it once.
    """
    tokens, slots = run.tokens[: run.n_reusable], list(slots)
    now = max((common_prefix(slot.tokens, tokens) for slot in slots), default=0)
    soon = max(
        (common_prefix(slot.run.tokens, tokens) for slot in slots if slot.run and slot.n_left > 1),
        default=0,
    )
    return soon - now >= max(WAIT_TOKENS, _copy_pays(n_ctx))


def _copy_pays(n_ctx: int) -> int:
    """Give the number of tokens from which a copy is cheaper than reading them again."""
    return max(MIN_COPY_TOKENS, n_ctx // MIN_COPY_SHARE)


def _likes(slot: SequenceSlot, run: Run) -> bool:
    return run.affinity is not None and slot.affinity == run.affinity
