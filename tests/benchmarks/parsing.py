"""What reading an output costs, token by token, and whether it grows with its length."""

from __future__ import annotations

import json
import statistics
import time
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.prompt import ToolCall
from llamanb.chat_layer.syntax import FAMILIES, SyntaxParser, ToolShape, compose
from llamanb.chat_layer.syntax.written_calls import write_calls
from tests.benchmarks.paired import Row, alone

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax import Description
    from tests.benchmarks.plan import Plan

__all__ = ["growth", "measure", "microseconds"]

CHARS_PER_TOKEN = 4
WHOLE, HALF = 64 << 10, 32 << 10
PAIRS = 9
WORDS = 'The "answer" to it is 42, {not} [this]; <b>or</b> so.\n'
TOOL = ToolShape(
    name="write",
    parameters={"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
)
MOST_MICROSECONDS, MOST_GROWTH = 20.0, 2.5


def measure(plan: Plan) -> list[Row]:
    """Give the slowest family's time for a token, and how much 64k cost of 32k characters."""
    rows = []
    for kind in ("call", "text"):
        options = {"kind": kind}
        what = "a 64k-character call" if kind == "call" else "64k characters of text"
        name = f"parse {what}, a token of the slowest family"
        rows.append(
            alone(name, "µs", "parsing:microseconds", options, runs=3, goal=MOST_MICROSECONDS)
        )
        name = f"parse {what}, times the half of it"
        rows.append(alone(name, "x", "parsing:growth", options, runs=1, goal=MOST_GROWTH))
    return rows


def microseconds(options: dict[str, Any]) -> float:
    """Give the time for one token, in the family where it is longest."""
    n_tokens = WHOLE / CHARS_PER_TOKEN
    return max(1e6 * _seconds(*one) / n_tokens for one in _outputs(options["kind"], WHOLE))


def growth(options: dict[str, Any]) -> float:
    """Give how many times as long the whole takes as its half, where that is most."""
    pairs = zip(_outputs(options["kind"], WHOLE), _outputs(options["kind"], HALF), strict=True)
    return max(_growth(whole, half) for whole, half in pairs)


def _growth(whole: tuple[Description, str], half: tuple[Description, str]) -> float:
    """Measure both in turn: other programs then slow both of a pair, or one pair of many."""
    ratios = (_once(*whole) / _once(*half) for _ in range(PAIRS))
    return statistics.median(ratios)


def _outputs(kind: str, size: int) -> list[tuple[Description, str]]:
    text = (WORDS * (size // len(WORDS) + 1))[:size]
    made = []
    for family in FAMILIES:
        call = ToolCall(id="abcdefgh1", name="write", arguments=_arguments(text))
        written = write_calls(family, [call]) if kind == "call" else text
        made.append((compose(family, (TOOL,)), written))
    return made


def _arguments(text: str) -> str:
    return json.dumps({"text": text})


def _seconds(description: Description, text: str) -> float:
    return statistics.median(_once(description, text) for _ in range(3))


def _once(description: Description, text: str) -> float:
    pieces = [text[i : i + CHARS_PER_TOKEN] for i in range(0, len(text), CHARS_PER_TOKEN)]
    started = time.process_time()
    parser = SyntaxParser(description)
    for piece in pieces:
        parser.feed(piece)
    parser.finish()
    return time.process_time() - started
