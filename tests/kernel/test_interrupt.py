"""Kernel → Interrupt: the cell ends at once, keeps its text, and the next cell works.

The bounds are far above what is reached (``python -m tests.benchmarks --only
interrupt`` measures that), so that a busy machine does not fail the tests.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.kernels import Cell, Kernel

WORDS = ("ba", "ke", "lo", "mi", "su", "ta", "vo", "ze")
LONGEST_WAIT_S = 3.0
GENERATING = "%%llama --new --max-tokens 3000\nba be bi"


def long_prompt(n_words: int) -> str:
    """Give a cell whose prompt has about ``n_words`` tokens, never the same twice."""
    return "%%llama --new --max-tokens 8\n" + " ".join(random.choices(WORDS, k=n_words))  # noqa: S311  # not a secret


def start_generating(kernel: Kernel) -> Cell:
    return kernel.wait(kernel.start(GENERATING), lambda cell: len(cell.text) > 40)


def start_long_prompt(kernel: Kernel) -> Cell:
    cell = kernel.wait(kernel.start(long_prompt(2000)), lambda seen: bool(seen.displays))
    kernel.watch(cell, 0.4)
    assert cell.idle_at is None
    return cell


@pytest.mark.parametrize("start", [start_generating, start_long_prompt])
def test_interrupt_leaves_the_kernel_idle(slow_kernel: Kernel, start: object) -> None:
    assert callable(start)
    waits = [slow_kernel.seconds_to_idle(start(slow_kernel)) for _ in range(3)]
    assert max(waits) < LONGEST_WAIT_S


def test_partial_text_stays_with_a_footer(slow_kernel: Kernel) -> None:
    cell = start_generating(slow_kernel)
    shown = cell.text[:40]
    slow_kernel.interrupt()
    slow_kernel.finish(cell)
    assert cell.text.startswith(shown)
    assert "stopped after" in cell.html
    assert not cell.complaint


def test_next_cell_answers(slow_kernel: Kernel) -> None:
    slow_kernel.seconds_to_idle(start_generating(slow_kernel))
    answer = slow_kernel.run("%%llama --new --max-tokens 5 -o said\nba be")
    assert not answer.complaint
    assert slow_kernel.evaluate("said.usage.completion_tokens") == 5


def test_nothing_runs_on_after_an_interrupt(slow_kernel: Kernel) -> None:
    slow_kernel.seconds_to_idle(start_generating(slow_kernel))
    assert slow_kernel.evaluate("model.busy") is False


def test_interrupt_of_a_python_stream_raises_keyboard_interrupt(slow_kernel: Kernel) -> None:
    code = "for piece in model.stream('ba be', max_tokens=3000): print(piece, end='', flush=True)"
    cell = slow_kernel.wait(slow_kernel.start(code), lambda seen: len(seen.stdout) > 10)
    assert slow_kernel.seconds_to_idle(cell) < LONGEST_WAIT_S
    assert cell.error is not None
    assert cell.error.startswith("KeyboardInterrupt")
    assert slow_kernel.evaluate("model.busy") is False


def test_interrupt_of_generate_raises_keyboard_interrupt(slow_kernel: Kernel) -> None:
    code = "print('begins', flush=True)\nmodel.generate('ba be', max_tokens=3000)"
    cell = slow_kernel.wait(slow_kernel.start(code), lambda seen: "begins" in seen.stdout)
    slow_kernel.watch(cell, 0.4)
    assert slow_kernel.seconds_to_idle(cell) < LONGEST_WAIT_S
    assert cell.error is not None
    assert cell.error.startswith("KeyboardInterrupt")
