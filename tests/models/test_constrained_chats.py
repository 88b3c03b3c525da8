"""Random weights under a constraint: whatever the model would like to say, the output is valid."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

import llamanb
from llamanb.models.reply import reply
from llamanb.settings import SamplingSettings
from tests.support import random_gguf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llamanb import Model
    from llamanb.models.reply import ReplyStream

USER = [{"role": "user", "content": "What is the weather in Oslo?"}]
PLACE = {
    "type": "object",
    "properties": {"north": {"type": "boolean"}, "level": {"type": "integer"}},
    "required": ["north", "level"],
    "additionalProperties": False,
}
WEATHER = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 12},
        "unit": {"enum": ["C", "F"]},
        "days": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3},
        "place": PLACE,
        "note": {"anyOf": [{"type": "string", "maxLength": 8}, {"type": "null"}]},
    },
    "required": ["city", "days"],
    "additionalProperties": False,
}
SCHEMAS = {"get_weather": WEATHER, "get": {"type": "object", "properties": {}}}
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": schema}}
    for name, schema in SCHEMAS.items()
]
SAMPLING = SamplingSettings(max_tokens=600)
GENERATIONS = int(os.environ.get("LLAMANB_TEST_GENERATIONS", "8"))  # 50 for a release


@pytest.fixture(params=random_gguf.REAL_VOCABULARIES, scope="module")
def model(request: pytest.FixtureRequest, sdist_models_dir: Path) -> Iterator[Model]:
    assert sdist_models_dir.is_dir()
    path = random_gguf.model_path(request.param)
    with llamanb.load(
        path, name=request.param, n_threads=1, n_ctx=2048, n_seq_max=8, progress=False
    ) as model:
        yield model


def replies(model: Model, **options: Any) -> list[ReplyStream]:
    """Ask many times at once, and wait for all."""
    streams = [
        reply(
            model,
            USER,
            sampling=SamplingSettings.from_options(SAMPLING, seed=seed),
            enable_thinking=False,
            **options,
        )
        for seed in range(GENERATIONS)
    ]
    for stream in streams:
        for _ in stream:
            pass
    return streams


def is_valid_call(stream: ReplyStream, names: set[str]) -> bool:
    assert stream.finished is not None
    calls = stream.message.tool_calls
    for call in calls:
        jsonschema.validate(call.args, SCHEMAS[call.name])
    said = stream.message.content + stream.message.reasoning_content
    is_over = stream.finished.reason == "tool_calls"
    return bool(calls) and is_over and not said and {call.name for call in calls} <= names


def test_required_calls_are_valid(model: Model) -> None:
    streams = replies(model, tools=TOOLS, tool_choice="required", parallel_tool_calls=False)
    valid = [is_valid_call(stream, {"get_weather", "get"}) for stream in streams]
    assert sum(valid) == GENERATIONS


def test_named_calls_are_valid(model: Model) -> None:
    choice = {"type": "function", "function": {"name": "get_weather"}}
    streams = replies(model, tools=TOOLS, tool_choice=choice, parallel_tool_calls=False)
    assert sum(is_valid_call(stream, {"get_weather"}) for stream in streams) == GENERATIONS


def test_answers_match_their_schema(model: Model) -> None:
    streams = replies(model, json_schema=WEATHER)
    for stream in streams:
        jsonschema.validate(json.loads(stream.message.content), WEATHER)
    assert len(streams) == GENERATIONS
