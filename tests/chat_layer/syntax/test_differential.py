"""The output syntax of unknown templates, read off the templates themselves."""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llamanb.chat_layer.probe import TOOL, Messages, probe, try_render
from llamanb.chat_layer.syntax import (
    Family,
    ToolShape,
    compose,
    describe,
    parse_syntax,
    write_example,
    write_lark,
)
from llamanb.chat_layer.syntax.differential import read_family
from llamanb.errors import TemplateLimitError
from tests.chat_layer.hostile_templates import HOSTILE
from tests.chat_layer.syntax.cases import TOOLS, WISHES, LarkReader, randomness
from tests.chat_layer.syntax.unknown_templates import CHAT, QUOTING, UNKNOWN

if TYPE_CHECKING:
    from pathlib import Path

UNREAD = {
    "HuggingFaceTB-SmolLM3-3B": "shows no calls",
    "LFM2-8B-A1B": "shows no calls",
    "LFM2.5-Instruct": "shows no calls",
    "deepseek-ai-DeepSeek-R1-Distill-Llama-8B": "shows no calls",
    "google-gemma-2-2b-it": "shows no calls",
    "ibm-granite-granite-3.3-2B-Instruct": "shows no calls",
    "llama-cpp-rwkv-world": "shows no calls",
    "microsoft-Phi-3.5-mini-instruct": "shows no calls",
    "Kimi-K3": "calls and reasoning are marked by the same tokens",
    "LFM2.5-8B-A1B": "shows Python",
    "MiniMax-M3": "shows the items of lists and objects as tags, too",
    "google-gemma-4-31B-it": "shows a notation of its own for values",
    "google-gemma-4-31B-it-interleaved": "shows a notation of its own for values",
    "meetkai-functionary-medium-v3.2": "the prompt has opened the call already",
    "muse-glimmer": "shows the name twice",
}
READ = (
    "Apertus-8B-Instruct",
    "Apriel-1.6-15b-Thinker-fixed",
    "Bielik-11B-v3.0-Instruct",
    "ByteDance-Seed-OSS",
    "Cohere2MoE",
    "CohereForAI-c4ai-command-r-plus-tool_use",
    "CohereForAI-c4ai-command-r7b-12-2024-tool_use",
    "GLM-4.6",
    "GLM-4.7-Flash",
    "GigaChat3-10B-A1.8B",
    "GigaChat3.1-10B-A1.8B",
    "Kimi-K2-Instruct",
    "Kimi-K2-Thinking",
    "MiMo-VL",
    "MiniMax-M1",
    "MiniMax-M2",
    "Mistral-Small-3.2-24B-Instruct-2506",
    "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
    "NVIDIA-Nemotron-Nano-v2",
    "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use",
    "NousResearch-Hermes-3-Llama-3.1-8B-tool_use",
    "Qwen-QwQ-32B",
    "Qwen-Qwen2.5-7B-Instruct",
    "Qwen-Qwen3-0.6B",
    "Qwen3-Coder",
    "Qwen3.5-4B",
    "Reka-Edge",
    "Spark2.5",
    "StepFun3.5-Flash",
    "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B",
    "deepseek-ai-DeepSeek-V3.1",
    "deepseek-ai-DeepSeek-V3.2",
    "deepseek-ai-DeepSeek-V4-Flash-0731",
    "deepseek-ai-DeepSeek-V4",
    "fireworks-ai-llama-3-firefunction-v2",
    "ibm-granite-granite-4.0",
    "ibm-granite-granite-4.1",
    "inclusionai-ling-3.0-flash",
    "llama-cpp-deepseek-r1",
    "meetkai-functionary-medium-v3.1",
    "meta-llama-Llama-3.1-8B-Instruct",
    "meta-llama-Llama-3.2-3B-Instruct",
    "meta-llama-Llama-3.3-70B-Instruct",
    "mistralai-Ministral-3-14B-Reasoning-2512",
    "mistralai-Mistral-Nemo-Instruct-2407",
    "moonshotai-Kimi-K2",
    "openai-gpt-oss-120b",
    "openbmb-MiniCPM5-1B",
    "poolside-Laguna-S-2.1",
    "poolside-Laguna-XS-2.1",
    "poolside-Laguna-XS.2",
    "tencent-Hy3",
    "unsloth-Apriel-1.5",
    "unsloth-mistral-Devstral-Small-2507",
    "upstage-Solar-Open-100B",
)
# Their templates write values that are no texts as Python does, or texts in ASCII: no JSON
# of the grammar, which models are held to; the parser takes both.
NOT_JSON = {
    ("ByteDance-Seed-OSS", "values"),
    ("ByteDance-Seed-OSS", "words"),
    ("NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "words"),
    ("Qwen3-Coder", "words"),
    ("Qwen3.5-4B", "words"),
    ("Reka-Edge", "texts"),
    ("Reka-Edge", "two"),
    ("StepFun3.5-Flash", "words"),
    ("openbmb-MiniCPM5-1B", "values"),
    ("openbmb-MiniCPM5-1B", "words"),
}


def source_of(templates_dir: Path, name: str) -> str:
    return (templates_dir / f"{name}.jinja").read_text(encoding="utf-8")


@cache
def reader_of(grammar: str) -> LarkReader:
    return LarkReader(grammar)


def family_of(source: str) -> Family:
    family = read_family(source)
    assert family is not None
    return family


ODD = "Pa\"ris\n</parameter> 🙂 <b>'s</b> {{x}} \\n [a]"
TEXTS = {"city": {"type": "string"}, "note": {"type": "string"}}
VALUES = {
    "number": {"type": "number"},
    "place": {"type": "object"},
    "tags": {"type": "array"},
    "flag": {"type": "boolean"},
    "none": {"type": "null"},
}
CALLED = (
    ToolShape(name="get_weather", parameters={"type": "object", "properties": TEXTS | VALUES}),
    ToolShape(name="get", parameters={"type": "object", "properties": {}}),
)
Call = tuple[str, dict[str, Any]]
CASES: dict[str, tuple[Call, ...]] = {
    "texts": (("get_weather", {"city": ODD, "note": "true"}),),
    "values": (("get_weather", {"number": -1.5, "place": {"a": [1, {}], "b": "\n"}, "tags": []}),),
    "words": (("get_weather", {"flag": True, "none": None}),),
    "nothing": (("get", {}),),
    "two": (("get", {}), ("get_weather", {"city": ODD})),
    "three": (
        ("get_weather", {"note": ""}),
        ("get_weather", {"city": "a", "number": 7}),
        ("get", {}),
    ),
}


def render(source: str, calls: tuple[Call, ...]) -> str:
    """Render a turn with ``calls`` and give what follows the user's words."""
    is_object = probe(source).object_arguments
    made = [
        {"name": name, "arguments": arguments if is_object else json.dumps(arguments)}
        for name, arguments in calls
    ]
    messages: Messages = [
        {"role": "user", "content": "qZuserZq"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": call_id(number), "type": "function", "function": function}
                for number, function in enumerate(made)
            ],
        },
    ]
    result = {"role": "tool", "content": "qZresultZq", "tool_call_id": call_id(0)}
    shown = try_render(source, messages, tools=[TOOL]) or try_render(source, [*messages, result])
    return shown.rpartition("qZuserZq")[2]


def call_id(number: int) -> str:
    return f"call0000{number}"


def check_round_trip(source: str, calls: tuple[Call, ...], *, is_json: bool = True) -> None:
    """Check that what ``source`` writes for ``calls`` is accepted, and read as these."""
    family = family_of(source)
    description = compose(family, CALLED, tool_choice="required")
    assert description.calls is not None
    text = render(source, calls)
    text = text[text.index(description.triggers[0]) :]
    assert any(re.match(one, text) for one in description.trigger_patterns)
    if is_json:
        written = reader_of(write_lark(description.calls, {})).accepted_start(text)
        assert not any(name in text[len(written) :] for name, _ in calls)
        text = written
    has_ids = call_id(0) in text
    message = parse_syntax("Well.\n" * family.anywhere + text, description)
    found = [(call.name, json.loads(call.arguments)) for call in message.tool_calls]
    assert found == list(calls)
    assert not is_json or message.content == "Well." * family.anywhere
    assert not has_ids or [call.id for call in message.tool_calls] == [
        call_id(number) for number in range(len(calls))
    ]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", READ)
def test_what_a_real_template_writes_is_accepted_and_read(
    templates_dir: Path, name: str, case: str
) -> None:
    source, calls = source_of(templates_dir, name), CASES[case]
    if len(calls) == 1 or family_of(source).is_parallel:
        check_round_trip(source, calls, is_json=(name, case) not in NOT_JSON)


@pytest.mark.parametrize("name", READ)
@settings(deadline=None, max_examples=15)
@given(wish=st.integers(0, len(WISHES) - 1), seed=st.integers(0, 1 << 32))
def test_examples_are_accepted_and_read(
    templates_dir: Path, name: str, wish: int, seed: int
) -> None:
    description = compose(family_of(source_of(templates_dir, name)), TOOLS, **WISHES[wish])
    example = write_example(description, randomness(seed))
    assert reader_of(write_lark(description.output, {})).accepts(example.text)
    assert parse_syntax(example.text, description, make_id=lambda: "") == example.message


def test_all_real_templates_are_accounted_for(templates_dir: Path) -> None:
    names = {file.stem for file in templates_dir.glob("*.jinja")}
    assert names == {*READ, *UNREAD}
    unread = {name for name in names if read_family(source_of(templates_dir, name)) is None}
    assert unread == {*UNREAD}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", UNKNOWN)
def test_what_an_unknown_template_writes_is_accepted_and_read(name: str, case: str) -> None:
    calls = CASES[case]
    if len(calls) == 1 or family_of(UNKNOWN[name]).is_parallel:
        check_round_trip(UNKNOWN[name], calls)


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_templates_are_of_no_known_family(name: str) -> None:
    assert describe(UNKNOWN[name]) is None


@pytest.mark.parametrize("case", CASES)
def test_a_format_quoted_in_the_instructions_is_not_taken_for_a_call(case: str) -> None:
    check_round_trip(QUOTING, CASES[case])


def test_only_one_call_where_the_template_shows_one() -> None:
    assert not family_of(UNKNOWN["indented-json"]).is_parallel
    assert family_of(UNKNOWN["own-keys"]).is_parallel


def test_plain_words_begin_a_call_only_with_the_name_of_a_tool() -> None:
    (pattern,) = compose(family_of(UNKNOWN["plain-words"]), CALLED).trigger_patterns
    assert re.search(pattern, "So I call get_weather with {")
    assert not re.search(pattern, "I call getting away with it care")
    assert not re.search(pattern, "I call this with care")


def test_a_bare_object_begins_a_call_only_with_the_name_of_a_tool() -> None:
    (pattern,) = compose(family_of(UNKNOWN["bare"]), CALLED).trigger_patterns
    assert re.search(pattern, '{"fn": "get", "in": {}}')
    assert not re.search(pattern, '{"fn": "x"}')


def test_a_template_without_calls_gives_nothing() -> None:
    assert read_family(CHAT) is None
    assert read_family("") is None


HOSTILE_NAMES = ("output", "endless-nested-loops", "recursion", "raises", "open-tag", "deep-ifs")
LATE = "{% for m in messages %}{{ m.content }}{% if m.tool_calls %}WHAT{% endif %}{% endfor %}"
NAMED = "{{ m.tool_calls[0].function.name }}"
LATE_ATTACKS = {
    "loops": "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
    "much": "{% for i in range(4000) %}{{ '{' * 900 }}{% endfor %}" + NAMED,
    "braces": "{{ '{' * 19000 }}" + NAMED + "{{ '{' * 900 }}",
    "deep-json": '{{ \'{"a":\' * 3000 }}"' + NAMED + "\"{{ '}' * 3000 }}",
    "long-number": '{"name": "' + NAMED + '", "n": ' + "7" * 9_000 + "}",
    "markers": "<a>" * 3_000 + NAMED + "</a>" * 2_000,
    "brackets": "<" * 9_000 + NAMED + "[" * 9_000,
    "name-only": NAMED,
}


@pytest.mark.parametrize(
    "source",
    [
        *(pytest.param(HOSTILE[name], id=name) for name in HOSTILE_NAMES),
        *(pytest.param(LATE.replace("WHAT", one), id=name) for name, one in LATE_ATTACKS.items()),
    ],
)
def test_a_hostile_template_gives_nothing_in_time(source: str) -> None:
    start = time.thread_time()
    with suppress(TemplateLimitError):
        assert read_family(source) is None
    assert time.thread_time() - start < 5
