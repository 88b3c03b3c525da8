"""Lines are read by the table, and mistakes are answered in one line."""

from __future__ import annotations

import contextlib
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamanb.notebook.arguments import parse_line, split_words
from llamanb.notebook.messages import UsageError
from llamanb.notebook.options import CELL, COMMANDS

ASK = COMMANDS["ask"]


@pytest.mark.parametrize(
    ("line", "values", "text"),
    [
        pytest.param("Why?", {}, "Why?", id="text alone"),
        pytest.param("--temp 0 Why?", {"temperature": 0.0}, "Why?", id="option first"),
        pytest.param("Why? --temp=0.5", {"temperature": 0.5}, "Why?", id="option last"),
        pytest.param("What's  up, doc's?", {}, "What's  up, doc's?", id="apostrophes, blanks"),
        pytest.param('say "a b" now', {}, 'say "a b" now', id="inner quotes stay"),
        pytest.param('"--temp is odd"', {}, "--temp is odd", id="a quoted text is text"),
        pytest.param("-n 5 -- -n is short", {"max_tokens": 5}, "-n is short", id="after --"),
        pytest.param("-5 + 3", {}, "-5 + 3", id="negative numbers are text"),
        pytest.param("--max_tokens 5 x", {"max_tokens": 5}, "x", id="underscores"),
        pytest.param("-s 'Be brief.' x", {"system": "Be brief."}, "x", id="quoted value"),
        pytest.param('--system="Be brief." x', {"system": "Be brief."}, "x", id="quoted after ="),
        pytest.param("--stop A --stop '\\n' x", {"stop": ("A", "\n")}, "x", id="repeated"),
        pytest.param("--no-think x", {"think": False}, "x", id="switch off"),
        pytest.param("-f json x", {"format": "json"}, "x", id="choice"),
        pytest.param('x="a b"', {}, 'x="a b"', id="an assignment is text"),
        pytest.param('{"a": [1, "b"]}', {}, '{"a": [1, "b"]}', id="JSON stays"),
    ],
)
def test_ask_lines(line: str, values: dict[str, Any], text: str) -> None:
    arguments = parse_line(line, ASK)
    assert (arguments.values, arguments.text) == (values, text)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("--tmp 1 x", "did you mean '--temp'", id="misspelt option"),
        pytest.param("--temp warm x", "--temp needs a number, not 'warm'", id="not a number"),
        pytest.param("--temp nan x", "needs a number", id="not a finite number"),
        pytest.param("-n 1.5 x", "needs a whole number, not '1.5'", id="not whole"),
        pytest.param("--seed " + "9" * 5000 + " x", "needs a whole number", id="huge number"),
        pytest.param("-f jsn x", "did you mean 'json'", id="misspelt choice"),
        pytest.param("x --temp", "--temp needs a value", id="value missing"),
        pytest.param("--think=yes x", "--think takes no value", id="switch with value"),
        pytest.param("--temp 0", "ask needs a text", id="no text"),
    ],
)
def test_mistakes_are_one_line_with_an_example(line: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_line(line, ASK)
    message = str(caught.value)
    assert expected in message
    assert "Example: " in message
    assert "\n" not in message


def test_operands_are_counted() -> None:
    assert parse_line("'my model.gguf' --n-ctx 512", COMMANDS["load"]).operands == ["my model.gguf"]
    settings = parse_line('system="Be brief." temp=0', COMMANDS["set"])
    assert settings.operands == ["system=Be brief.", "temp=0"]
    with pytest.raises(UsageError, match=r"load needs PATH"):
        parse_line("", COMMANDS["load"])
    with pytest.raises(UsageError, match="'two' is one too many"):
        parse_line("one two", CELL)


@given(st.text(max_size=80))
def test_any_line_is_read_or_refused_politely(line: str) -> None:
    with contextlib.suppress(UsageError):
        parse_line(line, ASK)


@given(st.text(max_size=80))
def test_words_cover_the_line(line: str) -> None:
    words = split_words(line)
    covered = "".join(line[word.start : word.end] for word in words)
    assert "".join(covered.split()) == "".join(line.split())
    assert all(a.end <= b.start for a, b in pairwise(words))
