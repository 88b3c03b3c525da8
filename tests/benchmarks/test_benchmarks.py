"""The benchmarks run: each side gives a figure, and the table's verdict is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.benchmarks.__main__ import reaches_its_goal
from tests.benchmarks.paired import Row, measure

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def options(readable_gguf: Path) -> dict[str, Any]:
    sizes = {"n_tokens": 8, "n_streams": 2, "n_prompt": 32, "kind": "prefill", "n_intruder": 64}
    return {"path": str(readable_gguf), "n_threads": 1, "n_ctx": 512} | sizes


@pytest.mark.parametrize(
    "side",
    [
        "decode:ours",
        "decode:llama",
        "prompt:ours",
        "crowd:worst_gap",
        "overhead:bare",
        "chatlas_chunks:native",
        "constrained:constrained",
        "constrained:free",
    ],
)
def test_side_gives_a_figure(options: dict[str, Any], side: str) -> None:
    assert measure(side, options) > 0


def test_failing_side_shows_its_error() -> None:
    with pytest.raises(RuntimeError, match="KeyError: 'path'"):
        measure("decode:ours", {})


@pytest.mark.parametrize(
    ("ratio", "against", "good"),
    [
        pytest.param(1.01, "llama_cpp.Llama", True, id="faster"),
        pytest.param(0.99, "llama_cpp.Llama", False, id="slower"),
        pytest.param(1.9, "llama_cpp.Llama behind a lock", False, id="less than twice"),
        pytest.param(0.9, "llama-server", True, id="no goal against the server"),
    ],
)
def test_goal_of_a_decode_row(ratio: float, against: str, good: bool) -> None:
    row = Row(name="decode, 4 streams", unit="tok/s", ours=1.0, ratio=ratio, against=against)
    assert reaches_its_goal(row) is good


@pytest.mark.parametrize(("measured", "good"), [(199.0, True), (200.0, False)])
def test_an_interrupt_must_stay_below_its_limit(measured: float, good: bool) -> None:
    assert reaches_its_goal(Row(name="interrupt", unit="ms", ours=measured, goal=200)) is good


@pytest.mark.parametrize(("ratio", "good"), [(0.95, True), (0.85, False)])
def test_a_constraint_may_cost_a_tenth(ratio: float, good: bool) -> None:
    row = Row(name="constrained, 1 stream", unit="tok/s", ours=1.0, ratio=ratio, against="free")
    assert reaches_its_goal(row) is good
