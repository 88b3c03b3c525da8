"""Which sequence a request gets, and how much of it is reused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamanb.engine import EngineRequest, Generation
from llamanb.engine.pace import Pace
from llamanb.engine.sequences import MIN_COPY_TOKENS, Run, SequenceSlot, common_prefix, place
from llamanb.engine.text import TextStitcher


def _run(tokens: list[int], affinity: str | None = None) -> Run:
    request = EngineRequest(prompt_tokens=tuple(tokens), affinity=affinity)
    return Run(
        generation=Generation(request, lambda: None),
        tokens=tokens,
        n_prompt=len(tokens),
        seed=1,
        n_limit=10,
        stitcher=TextStitcher(),
        constraint=None,
    )


@given(st.lists(st.integers(0, 2)), st.lists(st.integers(0, 2)))
def test_common_prefix_is_what_a_plain_loop_finds(left: list[int], right: list[int]) -> None:
    expected = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        expected += 1
    assert common_prefix(left, right) == expected


def test_the_longest_shared_prefix_wins() -> None:
    slots = [SequenceSlot(id=0, tokens=[1, 9]), SequenceSlot(id=1, tokens=[1, 2, 3])]
    placement = place(_run([1, 2, 3, 4]), slots, may_copy=True)
    assert placement is not None
    assert (placement.slot.id, placement.n_reused) == (1, 3)


def test_the_last_token_is_always_computed_again() -> None:
    placement = place(_run([1, 2, 3]), [SequenceSlot(id=0, tokens=[1, 2, 3])], may_copy=True)
    assert placement is not None
    assert placement.n_reused == 2


def test_a_session_gets_its_own_sequence_when_prefixes_tie() -> None:
    slots = [SequenceSlot(id=0), SequenceSlot(id=1, affinity="a", last_used=5.0)]
    placement = place(_run([1, 2], affinity="a"), slots, may_copy=True)
    assert placement is not None
    assert placement.slot.id == 1


def test_the_least_recently_used_sequence_is_overwritten_first() -> None:
    slots = [
        SequenceSlot(id=0, tokens=[7], last_used=2.0),
        SequenceSlot(id=1, tokens=[8], last_used=1.0),
    ]
    placement = place(_run([1, 2]), slots, may_copy=True)
    assert placement is not None
    assert placement.slot.id == 1


def test_a_long_prefix_of_a_busy_sequence_is_copied() -> None:
    prefix = list(range(MIN_COPY_TOKENS + 1))
    busy = SequenceSlot(id=0, tokens=prefix, run=_run(prefix))
    placement = place(_run([*prefix, 5]), [busy, SequenceSlot(id=1)], may_copy=True)
    assert placement is not None
    assert (placement.slot.id, placement.source) == (1, busy)


def test_a_short_request_does_not_cost_a_long_talk_its_memory() -> None:
    talk = SequenceSlot(id=0, tokens=[1, 2, *range(100, 1000)], last_used=1.0, affinity="a")
    title = place(_run([1, 2, 7, 8], affinity="a"), [talk, SequenceSlot(id=1)], may_copy=True)
    assert title is not None
    assert (title.slot.id, title.source) == (1, None)


def test_a_second_talk_copies_what_it_shares_with_the_first() -> None:
    system = list(range(200))
    first = SequenceSlot(id=0, tokens=[*system, *range(1000, 1900)], last_used=1.0)
    second = place(_run([*system, 7, 8]), [first, SequenceSlot(id=1)], may_copy=True)
    assert second is not None
    assert (second.slot.id, second.source, second.n_reused) == (1, first, 200)


def test_a_short_prompt_asked_again_goes_where_it_was() -> None:
    asked = SequenceSlot(id=0, tokens=[1, 2, 3, *range(100, 300)], last_used=1.0)
    again = place(_run([1, 2, 3]), [asked, SequenceSlot(id=1)], may_copy=True)
    assert again is not None
    assert (again.slot.id, again.n_reused) == (0, 2)


def test_memory_that_cannot_be_cut_is_never_copied() -> None:
    prefix = list(range(200))
    busy = SequenceSlot(id=0, tokens=prefix, run=_run(prefix))
    placement = place(_run([*prefix, 5]), [busy, SequenceSlot(id=1)], may_copy=False)
    assert placement is not None
    assert placement.source is None


def test_nobody_is_placed_when_all_sequences_are_busy() -> None:
    assert place(_run([1]), [SequenceSlot(id=0, run=_run([1]))], may_copy=True) is None


@pytest.mark.parametrize("fixed_s", [0.5, 1.0, 1.4])
def test_a_lone_prompt_whose_steps_are_slow_at_any_size_is_not_taken_in_crumbs(
    fixed_s: float,
) -> None:
    pace, taken = Pace(), []
    for _ in range(50):
        taken.append(pace.budget(0, 2048))
        pace.learn(n_prompt=taken[-1], n_generated=0, seconds=fixed_s + taken[-1] / 500)
    assert min(taken[25:]) >= 64
    assert pace.budget(0, 20) == 20


def test_a_prompt_that_gets_costlier_with_its_depth_is_not_taken_in_crumbs() -> None:
    pace, seconds, depth = Pace(), [], 0
    while depth < 30_000:
        taken = pace.budget(0, 2048)
        depth += taken
        seconds.append(depth / 20_000 + taken / 400)
        pace.learn(taken, 0, seconds[-1])
    assert max(seconds) < 6
    assert len(seconds) < 200


def test_a_prompt_beside_streams_is_taken_in_small_chunks() -> None:
    pace = Pace()
    for _ in range(50):
        pace.learn(n_prompt=400, n_generated=0, seconds=1.0)
    assert 50 <= pace.budget(2, 2048) <= 64
    assert pace.budget(0, 2048) >= 256
    assert pace.budget(0, 100) == 100
