"""What templates write for past calls is what their family's grammar and parser read."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from llamanb.chat_layer import build
from llamanb.chat_layer.syntax import (
    Description,
    ToolShape,
    compose,
    describe,
    parse_syntax,
    write_lark,
)
from llamanb.chat_layer.syntax.description import openers
from llamanb.chat_layer.syntax.families import HERMES
from llamanb.chat_layer.template import render_template
from tests.chat_layer.syntax.cases import LarkReader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Calls = list[tuple[str, Any]]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOOLS = (
    ToolShape(name="get", parameters={"type": "object", "properties": {}}),
    ToolShape(
        name="get_weather",
        parameters={
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer"},
                "exact": {"type": "boolean"},
                "note": {"type": ["string", "null"]},
                "place": {
                    "type": "object",
                    "properties": {
                        "lat": {"type": "number"},
                        "tags": {"type": "array", "items": {"type": "string"}},
                    },
                    "required": ["lat"],
                },
            },
            "required": ["city"],
        },
    ),
)
WEATHER: dict[str, dict[str, Any]] = {
    "plain": {"city": "Paris", "days": 3},
    "quotes": {"city": 'Say "it\'s"', "exact": True},
    "newlines": {"city": "a\n\nb", "note": "c\n"},
    "markup": {"city": "</parameter> </", "note": "a < b > c & d"},
    "emoji": {"city": "🙂 日本 é", "exact": False},
    "nested": {"city": "x", "place": {"lat": -1.5, "tags": ["a", "b c"]}},
    "null": {"city": "x", "note": None},
    "empty": {"city": ""},
}
# Their templates write nothing of a past call; it is put into the content then.
WITHOUT_CALLS = {
    "HuggingFaceTB-SmolLM3-3B": "shows neither tools nor calls",
    "LFM2-8B-A1B": "writes the content only",
    "LFM2.5-Instruct": "writes the content only",
    "deepseek-ai-DeepSeek-R1-Distill-Llama-8B": "writes the content only",
    "google-gemma-2-2b-it": "knows no tools",
    "ibm-granite-granite-3.3-2B-Instruct": "writes the content only",
    "llama-cpp-rwkv-world": "knows no tools",
    "microsoft-Phi-3.5-mini-instruct": "knows no tools",
}
# Python's words for true, false and null: read, but the grammar asks for JSON's.
PYTHON_WORDS = {
    "ByteDance-Seed-OSS": {"quotes", "emoji", "nested"},
    "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": {"quotes", "emoji"},
    "Qwen3-Coder": {"quotes", "emoji"},
    "Qwen3.5-4B": {"quotes", "emoji"},
    "StepFun3.5-Flash": {"quotes", "emoji"},
    "openbmb-MiniCPM5-1B": {"quotes", "emoji", "nested"},
    "Reka-Edge": {"emoji"},  # writes \\u escapes, which llguidance does not let through
}
# What they write for null is a text, or nothing at all.
NULL_IS_LOST = {*PYTHON_WORDS, "MiniMax-M3"} - {"Reka-Edge"}


def definitions() -> list[dict[str, Any]]:
    """Give the tools as the templates see them: some cannot write a list of types."""
    shown = json.loads(json.dumps([one.parameters for one in TOOLS]))
    shown[1]["properties"]["note"] = {"type": "string"}
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": "d", "parameters": parameters},
        }
        for tool, parameters in zip(TOOLS, shown, strict=True)
    ]


def conversation(calls: Calls) -> list[dict[str, Any]]:
    written = [
        {
            "id": f"abcdefgh{number}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(values, ensure_ascii=False)},
        }
        for number, (name, values) in enumerate(calls)
    ]
    return [
        {"role": "user", "content": "QUESTION"},
        {"role": "assistant", "content": "", "tool_calls": written},
    ]


def rendered(source: str, calls: Calls) -> str:
    """Give what the template writes after the user's message."""
    prompt = build(
        source, conversation(calls), tools=definitions(), add_generation_prompt=False, now=NOW
    )
    return prompt.prompt.partition("QUESTION")[2]


def places(description: Description, text: str) -> list[int]:
    """Give where calls may begin in ``text``, with a space before their marker or not."""
    assert description.calls
    begins = "|".join(re.escape(one) for one in openers(description.calls) if one)
    found = [one.start() for one in re.finditer(rf"\s?(?:{begins})", text)]
    return sorted({*found, *(place + 1 for place in found)})


def accepted(description: Description, text: str) -> str:
    """Give the longest part of ``text`` that is a whole output of calls."""
    assert description.calls
    reader = LarkReader(write_lark(description.calls, {}))
    parts = (reader.accepted_start(text[start:]) for start in places(description, text))
    return max(parts, key=len, default="")


def from_call(description: Description, text: str) -> str:
    """Give ``text`` from the first call on, as a model writes it after the prompt."""
    ways = (text[start:] for start in places(description, text))
    return next((one for one in ways if calls_in(description, one)), "")


def calls_in(description: Description, text: str) -> Calls:
    message = parse_syntax(text, description)
    return [(call.name, json.loads(call.arguments)) for call in message.tool_calls]


def cases(templates: Path, kind: str) -> Iterator[tuple[str, Description, str, Calls]]:
    """Give every template's name, its family's syntax, what it writes, and for which calls."""
    for path in sorted(templates.glob("*.jinja")):
        source = path.read_text(encoding="utf-8")
        family = describe(source) or HERMES
        if kind == "null" and path.stem in NULL_IS_LOST:
            continue
        calls: Calls = [("get_weather", WEATHER[kind]), ("get", {})]
        description = compose(family, TOOLS, tool_choice="required")
        for some in [calls[:1], calls] if family.is_parallel else [calls[:1]]:
            yield path.stem, description, rendered(source, some), some


def test_every_template_is_looked_at(templates_dir: Path) -> None:
    names = {path.stem for path in templates_dir.glob("*.jinja")}
    assert len(names) == 70
    assert names > {*WITHOUT_CALLS, *PYTHON_WORDS, *NULL_IS_LOST}


@pytest.mark.parametrize("name", WITHOUT_CALLS)
def test_templates_without_calls_write_none(templates_dir: Path, name: str) -> None:
    source = (templates_dir / f"{name}.jinja").read_text(encoding="utf-8")
    messages = conversation([("get_weather", WEATHER["plain"])])
    text = render_template(source, {"messages": messages, "tools": definitions()}, now=NOW)
    assert "Paris" not in text


@pytest.mark.parametrize("kind", WEATHER)
def test_rendered_calls_are_accepted_by_the_grammar(templates_dir: Path, kind: str) -> None:
    wrong = [
        (name, text)
        for name, description, text, calls in cases(templates_dir, kind)
        if kind not in PYTHON_WORDS.get(name, ())
        and calls_in(description, accepted(description, text)) != calls
    ]
    assert not wrong


@pytest.mark.parametrize("kind", WEATHER)
def test_rendered_calls_are_read_back(templates_dir: Path, kind: str) -> None:
    wrong = [
        (name, text)
        for name, description, text, calls in cases(templates_dir, kind)
        if calls_in(description, from_call(description, text)) != calls
    ]
    assert not wrong
