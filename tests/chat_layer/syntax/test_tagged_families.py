"""Families with tagged arguments: what their templates write is accepted and read back."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from llamanb.chat_layer import ChatMessage, build
from llamanb.chat_layer.syntax import (
    Block,
    Description,
    ToolShape,
    compose,
    describe,
    parse_syntax,
    write_example,
    write_gbnf,
    write_lark,
)
from llamanb.chat_layer.syntax.families.tagged import muse_call
from tests.chat_layer.syntax.cases import (
    BY_NAME,
    PLACE,
    ByteVocabulary,
    LarkReader,
    events_of,
    randomness,
    summary,
)
from tests.chat_layer.syntax.gbnf_reader import GbnfReader
from tests.chat_layer.syntax.tagged_cases import TAGGED_CALLS

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATES = {
    "ByteDance-Seed-OSS": "seed-oss",
    "GLM-4.6": "glm-4.5",
    "GLM-4.7-Flash": "glm-4.7",
    "Kimi-K3": "kimi-k3",
    "MiniMax-M2": "minimax-m2",
    "MiniMax-M3": "minimax-m3",
    "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": "qwen-coder",
    "Qwen3-Coder": "qwen-coder",
    "Qwen3.5-4B": "qwen-coder",
    "Spark2.5": "glm-4.7",
    "StepFun3.5-Flash": "qwen-coder",
    "deepseek-ai-DeepSeek-V3.2": "deepseek-v3.2",
    "deepseek-ai-DeepSeek-V4": "deepseek-v4",
    "deepseek-ai-DeepSeek-V4-Flash-0731": "deepseek-v4",
    "inclusionai-ling-3.0-flash": "ling-3",
    "openbmb-MiniCPM5-1B": "minicpm-5",
    "poolside-Laguna-S-2.1": "glm-4.7",
    "poolside-Laguna-XS-2.1": "glm-4.5",
    "poolside-Laguna-XS.2": "glm-4.5",
    "tencent-Hy3": "hunyuan-3",
}
# These write Python's words, which the grammars do not: True, None, {'a': 1}.
PYTHON_WORDS = {"seed-oss", "qwen-coder", "minicpm-5"}
PYTHON_OBJECTS = {"seed-oss", "minicpm-5"}

TOOLS = (
    ToolShape(name="get", parameters={"type": "object", "properties": {}}),
    ToolShape(
        name="get_weather",
        parameters={
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer"},
                "unit": {"enum": ["C", "F"]},
                "flag": {"type": "boolean"},
                "note": {"type": ["string", "null"]},
                "place": {"$ref": "#/$defs/Place"},
                "names": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["city"],
            "$defs": {"Place": PLACE},
        },
    ),
)
OPENAI_TOOLS = [
    {
        "type": "function",
        "function": {"name": one.name, "description": "", "parameters": one.parameters},
    }
    for one in TOOLS
]
Call = tuple[str, dict[str, Any]]
ODD = 'say "hi" it\'s\n</parameter> <tag> & \\ 🙂 {"a": 1}'
CALLS: dict[str, list[Call]] = {
    "one": [("get_weather", {"city": "Paris", "days": 3})],
    "two": [("get_weather", {"city": "Rome", "unit": "C"}), ("get_weather", {"city": "Oslo"})],
    "no-arguments": [("get", {})],
    "no-arguments-first": [("get", {}), ("get_weather", {"city": "x"})],
    "odd-text": [("get_weather", {"city": ODD, "note": ODD})],
    "lines": [("get_weather", {"city": "\n  two\n\nlines\n"})],
    "empty": [("get_weather", {"city": "", "names": []})],
    "nested": [("get_weather", {"city": "x", "place": {"lat": -1.5, "tags": ["a", "<b>"]}})],
    "arrays": [("get_weather", {"city": "x", "names": ["one", 'two "2"', "3"]})],
    "words": [("get_weather", {"city": "null", "flag": True})],
    "null": [("get_weather", {"city": "7", "note": None})],
}
PYTHON_OF = {"words": PYTHON_WORDS, "nested": PYTHON_OBJECTS, "arrays": PYTHON_OBJECTS}
CASES = [
    pytest.param(template, family, name, id=f"{template}-{name}")
    for template, family in TEMPLATES.items()
    for name in CALLS
]


@cache
def source_of(folder: Path, template: str) -> str:
    return (folder / f"{template}.jinja").read_text(encoding="utf-8")


@cache
def described_here(family: str) -> Description:
    return compose(BY_NAME[family], TOOLS)


@cache
def lark_of(family: str) -> LarkReader:
    return LarkReader(write_lark(described_here(family).output, {}))


@cache
def gbnf_of(family: str) -> GbnfReader:
    return GbnfReader(write_gbnf(described_here(family).output))


def rendered(source: str, calls: list[Call]) -> str:
    """Give what the template writes for an answer with ``calls``, without what ends a turn."""
    whole, plain = (_after_user(source, one) for one in (calls, []))
    end = plain.partition("CCC")[2]
    begin = "<|open|>response<|sep|>CCC" if "<|open|>" in whole else "CCC"
    text = begin + whole.partition("CCC")[2]
    return text.removesuffix(end).removesuffix("<｜hy_eos:opensource｜>")


def _after_user(source: str, calls: list[Call]) -> str:
    written = [
        {
            "id": f"abcdefgh{number}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for number, (name, arguments) in enumerate(calls)
    ]
    answer: dict[str, Any] = {
        "role": "assistant",
        "content": "CCC",
        **({"tool_calls": written} if calls else {}),
    }
    messages = ({"role": "user", "content": "UUU"}, answer)
    prompt = build(source, messages, tools=OPENAI_TOOLS, add_generation_prompt=False).prompt
    return prompt.rpartition("UUU")[2]


def calls_in(message: ChatMessage) -> list[Call]:
    return [(call.name, json.loads(call.arguments)) for call in message.tool_calls]


@pytest.mark.parametrize(("template", "family"), TEMPLATES.items(), ids=TEMPLATES)
def test_templates_show_their_family(templates_dir: Path, template: str, family: str) -> None:
    found = describe(source_of(templates_dir, template))
    assert found is not None
    assert found.name == family


@pytest.mark.parametrize(("template", "family", "name"), CASES)
def test_what_templates_write_is_read_back(
    templates_dir: Path, template: str, family: str, name: str
) -> None:
    text = rendered(source_of(templates_dir, template), CALLS[name])
    message = parse_syntax(text, described_here(family))
    assert message.content == "CCC"
    assert calls_in(message) == _as_written(family, CALLS[name])


@pytest.mark.parametrize(("template", "family", "name"), CASES)
def test_what_templates_write_is_in_the_grammar(
    templates_dir: Path, template: str, family: str, name: str
) -> None:
    text = rendered(source_of(templates_dir, template), CALLS[name])
    has_python = family in PYTHON_OF.get(name, ())
    assert lark_of(family).accepts(text) != has_python
    assert gbnf_of(family).accepts(text) != has_python


def _as_written(family: str, calls: list[Call]) -> list[Call]:
    """Give what can be known of ``calls``.

    MiniMax-M3 leaves null out.
    """
    is_left_out = family == "minimax-m3"
    return [
        (
            name,
            {
                key: value
                for key, value in arguments.items()
                if value is not None or not is_left_out
            },
        )
        for name, arguments in calls
    ]


SPECIALS = {
    "glm-4.5": (
        "<tool_call>",
        "</tool_call>",
        "<arg_key>",
        "</arg_key>",
        "<arg_value>",
        "</arg_value>",
    ),
    "deepseek-v4": ("｜DSML｜", "<think>", "</think>"),
    "minimax-m3": ("]<]minimax[>[",),
    "kimi-k3": ("<|open|>", "<|close|>", "<|sep|>", "<|end_of_msg|>"),
}


@pytest.mark.parametrize("name", ["one", "two", "odd-text", "nested"])
@pytest.mark.parametrize("family", SPECIALS)
def test_special_tokens_end_texts(templates_dir: Path, family: str, name: str) -> None:
    template = next(key for key, value in TEMPLATES.items() if value == family)
    vocabulary = ByteVocabulary(SPECIALS[family])
    grammar = write_lark(described_here(family).output, vocabulary.ids)
    text = rendered(source_of(templates_dir, template), CALLS[name])
    assert LarkReader(grammar, vocabulary).accepts(text)


def values_of(message: ChatMessage) -> str:
    calls = "".join(call.name + call.arguments for call in message.tool_calls)
    return message.content + message.reasoning_content + calls


def parts_of(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[>\n])|(?=[<\]])", text) if part]


def drifts_of(text: str) -> list[str]:
    """Give ``text`` with one tag missing, doubled, moved, or with white space around it."""
    parts = parts_of(text)
    places = range(len(parts))
    changed = [[*parts[:n], *new, *parts[n + 1 :]] for n in places for new in _changed(parts[n])]
    moved = [[*parts[:n], *parts[n : n + 2][::-1], *parts[n + 2 :]] for n in places]
    texts = ["".join(one) for one in (*changed, *moved, parts[::-1])]
    return [*texts, f"<think>{text}</think>", f"{text}{text}", f"Well. {text} So.", text * 3]


def _changed(part: str) -> list[list[str]]:
    return [[], [part, part], [f" {part}\n"], [part.strip()], [part.upper()], [part[:-1]]]


@pytest.mark.parametrize("family", TAGGED_CALLS)
def test_calls_are_read(family: str) -> None:
    text = TAGGED_CALLS[family].replace("@@", "Paris")
    message = parse_syntax(text, described_here(family))
    assert calls_in(message) == CALLS["one"]
    assert not message.content


@pytest.mark.parametrize("family", TAGGED_CALLS)
def test_drift_loses_no_text(family: str) -> None:
    for text in drifts_of(TAGGED_CALLS[family].replace("@@", "zqneedlezq")):
        kept = values_of(parse_syntax(text, described_here(family)))
        assert kept.count("zqneedlezq") == text.count("zqneedlezq"), text


@pytest.mark.parametrize("family", TAGGED_CALLS)
def test_drift_is_read_the_same_by_character(family: str) -> None:
    for text in drifts_of(TAGGED_CALLS[family].replace("@@", "a < b"))[::5]:
        whole = summary(events_of(described_here(family), [text]))
        assert summary(events_of(described_here(family), list(text))) == whole, text


@pytest.mark.parametrize("family", TAGGED_CALLS)
def test_calls_may_be_cut_anywhere(family: str) -> None:
    text = TAGGED_CALLS[family].replace("@@", "abcdef")
    for size in range(len(text)):
        message = parse_syntax(text[:size], described_here(family))
        place = text.index("abcdef")
        assert text[place:size][:6] in values_of(message)
        if size > place + 6 and message.tool_calls:
            assert '"city": "abcdef' in message.tool_calls[0].arguments


@pytest.mark.parametrize("family", TAGGED_CALLS)
def test_a_call_inside_thinking_is_a_call(family: str) -> None:
    start, end = BY_NAME[family].thinking
    text = f"{start}So {TAGGED_CALLS[family].replace('@@', 'Paris')} now{end}"
    message = parse_syntax(text, described_here(family))
    assert calls_in(message) == CALLS["one"]
    assert message.reasoning_content == "Sonow"


@pytest.mark.parametrize("family", TAGGED_CALLS)
def test_unknown_names_are_kept(family: str) -> None:
    text = TAGGED_CALLS[family].replace("@@", "x").replace("days", "nights")
    message = parse_syntax(text.replace("get_weather", "get_weather_fast"), described_here(family))
    assert [call.name for call in message.tool_calls] == ["get_weather_fast"]
    assert json.loads(message.tool_calls[0].arguments) == {"city": "x", "nights": 3}


@pytest.mark.parametrize("family", TAGGED_CALLS)
def test_missing_white_space_does_no_harm(family: str) -> None:
    text = TAGGED_CALLS[family].replace("@@", "x")
    message = parse_syntax(text.replace("\n", ""), described_here(family))
    assert calls_in(message) == [("get_weather", {"city": "x", "days": 3})]


@pytest.mark.parametrize("family", TAGGED_CALLS)
def test_words_around_markers_are_no_calls(family: str) -> None:
    opener = described_here(family).triggers[0]
    for text in (f"Use {opener} to call.", f"{opener}", f"A {opener}\n\nand {opener}."):
        assert not parse_syntax(text, described_here(family)).tool_calls


@pytest.mark.parametrize("family", TAGGED_CALLS)
def test_enumerations_hold_in_the_grammar(family: str) -> None:
    tools = (
        ToolShape(
            name="mix",
            parameters={
                "properties": {
                    "unit": {"$ref": "#/$defs/Unit"},
                    "level": {"enum": ["low", 7, None]},
                    "maybe": {"anyOf": [{"$ref": "#/$defs/Unit"}, {"type": "null"}]},
                },
                "required": ["unit", "level", "maybe"],
                "$defs": {"Unit": {"enum": ["C", "F"]}},
            },
        ),
    )
    description = compose(BY_NAME[family], tools, tool_choice="mix", parallel=False)
    reader = LarkReader(write_lark(description.output, {}))
    for seed in range(20):
        example = write_example(description, randomness(seed))
        ((name, arguments),) = calls_in(example.message)
        assert name == "mix"
        assert arguments["unit"] in {"C", "F"}
        assert reader.accepts(example.text)
        assert parse_syntax(example.text, description, make_id=str) == example.message
        wrong = example.text.replace(">C", ">K").replace(">F", ">K").replace("\nC", "\nK")
        assert not reader.accepts(wrong.replace("\nF", "\nK"))


def test_the_suffix_is_read_off_the_template(templates_dir: Path) -> None:
    source = source_of(templates_dir, "tencent-Hy3").replace(":opensource", "#7B")
    family = describe(source)
    assert family is not None
    assert family.thinking == ("<think#7B>", "</think#7B>")
    text = TAGGED_CALLS["hunyuan-3"].replace(":opensource", "#7B").replace("@@", "Paris")
    assert calls_in(parse_syntax(text, compose(family, TOOLS))) == CALLS["one"]


def test_the_calls_of_muse_stand_between_tags() -> None:
    call = muse_call(TOOLS)
    text = (
        '<atem:function_calls>\n<atem:invoke name="get_weather">\n'
        '<atem:parameter name="city">Paris</atem:parameter>\n'
        '<atem:parameter name="days">3</atem:parameter>\n'
        "</atem:invoke>\n</atem:function_calls>"
    )
    assert LarkReader(write_lark(call, {})).accepts(text)
    assert (
        calls_in(parse_syntax(text, Description(output=call, blocks=(Block(call),))))
        == (CALLS["one"])
    )


@pytest.mark.parametrize("is_thinking", [True, False])
def test_kimi_writes_sections(templates_dir: Path, *, is_thinking: bool) -> None:
    prompt = build(
        source_of(templates_dir, "Kimi-K3"),
        [{"role": "user", "content": "Hi"}],
        tools=OPENAI_TOOLS,
        chat_template_kwargs={"thinking": is_thinking},
    )
    thoughts = "Hm.<|close|>think<|sep|><|open|>response<|sep|>" if is_thinking else ""
    tools = TAGGED_CALLS["kimi-k3"].replace("@@", "Paris")
    end = "<|close|>message<|sep|><|end_of_msg|>"
    text = f"{thoughts}Let me see.<|close|>response<|sep|>{tools}{end}"
    message = prompt.parse(text)
    assert message.reasoning_content == ("Hm." if is_thinking else "")
    assert message.content == "Let me see."
    assert calls_in(message) == CALLS["one"]
    assert prompt.description is not None
    grammar = write_lark(prompt.description.output, {})
    assert LarkReader(grammar).accepts(prompt.begun + text)
