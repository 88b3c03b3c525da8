"""What an OpenAI chat request may ask for, and how mistakes in it are named."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

import llamanb
from llamanb.errors import ContextLengthError, OptionError
from llamanb.models.chat_options import read_chat_options, read_response_format

if TYPE_CHECKING:
    from llamanb.models import Model

SKY: Any = [{"role": "user", "content": "Why is the sky blue?"}]
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {}}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}

MISTAKES = [
    pytest.param({"temperatur": 1}, "did you mean 'temperature'", id="unknown"),
    pytest.param({"max_new_tokens": 1}, "did you mean 'max_tokens'", id="another program's"),
    pytest.param({"n": 2}, "n=2 is not possible", id="n"),
    pytest.param({"max_tokens": 1, "max_completion_tokens": 2}, "only one of", id="two limits"),
    pytest.param({"top_logprobs": 2}, "needs logprobs=True", id="top_logprobs"),
    pytest.param({"logprobs": "yes"}, "logprobs='yes'", id="logprobs"),
    pytest.param({"stream_options": True}, "stream_options=True", id="stream_options"),
    pytest.param({"temperature": -1}, "temperature=-1", id="temperature"),
    pytest.param({"tools": WEATHER}, "tools must be a list", id="one tool"),
    pytest.param({"tools": [len]}, "@llamanb.tool", id="function"),
    pytest.param({"tools": [7]}, "neither a definition", id="number"),
    pytest.param({"tools": [{}]}, r"tools\[0\] needs a name", id="nameless"),
    pytest.param({"tool_choice": "required"}, "the tools are: none", id="no tools"),
    pytest.param(
        {"tools": [WEATHER], "tool_choice": "x"}, "the tools are: 'get_weather'", id="no such tool"
    ),
    pytest.param({"tools": [WEATHER], "tool_choice": 1}, "tool_choice=1", id="tool_choice"),
    pytest.param({"response_format": "json"}, "response_format='json'", id="format text"),
    pytest.param({"response_format": {"type": "xml"}}, "'json_object', 'json_schema'", id="format"),
    pytest.param({"response_format": {"type": "json_schema"}}, "a 'schema'", id="no schema"),
    pytest.param(
        {"response_format": {"type": "json_schema", "schema": []}}, "no.? a? ?dictionary", id="list"
    ),
    pytest.param({"reasoning_format": "x"}, "reasoning_format", id="reasoning_format"),
]


@pytest.mark.parametrize(("options", "told"), MISTAKES)
def test_a_mistake_is_named_before_anything_runs(
    demo: Model, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(OptionError, match=told):
        demo.create_chat_completion(SKY, **options)
    with pytest.raises(OptionError, match=told):
        demo.create_chat_completion(SKY, stream=True, **options)


def test_messages_must_be_messages(demo: Model) -> None:
    with pytest.raises(OptionError, match="messages must be a list"):
        demo.create_chat_completion("Hi")  # type: ignore[arg-type]  # the mistake
    with pytest.raises(OptionError, match="messages must be a list"):
        demo.chat_build("Hi")  # type: ignore[arg-type]  # the mistake


def test_a_prompt_that_does_not_fit_is_refused(demo: Model) -> None:
    with pytest.raises(ContextLengthError):
        demo.create_chat_completion([{"role": "user", "content": "word " * 500}])


def test_an_unknown_option_of_chat_build_is_named(demo: Model) -> None:
    with pytest.raises(OptionError, match="did you mean 'tools'"):
        demo.chat_build(SKY, tool=[])  # type: ignore[call-arg]  # the mistake


def test_help_shows_the_options_with_their_defaults() -> None:
    shown = inspect.signature(llamanb.models.Model.create_chat_completion).parameters
    assert shown["max_tokens"].default == 2048
    assert {"tools", "response_format", "temperature", "stream"} <= shown.keys()


@pytest.mark.parametrize(
    ("wanted", "schema"),
    [
        pytest.param(None, None, id="none"),
        pytest.param({"type": "text"}, None, id="text"),
        pytest.param({"type": "json_object"}, {"type": "object"}, id="object"),
        pytest.param({"type": "json_object", "schema": SCHEMA}, SCHEMA, id="object with a schema"),
        pytest.param({"type": "json_schema", "schema": SCHEMA}, SCHEMA, id="flat"),
        pytest.param(
            {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}},
            SCHEMA,
            id="nested",
        ),
        pytest.param(list[int], {"type": "array", "items": {"type": "integer"}}, id="type"),
    ],
)
def test_every_response_format_is_a_schema(wanted: Any, schema: Any) -> None:
    assert read_response_format(wanted) == schema


def test_null_means_the_default_except_for_limits() -> None:
    nulls = dict.fromkeys(["temperature", "stop", "tools", "tool_choice", "logit_bias", "n"])
    read = read_chat_options({**nulls, "max_tokens": None, "seed": 3})
    sampling = read.reply["sampling"]
    assert (sampling.temperature, sampling.max_tokens, sampling.seed) == (0.8, None, 3)
    assert "tool_choice" not in read.reply


def test_logit_bias_of_the_official_sdk_has_texts_for_ids() -> None:
    read = read_chat_options({"logit_bias": {"50": -100}})
    assert read.reply["sampling"].logit_bias == ((50, -100.0),)


def test_strict_means_every_property_and_no_other() -> None:
    inner = {"type": "object", "properties": {"x": {"type": ["integer", "null"]}}}
    node = {"properties": {"next": {"$ref": "#/$defs/node"}, "all": {"items": inner}}}
    wanted = {
        "type": "json_schema",
        "json_schema": {"strict": True, "schema": {"$defs": {"n": node}}},
    }
    assert read_response_format(wanted) == {
        "$defs": {
            "n": {
                "properties": {
                    "next": {"$ref": "#/$defs/node"},  # it might never end
                    "all": {"items": {**inner, "required": ["x"], "additionalProperties": False}},
                },
                "required": ["all"],
                "additionalProperties": False,
            }
        }
    }
