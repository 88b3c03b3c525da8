"""``%%llama -t`` asks below the cell before a tool runs, as a person at a notebook sees it.

The bundled model was trained on no tool of these names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.kernels import Cell, Kernel

TOOL = '''
n_runs = 0

def moon_phase(city: str) -> str:
    """Get the phase of the moon over a city."""
    global n_runs
    n_runs += 1
    print("looking up", city)
    return f"The moon over {city} is a thin crescent."
'''
QUESTION = "Run moon_phase(city='Oslo')? [y]es / [n]o / [a]ll of this cell "
AWAITED = "%%llama -t moon_phase --new --temp 0 -o said\nWhat is the moon phase in Oslo?"
LINE = "said = %llama ask -t moon_phase --new --temp 0 What is the moon phase in Oslo?"
PATHS = [
    pytest.param(AWAITED, id="awaited cell"),
    pytest.param(LINE, id="line"),
    pytest.param(f"%%time\n{AWAITED}", id="timed cell"),
]


@pytest.fixture
def kernel(demo_kernel: Kernel) -> Kernel:
    """Give a kernel with the tool, which has not run."""
    assert not demo_kernel.run(TOOL).complaint
    return demo_kernel


def answered(kernel: Kernel, code: str, *answers: str) -> Cell:
    cell = kernel.start(code, has_stdin=True)
    for answer in answers:
        assert kernel.question() == QUESTION
        kernel.answer(answer)
    return kernel.finish(cell)


@pytest.mark.parametrize("code", PATHS)
def test_after_a_yes_the_tool_runs_and_the_answer_uses_its_result(
    kernel: Kernel, code: str
) -> None:
    cell = answered(kernel, code, "y")
    assert not cell.complaint
    assert kernel.evaluate("n_runs") == 1
    assert "thin crescent" in kernel.evaluate("str(said)")
    assert kernel.evaluate("[c.args for c in said.tool_calls]") == [{"city": "Oslo"}]
    for part in ("moon_phase", "looking up Oslo", "The moon over Oslo is a thin crescent."):
        assert part in cell.html


@pytest.mark.parametrize("code", PATHS)
def test_after_a_no_nothing_runs_and_the_cell_says_so(kernel: Kernel, code: str) -> None:
    cell = answered(kernel, code, "n")
    assert not cell.complaint
    assert kernel.evaluate("n_runs") == 0
    assert "not allowed: the user said no" in cell.html
    assert kernel.evaluate("said.tool_calls[0].is_error") is True


def test_an_unclear_answer_is_asked_again_and_then_denied(kernel: Kernel) -> None:
    answered(kernel, AWAITED, "maybe", "", "what?")
    assert kernel.evaluate("n_runs") == 0
    answered(kernel, AWAITED, "maybe", " YES ")
    assert kernel.evaluate("n_runs") == 1


@pytest.mark.parametrize("code", PATHS)
def test_an_interrupt_of_the_question_denies_and_ends_the_cell(kernel: Kernel, code: str) -> None:
    cell = kernel.start(code, has_stdin=True)
    assert kernel.question() == QUESTION
    assert kernel.seconds_to_idle(cell) < 3.0
    assert not cell.complaint
    assert "stopped after" in cell.html
    assert "cancelled by the user" in cell.html
    assert kernel.evaluate("[n_runs, said.cancelled]") == [0, True]
    assert "thin crescent" in answered(kernel, code, "a").html


@pytest.mark.parametrize("code", PATHS)
def test_where_nobody_can_be_asked_the_call_is_denied_with_a_hint(
    kernel: Kernel, code: str
) -> None:
    cell = kernel.run(code)
    assert not cell.complaint
    assert kernel.evaluate("n_runs") == 0
    assert "--approve auto" in cell.html
    assert "@llamanb.tool(approve=True)" in cell.html


def test_the_call_is_shown_while_it_is_asked_about(kernel: Kernel) -> None:
    cell = kernel.start(AWAITED, has_stdin=True)
    assert kernel.question() == QUESTION
    kernel.wait(cell, lambda seen: "waits for your answer" in seen.html)
    kernel.answer("y")
    assert "waits for your answer" not in kernel.finish(cell).html


def test_auto_and_approved_tools_ask_nobody_and_never_runs_nothing(kernel: Kernel) -> None:
    auto = AWAITED.replace("-o", "--approve auto -o")
    assert "thin crescent" in kernel.run(auto).html
    kernel.run("moon_phase = llamanb.tool(approve=True)(moon_phase)")
    assert "thin crescent" in kernel.run(AWAITED).html
    assert kernel.evaluate("n_runs") == 2
    never = kernel.run(AWAITED.replace("-o", "--approve never -o"))
    assert "tools are switched off" in never.html
    assert kernel.evaluate("n_runs") == 2


@pytest.mark.parametrize("code", PATHS)
def test_an_interrupt_while_a_tool_runs_ends_the_cell(kernel: Kernel, code: str) -> None:
    slow = "import threading\n@llamanb.tool(approve=True)\ndef moon_phase(city: str) -> str:\n"
    kernel.run(
        f"{slow}    'Get the phase of the moon over a city.'\n    threading.Event().wait(40)"
    )
    cell = kernel.start(code)
    kernel.wait(cell, lambda seen: "running…" in seen.html)
    assert kernel.seconds_to_idle(cell) < 3.0
    assert "cancelled by the user" in cell.html
    assert kernel.evaluate("said.cancelled") is True
