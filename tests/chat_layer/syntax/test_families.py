"""Which family a template is of, and what a conversation asks of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llamanb.chat_layer.syntax import compose, describe
from llamanb.chat_layer.syntax.description import openers
from llamanb.chat_layer.syntax.schemas import closed, is_text, may_be_text
from llamanb.errors import OptionError
from tests.chat_layer.syntax.cases import BY_NAME, TOOLS

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
    "GLM-4.6": None,
    "ByteDance-Seed-OSS": None,
    "microsoft-Phi-3.5-mini-instruct": None,
    "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B": None,
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
