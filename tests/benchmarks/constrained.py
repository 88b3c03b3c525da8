"""What a constraint costs: tokens per second with a JSON Schema against without."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from llamanb.settings import Constraint
from tests.benchmarks.paired import Row, paired
from tests.benchmarks.sides import open_ours, random_prompt, tokens_per_second

if TYPE_CHECKING:
    from tests.benchmarks.plan import Plan

__all__ = ["constrained", "free", "measure"]

PROMPT_TOKENS = 16
# Long enough never to end; random weights nearly always need the whole mask.
ITEM = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
SCHEMA = {"type": "array", "items": ITEM, "minItems": 10_000}


def measure(plan: Plan) -> list[Row]:
    """Give the ratio of constrained to free speed, for one stream and four."""
    sides = ("constrained:constrained", "constrained:free")
    return [
        paired(
            f"constrained, {n_streams} stream{'s' * (n_streams > 1)}",
            "tok/s",
            sides,
            plan.options(n_streams=n_streams, n_tokens=4 * plan.n_tokens // n_streams),
            against="unconstrained",
            runs=plan.runs,
        )
        for n_streams in (1, 4)
    ]


def constrained(options: dict[str, Any]) -> float:
    """Give tokens per second while a JSON Schema is kept."""
    return _speed(options, Constraint(kind="json_schema", source=json.dumps(SCHEMA)))


def free(options: dict[str, Any]) -> float:
    """Give tokens per second without a constraint."""
    return _speed(options, None)


def _speed(options: dict[str, Any], constraint: Constraint | None) -> float:
    with open_ours(options, constraint) as side:
        side.run([random_prompt(PROMPT_TOKENS, seed=1000)], 8)
        prompts = [random_prompt(PROMPT_TOKENS, seed) for seed in range(options["n_streams"])]
        return tokens_per_second(side, prompts, options["n_tokens"])
