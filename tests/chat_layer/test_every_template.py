"""Every real template through the front door: prompts, examples, damaged outputs."""

from __future__ import annotations

import itertools
import os
import random
import re
from typing import TYPE_CHECKING, Any

import pytest

from llamanb.chat_layer import ChatPrompt, StreamParser, build, parse
from llamanb.chat_layer.syntax import join_events, write_example, write_lark
from tests.chat_layer.conversations import SYSTEM, USER, call, called, result
from tests.chat_layer.reference import NOW
from tests.chat_layer.syntax.cases import LarkReader, mutated, pieces_of, randomness

if TYPE_CHECKING:
    from pathlib import Path

    from llamanb.chat_layer import ChatMessage
    from llamanb.chat_layer.syntax import Example

BOUNDARIES: dict[str, Any] = {"bos_token": "<s>", "eos_token": "</s>"}
PLACE = {
    "type": "object",
    "properties": {
        "lat": {"type": "number"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "inner": {"type": "object", "properties": {"text": {"type": "string"}}},
    },
    "required": ["lat"],
}
WEATHER = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "where"},
        "days": {"type": "integer"},
        "unit": {"enum": ["C", "F"]},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}, {"type": "integer"}]},
        "place": PLACE,
    },
    "required": ["city", "place"],
}
TOOLS = [
    {
        "type": "function",
        "function": {"name": "get_weather", "description": "The weather.", "parameters": WEATHER},
    },
    {
        "type": "function",
        "function": {
            "name": "get",
            "description": "Takes nothing.",
            "parameters": {"type": "object", "properties": {}},
        },
    },
]
DAMAGED = int(os.environ.get("LLAMANB_TEST_DAMAGED", "3000"))  # 10,000 for a release
ARGUMENTS = {"city": 'say "hi"\n</parameter> 🙂', "place": {"lat": 1.5, "tags": ["a", "b"]}}
SECOND = call({"city": "Rome", "place": {"lat": 2}}, "call_2")
CASES: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "plain": ([USER], {}),
    "system": ([SYSTEM, USER], {}),
    "one tool": ([USER], {"tools": TOOLS[:1]}),
    "two tools": ([SYSTEM, USER], {"tools": TOOLS}),
    "round trip": (
        [USER, called(call(ARGUMENTS)), result("needle"), USER],
        {"tools": TOOLS},
    ),
    "parallel round trip": (
        [USER, called(call(ARGUMENTS), SECOND), result("1"), result("needle", "call_2")],
        {"tools": TOOLS},
    ),
    "required": ([USER], {"tools": TOOLS, "tool_choice": "required"}),
    "named": ([USER], {"tools": TOOLS, "tool_choice": "get"}),
    "schema": ([USER], {"json_schema": WEATHER}),
}
# The templates that show tools in no way: build describes them in the system message.
SHOW_NO_TOOLS = {
    "HuggingFaceTB-SmolLM3-3B",
    "deepseek-ai-DeepSeek-R1-Distill-Llama-8B",
    "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B",
    "deepseek-ai-DeepSeek-V3.1",
    "google-gemma-2-2b-it",
    "llama-cpp-rwkv-world",
    "microsoft-Phi-3.5-mini-instruct",
}


@pytest.fixture(scope="session")
def templates(templates_dir: Path) -> dict[str, str]:
    files = sorted(templates_dir.glob("*.jinja"))
    return {path.stem: path.read_text(encoding="utf-8") for path in files}


def built(source: str, messages: list[dict[str, Any]], **options: Any) -> ChatPrompt:
    return build(source, messages, now=NOW, special_tokens={}, **BOUNDARIES, **options)


@pytest.mark.parametrize("thinking", [True, False, None])
@pytest.mark.parametrize("case", CASES)
def test_every_prompt_is_built(
    templates: dict[str, str], case: str, *, thinking: bool | None
) -> None:
    messages, options = CASES[case]
    wrong = []
    for name, source in templates.items():
        prompt = built(source, messages, enable_thinking=thinking, **options)
        shown = [tool["function"]["name"] in prompt.prompt for tool in options.get("tools", ())]
        told = str(messages[-1]["content"]) in prompt.prompt
        is_constrained = bool(prompt.grammar) == bool(options)
        if not (all(shown) and told and is_constrained):
            wrong.append((name, shown, told, prompt.grammar[:60]))
    assert wrong == []


def test_templates_without_tools_are_known(templates: dict[str, str]) -> None:
    repaired = {
        name
        for name, source in templates.items()
        if "the tools were described in the system message"
        in built(source, [USER], tools=TOOLS).repairs
    }
    assert repaired == SHOW_NO_TOOLS


def examples(prompt: ChatPrompt, count: int = 10) -> list[Example]:
    """Give outputs with no call, one, and more, as far as the family writes them."""
    assert prompt.description is not None
    made = [write_example(prompt.description, randomness(seed)) for seed in range(80)]
    by_calls = {n: [one for one in made if len(one.message.tool_calls) == n] for n in range(4)}
    turns = itertools.chain(*itertools.zip_longest(*by_calls.values()))
    return list(itertools.islice((one for one in turns if one is not None), count))


def told(message: ChatMessage) -> tuple[Any, ...]:
    """Give what must be the same, whatever ids calls without one were given."""
    calls = [(one.name, one.args) for one in message.tool_calls]
    return message.content, message.reasoning_content, calls


def test_examples_of_every_template_are_accepted_and_parsed_back(
    templates: dict[str, str],
) -> None:
    wrong: list[Any] = []
    for name, source in templates.items():
        prompt = built(source, [USER], tools=TOOLS)
        assert prompt.description is not None
        reader = LarkReader(write_lark(prompt.description.output, {}))
        begun = prompt.description.begun
        made = examples(prompt)
        assert {min(len(one.message.tool_calls), 1) for one in made} == {0, 1}, name
        for one in made:
            text = one.text.removeprefix(begun)
            cuts = [stop for stop in prompt.additional_stops if stop in text[: -len(stop)]]
            if cuts:
                wrong.append((name, "stop", cuts, one.text))
            if not reader.accepts(one.text):
                wrong.append((name, "grammar", one.text))
            if told(prompt.parse(text)) != told(one.message):
                wrong.append((name, "parse", one.text, prompt.parse(text)))
    assert wrong[:3] == []


def test_examples_of_every_template_stream_monotonically(templates: dict[str, str]) -> None:
    for name, source in templates.items():
        prompt = built(source, [USER], tools=TOOLS)
        assert prompt.description is not None
        for one in examples(prompt, 4):
            text = one.text.removeprefix(prompt.description.begun)
            parser, events = StreamParser(prompt), []
            for place, character in enumerate(text):
                events += parser.feed(character)
                if place % 13 == 0:
                    part = parse(text[: place + 1], prompt, is_partial=True)
                    assert shown(part) == shown(join_events(events)), (name, text[: place + 1])
            events += parser.finish()
            assert shown(join_events(events)) == shown(prompt.parse(text)), name


def shown(message: ChatMessage) -> tuple[Any, ...]:
    calls = [(one.name, one.arguments) for one in message.tool_calls]
    return message.content, message.reasoning_content, calls


def words_of(text: str) -> set[str]:
    return set(re.findall(r"qz\d+zq", text))


def test_damaged_outputs_lose_no_word(templates: dict[str, str]) -> None:
    """Odd words stand where text, names and arguments are; none may disappear."""
    rng = random.Random(7)  # noqa: S311  # examples, no secrets
    count = 0
    prompts = [built(source, [USER], tools=TOOLS) for source in templates.values()]
    texts = [(prompt, one.text) for prompt in prompts for one in examples(prompt, 12)]
    while count < DAMAGED:
        prompt, text = rng.choice(texts)
        damaged = mutated(_with_words(text, rng), rng)
        message = prompt.parse(damaged)
        kept = repr((shown(message), [one.id for one in message.tool_calls]))
        lost = [word for word in words_of(damaged) if word not in kept]
        assert not lost, (prompt.format, damaged, message)
        count += 1


def _with_words(text: str, rng: random.Random) -> str:
    """Put odd words between the words of the text."""
    parts = text.split(" ")
    for _ in range(3):
        parts.insert(rng.randint(0, len(parts)), f"qz{rng.randint(0, 999)}zq")
    return " ".join(parts)


def test_every_cut_of_an_output_can_be_parsed(templates: dict[str, str]) -> None:
    made = [built(source, [USER], tools=TOOLS) for source in templates.values()]
    # Templates of one family have the same syntax, and are parsed in the same way.
    for prompt in {repr(prompt.description): prompt for prompt in made}.values():
        text = examples(prompt, 3)[-1].text
        whole = [prompt.parse(text[:size]) for size in range(len(text) + 1)]
        assert len(whole) == len(text) + 1
        assert pieces_of(text, 1) == list(text)
