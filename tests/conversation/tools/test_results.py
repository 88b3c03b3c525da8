"""What a tool gives back becomes text."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import BaseModel

import llamanb
from llamanb.conversation.tools.results import MAX_RESULT_CHARS, result_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    when: dt.date


class Place(BaseModel):
    name: str


class Table:
    """Stands for a data frame: it has what pandas' have."""

    def __init__(self, n_rows: int) -> None:
        self.n_rows = n_rows

    def __len__(self) -> int:
        return self.n_rows

    def head(self, n: int) -> Table:
        return Table(min(n, self.n_rows))

    def to_csv(self) -> str:
        return "n\n" + "".join(f"{i}\n" for i in range(self.n_rows))


class Shy:
    def __repr__(self) -> str:
        return "<Shy>"


_circle: list[Any] = []
_circle.append(_circle)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is: ä\n", "as it is: ä\n"),
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        (float("nan"), '"NaN"'),
        ({"a": [1, "ä"]}, '{"a":[1,"ä"]}'),
        ((1, 2), "[1,2]"),
        ({3}, "[3]"),
        (Point(1, dt.date(2026, 3, 1)), '{"x":1,"when":"2026-03-01"}'),
        (Place(name="Oslo"), '{"name":"Oslo"}'),
        ([Place(name="Oslo")], '[{"name":"Oslo"}]'),
        (Colour.RED, '"red"'),
        (Path("a") / "b", '"a/b"'),
        (b"text", '"text"'),
        (b"\xff", repr(b"\xff")),
        (np.float32(0.5), "0.5"),
        (np.arange(3), "[0,1,2]"),
        ({"a": np.eye(2)}, '{"a":[[1.0,0.0],[0.0,1.0]]}'),
        (Shy(), '"<Shy>"'),
        (_circle, "[[...]]"),
        (Table(2), "n\n0\n1\n"),
        ({"t": Table(1)}, '{"t":"n\\n0\\n"}'),
        ("half a pair \ud83d", "half a pair ?"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_becomes_text(value: Any, text: str) -> None:
    assert result_text(value) == text


def test_long_texts_are_cut_with_a_note() -> None:
    text = result_text("x" * 50_000)
    assert text.startswith("x" * MAX_RESULT_CHARS + "\n[cut")
    assert text.endswith("[cut: the first 8,000 of 50,000 characters]")


def test_long_tables_are_cut_with_a_note() -> None:
    assert result_text(Table(2_000)).endswith("\n49\n[cut: the first 50 of 2,000 rows]")


def test_generators_are_read_to_the_end() -> None:
    @llamanb.tool
    def count(n: int) -> Iterator[int]:
        yield from range(n)

    @llamanb.tool
    async def count_later(n: int) -> AsyncIterator[int]:
        for i in range(n):
            yield i

    assert count.call('{"n": 3}').content == "[0,1,2]"
    assert count_later.call('{"n": 3}').content == "[0,1,2]"


def test_a_result_that_cannot_be_shown_is_an_error_not_a_crash() -> None:
    class Bad:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    outcome = llamanb.tool(Bad, name="bad").call()
    assert outcome.is_error
    assert outcome.content.startswith("RuntimeError: no")
