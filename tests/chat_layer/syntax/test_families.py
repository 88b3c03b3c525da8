"""Which family a template is of, and what a conversation asks of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import re2

from llamanb.chat_layer.syntax import compose, describe, write_lark
from llamanb.chat_layer.syntax.description import openers
from llamanb.chat_layer.syntax.schemas import closed, is_text, may_be_text
from llamanb.errors import OptionError
from tests.chat_layer.syntax.cases import BY_NAME, TOOLS, LarkReader

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATES = {
    "Qwen-Qwen2.5-7B-Instruct": "hermes",
    "Qwen-Qwen3-0.6B": "hermes",
    "Qwen-QwQ-32B": "hermes",
    "NousResearch-Hermes-3-Llama-3.1-8B-tool_use": "hermes",
    "ibm-granite-granite-4.0": "hermes",
    "Qwen3-Coder": "qwen-coder",
    "Qwen3.5-4B": "qwen-coder",
    "meta-llama-Llama-3.1-8B-Instruct": "llama-3",
    "meta-llama-Llama-3.2-3B-Instruct": "llama-3",
    "meta-llama-Llama-3.3-70B-Instruct": "llama-3",
    "mistralai-Mistral-Nemo-Instruct-2407": "mistral-nemo",
    "Mistral-Small-3.2-24B-Instruct-2506": "mistral",
    "mistralai-Ministral-3-14B-Reasoning-2512": "mistral",
    "unsloth-mistral-Devstral-Small-2507": "mistral",
    "openai-gpt-oss-120b": "gpt-oss",
    "google-gemma-2-2b-it": None,
    "microsoft-Phi-3.5-mini-instruct": None,
    "Apertus-8B-Instruct": "apertus",
    "Apriel-1.6-15b-Thinker-fixed": "apriel",
    "unsloth-Apriel-1.5": "apriel",
    "Cohere2MoE": "command-r7b",
    "CohereForAI-c4ai-command-r7b-12-2024-tool_use": "command-r7b",
    "CohereForAI-c4ai-command-r-plus-tool_use": "command-r-plus",
    "GigaChat3-10B-A1.8B": "gigachat-3",
    "GigaChat3.1-10B-A1.8B": "gigachat-3.1",
    "HuggingFaceTB-SmolLM3-3B": "hermes",
    "Kimi-K2-Instruct": "kimi-k2",
    "Kimi-K2-Thinking": "kimi-k2",
    "moonshotai-Kimi-K2": "kimi-k2",
    "LFM2-8B-A1B": "lfm2",
    "LFM2.5-8B-A1B": "lfm2",
    "LFM2.5-Instruct": "lfm2",
    "MiniMax-M1": "minimax-m1",
    "NVIDIA-Nemotron-Nano-v2": "nemotron-nano-2",
    "deepseek-ai-DeepSeek-R1-Distill-Llama-8B": "deepseek-r1",
    "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B": "deepseek-r1",
    "llama-cpp-deepseek-r1": "deepseek-r1",
    "deepseek-ai-DeepSeek-V3.1": "deepseek-v3.1",
    "fireworks-ai-llama-3-firefunction-v2": "firefunction",
    "google-gemma-4-31B-it": "gemma-4",
    "google-gemma-4-31B-it-interleaved": "gemma-4",
    "ibm-granite-granite-3.3-2B-Instruct": "granite-3",
    "meetkai-functionary-medium-v3.1": "functionary-3.1",
    "meetkai-functionary-medium-v3.2": "functionary-3.2",
    "muse-glimmer": "muse-glimmer",
    "upstage-Solar-Open-100B": "solar-open",
}


@pytest.mark.parametrize(("name", "family"), TEMPLATES.items(), ids=TEMPLATES)
def test_real_templates_show_their_family(
    templates_dir: Path, name: str, family: str | None
) -> None:
    found = describe((templates_dir / f"{name}.jinja").read_text(encoding="utf-8"))
    assert (found.name if found else None) == family


def test_nothing_is_no_family() -> None:
    assert describe("") is None


@pytest.mark.parametrize("name", BY_NAME)
def test_a_choice_that_cannot_be_made_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match="the tools are: 'get', 'get_weather', 'free'"):
        compose(BY_NAME[name], TOOLS, tool_choice="gone")
    with pytest.raises(OptionError, match="none"):
        compose(BY_NAME[name], (), tool_choice="required")


@pytest.mark.parametrize("name", BY_NAME)
def test_triggers_begin_the_calls(name: str) -> None:
    description = compose(BY_NAME[name], TOOLS)
    assert description.calls is not None
    for trigger in description.triggers:
        assert any(trigger.strip().startswith(one) for one in openers(description.calls) if one)


@pytest.mark.parametrize(
    ("output", "is_watched"),
    [
        pytest.param('{"name": "get_weather", "parameters": {', True, id="call"),
        pytest.param('\n{"type": "function", "name": "get", "parameters": {', True, id="type"),
        pytest.param('{"name": "Bob", "age": 3}', False, id="json-answer"),
        pytest.param('Use {"name": "get", "parameters": {}}', False, id="later"),
        pytest.param("<|python_tag|>{", True, id="tag"),
    ],
)
def test_bare_calls_are_watched_for_by_name(output: str, *, is_watched: bool) -> None:
    description = compose(BY_NAME["llama-3"], TOOLS)
    found = [re2.search(one, output) for one in description.trigger_patterns]
    assert any(found) == is_watched
    assert description.calls
    for one in filter(None, found):
        begun = output[one.start(len(one.groups())) :]
        assert LarkReader(write_lark(description.calls, {})).begins(begun)


@pytest.mark.parametrize("name", BY_NAME)
def test_without_tools_there_are_no_calls(name: str) -> None:
    assert compose(BY_NAME[name]).calls is None
    assert compose(BY_NAME[name], TOOLS, tool_choice="none").triggers == ()


def test_schemas_are_closed_all_the_way_down() -> None:
    inner = {"type": "object", "properties": {"a": {}}}
    found = closed({"properties": {"properties": inner, "open": {"additionalProperties": True}}})
    assert found["additionalProperties"] is False
    assert found["properties"]["properties"]["additionalProperties"] is False
    assert found["properties"]["open"] == {"additionalProperties": True}
    assert "additionalProperties" not in inner


@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]},
        {"properties": {"a": {}}, "anyOf": [{"properties": {"b": {}}}, {"properties": {"c": {}}}]},
        {"properties": {"x": {"$ref": "#/$defs/y", "properties": {}}}, "$defs": {"y": {}}},
    ],
)
def test_an_object_put_together_from_parts_stays_open(schema: object) -> None:
    assert closed(schema) == schema


def test_a_branch_of_its_own_is_closed() -> None:
    branches = [{"properties": {"a": {}}}, {"type": "null"}]
    found = closed({"properties": {"allOf": {"anyOf": branches}}})["properties"]["allOf"]
    assert found["anyOf"][0]["additionalProperties"] is False


@pytest.mark.parametrize(
    ("schema", "is_only_text", "may_be"),
    [
        pytest.param({"type": "string"}, True, True, id="string"),
        pytest.param({"enum": ["a", "b"]}, True, True, id="enum"),
        pytest.param({"enum": ["a", 1]}, False, True, id="mixed"),
        pytest.param({"type": ["string", "null"]}, False, True, id="types"),
        pytest.param({"anyOf": [{"type": "string"}, {"type": "null"}]}, False, True, id="union"),
        pytest.param({"type": "integer"}, False, False, id="integer"),
        pytest.param({}, False, True, id="anything"),
        pytest.param({"anyOf": [{"$ref": "#/x"}, {"type": "null"}]}, False, True, id="reference"),
    ],
)
def test_which_values_are_text(schema: object, *, is_only_text: bool, may_be: bool) -> None:
    assert is_text(schema) == is_only_text
    assert may_be_text(schema) == may_be
