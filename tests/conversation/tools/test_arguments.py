"""A model's arguments: converted where that is safe, explained where it is not."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import Enum
from pathlib import Path  # noqa: TC003  # tools look their types up
from typing import Any, Literal

import pytest
from pydantic import BaseModel, field_validator

import llamanb


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: int


class Picky(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def _check(cls, n: int) -> int:
        if n > 10:
            raise ValueError("that is too many")
        return 1 // n


@llamanb.tool
def weather(city: str, unit: Literal["c", "f"] = "c") -> str:
    return f"{city} {unit}"


@llamanb.tool
def kinds(
    point: Point, day: dt.date, colour: Colour, path: Path, pair: tuple[int, str], n: int = 3
) -> str:
    return repr((point, day, colour, path.name, pair, n))


@llamanb.tool
def picky(value: Picky) -> int:
    return value.n


@llamanb.tool
def placed(a: int, b: int = 2, /, c: int = 3, *, d: int = 4) -> list[int]:
    return [a, b, c, d]


def test_arguments_become_the_types_of_the_hints() -> None:
    text = (
        '{"point": {"x": "1"}, "day": "2026-03-01", "colour": "red", "path": "a/b", '
        '"pair": [1, "x"]}'
    )
    expected = (Point(1), dt.date(2026, 3, 1), Colour.RED, "b", (1, "x"), 3)
    assert kinds.call(text).content == repr(expected)


@pytest.mark.parametrize(
    "text", ['{"city": "Oslo"}', ' {"city":"Oslo","unit":"c"}\n', '"{\\"city\\": \\"Oslo\\"}"']
)
def test_loose_json_is_accepted(text: str) -> None:
    assert weather.call(text).content == "Oslo c"


@pytest.mark.parametrize("text", ["", "  ", "null", "{}"])
def test_a_tool_without_arguments_accepts_nothing_at_all(text: str) -> None:
    assert llamanb.tool(lambda: 7, name="seven").call(text).content == "7"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "wrong arguments: 'city' is missing"),
        ('{"city": 3}', "wrong arguments: 'city': Input should be a valid string (got 3)"),
        (
            '{"city": "Oslo", "unit": "kelvin"}',
            "wrong arguments: 'unit': Input should be 'c' or 'f' (got 'kelvin')",
        ),
        (
            '{"city": "Oslo", "town": 1}',
            "wrong arguments: 'town' is no argument (there are: 'city', 'unit')",
        ),
        ("[1]", "wrong arguments: give one JSON object"),
        ('"Oslo"', "wrong arguments: give one JSON object"),
        ('{"city": "Os', "wrong arguments: not valid JSON (EOF while parsing"),
        ("Oslo", "wrong arguments: not valid JSON (expected value"),
        ('"', "wrong arguments: not valid JSON"),
        ('{"city": "\\ud800"}', "wrong arguments: not valid JSON"),
        ("[" * 100_000, "wrong arguments: not valid JSON (recursion limit"),
        ('{"city": ' + "9" * 10_000 + "}", "wrong arguments: "),
    ],
)
def test_wrong_arguments_are_explained_to_the_model(text: str, message: str) -> None:
    outcome = weather.call(text)
    assert outcome.is_error
    assert outcome.content.startswith(message)
    assert len(outcome.content) < 300


def test_many_problems_are_counted() -> None:
    outcome = kinds.call('{"a": 1, "b": 2, "n": "x"}')
    assert outcome.content.endswith("and 3 more")


def test_a_place_inside_an_argument_is_named() -> None:
    assert "'point.x': " in kinds.call('{"point": {"x": "one"}}').content


def test_a_validator_of_the_users_may_say_no_or_break() -> None:
    assert "'value.n': Value error, that is too many" in picky.call('{"value": {"n": 11}}').content
    broken = picky.call('{"value": {"n": 0}}')
    assert broken.is_error
    assert broken.content.startswith("ZeroDivisionError")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ('{"a": 1}', "[1,2,3,4]"),
        ('{"c": 7, "a": 1}', "[1,2,7,4]"),
        ('{"a": 1, "d": 5, "b": 6}', "[1,6,3,5]"),
    ],
)
def test_positional_and_keyword_only_parameters_are_filled(text: str, numbers: str) -> None:
    assert placed.call(text).content == numbers


def test_a_mutable_default_is_the_functions_own() -> None:
    seen: list[Any] = []

    @llamanb.tool
    def note(n: int, into: list[int] = seen) -> None:
        into.append(n)

    note.call('{"n": 1}')
    assert seen == [1]
