"""What models really write where their family's syntax leaves room, or is not kept."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest

from llamanb.chat_layer.syntax import (
    Description,
    Thinking,
    ToolShape,
    compose,
    join_events,
    parse_syntax,
    write_lark,
)
from llamanb.chat_layer.syntax.compose import answer_of
from tests.chat_layer.syntax.cases import (
    BY_NAME,
    TOOLS,
    LarkReader,
    events_of,
    pieces_of,
    summary,
)

Calls = list[tuple[str, Any]]
Expected = tuple[str, str, Calls]
CODE = ToolShape(
    name="python",
    parameters={
        "type": "object",
        "properties": {"source": {"type": "string"}},
        "required": ["source"],
    },
)
ALL_TOOLS = (*TOOLS, CODE)
PARIS: Calls = [("get_weather", {"city": "Paris"})]
GET: Calls = [("get", {})]
OBJECT = '{"name": "get_weather", "arguments": {"city": "Paris"}}'
HERMES = f"<tool_call>\n{OBJECT}\n</tool_call>"
LFM = '<|tool_call_start|>[get_weather(city="Paris")]<|tool_call_end|>'
TAGS = "<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n</function>\n</tool_call>"
HARMONY = '<|message|>{"city": "Paris"}'


def of(name: str, **wishes: Any) -> Description:
    return compose(BY_NAME[name], ALL_TOOLS, **wishes)


def read(text: str, description: Description) -> Expected:
    message = parse_syntax(text, description)
    calls = [(call.name, json.loads(call.arguments)) for call in message.tool_calls]
    return message.content, message.reasoning_content, calls


THOUGHTS = [
    pytest.param(
        "hermes", f"<think>Or {HERMES} then</think>Hi", ("Hi", f"Or {HERMES} then", []), id="answer"
    ),
    pytest.param(
        "hermes", f"<think>Or {HERMES}</think>{HERMES}", ("", f"Or {HERMES}", PARIS), id="call"
    ),
    pytest.param("hermes", f"<think>So {HERMES}", ("", "So", PARIS), id="never-closed"),
    pytest.param(
        "hermes", f"<think>So {HERMES}{HERMES}", ("", "So", PARIS * 2), id="never-closed-twice"
    ),
    pytest.param("hermes", f"<think>So {HERMES}\nDone.", ("Done.", "So", PARIS), id="text-after"),
    pytest.param(
        "hermes", f"<think>So {HERMES}\n</think>\n", ("", "So", PARIS), id="nothing-after"
    ),
    pytest.param(
        "hermes",
        "<think>I write <tool_call> first</think>Hi",
        ("Hi", "I write <tool_call> first", []),
        id="only-a-marker",
    ),
    pytest.param("lfm2", f"<think>Or {LFM}</think>Hi", ("Hi", f"Or {LFM}", []), id="lfm2"),
    pytest.param(
        "mistral",
        '[THINK]Or [TOOL_CALLS]get[ARGS]{}?[/THINK][TOOL_CALLS]get_weather[ARGS]{"city": "Paris"}',
        ("", "Or [TOOL_CALLS]get[ARGS]{}?", PARIS),
        id="mistral",
    ),
    pytest.param(
        "qwen-coder", f"<think>So\n<tool_call>\n{TAGS}", ("", "So", PARIS), id="qwen-coder"
    ),
]
UNMARKED = [
    pytest.param("hermes", OBJECT, ("", "", PARIS), id="bare"),
    pytest.param("hermes", f"```json\n{OBJECT}\n```", ("", "", PARIS), id="fenced"),
    pytest.param("hermes", f"<tools>\n{OBJECT}\n</tools>", ("", "", PARIS), id="tools"),
    pytest.param(
        "hermes",
        '<function=get_weather>{"city": "Paris"}</function>',
        ("", "", PARIS),
        id="function",
    ),
    pytest.param("hermes", OBJECT.replace("get_", "put_"), None, id="bare-unknown"),
    pytest.param("hermes", f"Like {OBJECT}", None, id="bare-later"),
    pytest.param("hermes", "[1] is the source.", None, id="citation"),
    pytest.param("hermes", f"<tool_call>\n{HERMES}", ("", "", PARIS), id="marker-twice"),
    pytest.param("hermes", HERMES.replace("}}", "}}}"), ("", "", PARIS), id="brace-too-many"),
    pytest.param("mistral-nemo", f"[{OBJECT}]", ("", "", PARIS), id="list"),
    pytest.param(
        "llama-3",
        '{"name": "get", "parameters": {}}; {"name": "get", "parameters": {}}',
        ("", "", GET * 2),
        id="semicolon",
    ),
    pytest.param("llama-3", '[get_weather(city="Paris")]', ("", "", PARIS), id="python-list"),
    pytest.param(
        "llama-3", '<|python_tag|>get_weather.call(city="Paris")', ("", "", PARIS), id="built-in"
    ),
    pytest.param("lfm2", '[get_weather(city="Paris")]', ("", "", PARIS), id="lfm2"),
    pytest.param("lfm2", "[gone(city=1)]", None, id="lfm2-unknown"),
    pytest.param("qwen-coder", TAGS, ("", "", PARIS), id="qwen-coder"),
    pytest.param("qwen-coder", f"Well.\n{TAGS}", ("Well.", "", PARIS), id="qwen-coder-later"),
    pytest.param("qwen-coder", f"<tool_call>\n{OBJECT}\n</tool_call>", ("", "", PARIS), id="json"),
    pytest.param(
        "qwen-coder",
        '<tool_call>\n<function=get_weather>{"city": "Paris"}</function>\n</tool_call>',
        ("", "", PARIS),
        id="json-in-tags",
    ),
    pytest.param("qwen-coder", "Write `<function=get>` for it.", None, id="only-a-name"),
    pytest.param(
        "mistral", '[TOOL_CALLS]get_weather{"city": "Paris"}', ("", "", PARIS), id="no-args-marker"
    ),
    pytest.param("mistral", f"[TOOL_CALLS][{OBJECT}]", ("", "", PARIS), id="earlier-list"),
    pytest.param(
        "glm-4.5",
        "<tool_call>\nget_weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n"
        "</tool_call>",
        ("", "", PARIS),
        id="line-before-the-name",
    ),
    pytest.param(
        "command-r-plus",
        f"Action:\n```json\n[{OBJECT.replace('name', 'tool_name')}]\n```",
        ("", "", PARIS),
        id="fence-on-its-own-line",
    ),
]
PRINT: Calls = [("python", {"source": "print(1)\n'x'"})]
CODES = [
    pytest.param("llama-3", "<|python_tag|>print(1)\n'x'", ("", "", PRINT), id="llama-3"),
    pytest.param("functionary-3.1", "<|python_tag|>print(1)\n'x'", ("", "", PRINT), id="3.1"),
    pytest.param("functionary-3.2", ">>>python\nprint(1)\n'x'", ("", "", PRINT), id="3.2"),
    pytest.param(
        "functionary-3.2",
        '>>>python\n{"source": "1"}',
        ("", "", [("python", {"source": "1"})]),
        id="3.2-json",
    ),
]
CHANNELS = [
    pytest.param(f"{header}{HARMONY}", ("", "", PARIS), id=header)
    for header in (
        " to=functions.get_weather<|channel|>analysis",
        "<|channel|>analysis to=functions.get_weather",
        " to=functions.get_weather<|channel|>commentary <|constrain|>json",
        "<|channel|>commentary to=functions.get_weather json",
        "<|channel|>commentary to=get_weather",
        "<|channel|>commentary to=functions.get_weather<|channel|>commentary",
    )
]
CHANNELS += [
    pytest.param(
        f"<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant{HARMONY}".replace(
            HARMONY, f" to=functions.get_weather<|channel|>analysis{HARMONY}<|call|>"
        ),
        ("", "Hm.", PARIS),
        id="after-analysis",
    ),
    pytest.param(
        '<|channel|>commentary to=functions.gone<|message|>{"a": 1}',
        ("", "", [("gone", {"a": 1})]),
        id="unknown-tool",
    ),
    pytest.param(
        "<|channel|>commentary to=assistant<|channel|>final<|message|>Hi<|return|>",
        ("Hi", "", []),
        id="header-in-a-header",
    ),
    pytest.param(
        "<|channel|>commentary to=browser.search code<|message|>x = 1<|call|>",
        ("x = 1", "", []),
        id="to-nobody",
    ),
    pytest.param(
        "<|channel|>analysis<|message|>Hm.<|start|>assistant<|channel|>final<|message|>Hi",
        ("Hi", "Hm.", []),
        id="no-end",
    ),
]
STRAYS = [
    pytest.param("gemma-4", "Hi.<channel|>", ("Hi.", "", []), id="end"),
    pytest.param(
        "gemma-4", "Hi.<|channel>thought\n<channel|>", ("Hi.", "", []), id="empty-thought"
    ),
    pytest.param(
        "gemma-4", "<|channel><|channel>thought\nA<channel|>B", ("B", "A", []), id="twice"
    ),
    pytest.param("hermes", "</think>\n\nHi", ("Hi", "", []), id="end-of-no-thought"),
    pytest.param("hermes", f"</think>{HERMES}", ("", "", PARIS), id="end-before-a-call"),
    pytest.param("hermes", "A </think> is a tag.", None, id="end-in-the-text"),
]
HARMONIES = [pytest.param("gpt-oss", *one.values, id=one.id) for one in CHANNELS]
ALL = [*THOUGHTS, *UNMARKED, *CODES, *HARMONIES, *STRAYS]


@pytest.mark.parametrize(("name", "text", "expected"), ALL)
def test_real_outputs_are_understood(name: str, text: str, expected: Expected | None) -> None:
    assert read(text, of(name)) == (expected or (text, "", []))


@pytest.mark.parametrize(("name", "text", "expected"), ALL)
def test_they_are_read_the_same_by_character(
    name: str, text: str, expected: Expected | None
) -> None:
    del expected
    whole = summary(events_of(of(name), [text]))
    for size in (1, 2, 5):
        assert summary(events_of(of(name), pieces_of(text, size))) == whole


@pytest.mark.parametrize(("name", "text", "expected"), ALL)
def test_what_was_said_stays_said(name: str, text: str, expected: Expected | None) -> None:
    del expected
    description = of(name)
    whole = join_events(events_of(description, [text]))
    for end in range(len(text)):
        part = parse_syntax(text[:end], description, is_partial=True)
        assert whole.content.startswith(part.content)
        assert whole.reasoning_content.startswith(part.reasoning_content)
        assert len(part.tool_calls) <= len(whole.tool_calls)
        for mine, last in zip(part.tool_calls, whole.tool_calls, strict=False):
            assert mine.name == last.name
            assert last.arguments.startswith(mine.arguments)


def test_a_call_in_thought_costs_no_more_than_once() -> None:
    text = "<think>" + f"Or {HERMES} " * 400 + "</think>Hi"
    message = join_events(events_of(of("hermes"), pieces_of(text, 3)))
    assert (message.content, message.tool_calls) == ("Hi", ())
    assert message.reasoning_content.count("<tool_call>") == 400


ARGUMENTS = {
    "city": "<parameter=city>\nParis\n</parameter>\n",
    "place": '<parameter=place>\n{"lat": 1}\n</parameter>\n',
    "days": "<parameter=days>\n3\n</parameter>\n",
    "unit": "<parameter=unit>\nC\n</parameter>\n",
}


def grammar_of(name: str, tool: ToolShape) -> LarkReader:
    description = compose(BY_NAME[name], [tool], tool_choice="required", parallel=False)
    return LarkReader(write_lark(description.output, {}))


def with_arguments(*names: str) -> str:
    inner = "".join(ARGUMENTS[name] for name in names)
    return f"<tool_call>\n<function=get_weather>\n{inner}</function>\n</tool_call>"


def test_tagged_arguments_may_come_in_any_order() -> None:
    reader = grammar_of("qwen-coder", TOOLS[1])
    for names in permutations(ARGUMENTS):
        assert reader.accepts(with_arguments(*names))
    assert reader.accepts(with_arguments("place", "city"))
    assert not reader.accepts(with_arguments("city", "days"))
    assert not reader.accepts(with_arguments("city", "place", "city"))


@pytest.mark.parametrize("number", range(1, 8))
def test_needed_arguments_cannot_be_left_out(number: int) -> None:
    properties = {f"a{place}": {"type": "integer"} for place in range(number)}
    for n_needed in range(number + 1):
        needed = list(properties)[:n_needed]
        parameters = {"type": "object", "properties": properties, "required": needed}
        reader = grammar_of("glm-4.7", ToolShape(name="f", parameters=parameters))
        for missing in properties:
            given = [name for name in properties if name != missing]
            text = "".join(f"<arg_key>{name}</arg_key><arg_value>1</arg_value>" for name in given)
            assert reader.accepts(f"<tool_call>f{text}</tool_call>") == (missing not in needed)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("hermes", '<tool_call>\n{"name": "get", "arguments": {}}</tool_call>'),
        pytest.param("ling-3", "<tool_call>get\n</tool_call>"),
        pytest.param("ling-3", "<tool_call>get</tool_call>"),
        pytest.param("qwen-coder", "<function=get>\n</function>\n</tool_call>"),
        pytest.param(
            "command-r-plus", 'Action:\n```json\n[{"tool_name": "get", "parameters": {}}]```'
        ),
        pytest.param(
            "deepseek-r1",
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get\n```json\n{}```"
            "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        ),
        pytest.param("gpt-oss", " to=functions.get<|channel|>analysis<|message|>{}<|call|>"),
        pytest.param(
            "nemotron-nano-2", '<TOOLCALL>[{"name": "get", "arguments": {}}]</TOOLCALL>\n'
        ),
    ],
)
def test_the_grammar_leaves_room(name: str, text: str) -> None:
    description = compose(BY_NAME[name], TOOLS, tool_choice="required", thinking=Thinking())
    assert LarkReader(write_lark(description.output, {})).accepts(text)


def test_a_fence_around_an_asked_json_answer_is_no_part_of_it() -> None:
    answer = answer_of(json_schema={"type": "object"})
    description = compose(BY_NAME["hermes"], answer=answer)
    assert read('```json\n{"a": "```"}\n```', description) == ('{"a": "```"}', "", [])
    assert read('{"a": "```json"}', description)[0] == '{"a": "```json"}'
    assert read("```json\n{}\n```", compose(BY_NAME["hermes"]))[0] == "```json\n{}\n```"


def test_channels_go_on_in_reasoning_that_the_prompt_began() -> None:
    description = of("gpt-oss", thinking_open=True)
    text = " more.<|end|><|start|>assistant<|channel|>final<|message|>Hi<|return|>"
    assert read(text, description) == ("Hi", "more.", [])
    assert LarkReader(write_lark(description.output, {})).accepts(text)


def test_a_marked_answer_stays_marked_off_from_reasoning_that_is_not_told() -> None:
    starts = ("<|START_RESPONSE|>",)
    description = of("command-r7b", thinking=Thinking(), content_starts=starts)
    text = "<|START_THINKING|>Hm<|END_THINKING|><|START_RESPONSE|>Hi<|END_RESPONSE|>"
    assert read(text, description) == ("<|START_THINKING|>Hm<|END_THINKING|>Hi", "", [])
