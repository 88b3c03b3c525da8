"""Redraws keep their distance."""

from __future__ import annotations

from llamanb.notebook.throttle import Throttle


class _Clock:
    """Time that moves when told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_the_first_redraw_is_due_at_once() -> None:
    assert Throttle(_Clock()).remaining_s == 0.0


def test_a_cheap_redraw_waits_eighty_milliseconds() -> None:
    clock = _Clock()
    throttle = Throttle(clock)
    with throttle.measured():
        clock.now_s += 0.001
    assert throttle.interval_s == 0.08
    clock.now_s += 0.05
    assert 0.029 < throttle.remaining_s < 0.031
    clock.now_s += 0.05
    assert throttle.remaining_s == 0.0


def test_a_slow_redraw_waits_four_times_its_cost() -> None:
    clock = _Clock()
    throttle = Throttle(clock)
    with throttle.measured():
        clock.now_s += 0.1
    assert throttle.interval_s == 0.4
