"""The parser gives back what was written, however it is cut, and loses nothing."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llamanb.chat_layer import TextDelta, ToolArgumentsDelta, ToolCallEnd
from llamanb.chat_layer.syntax import (
    Block,
    Description,
    SyntaxParser,
    ToolShape,
    compose,
    join_events,
    parse_syntax,
    write_example,
)
from llamanb.chat_layer.syntax.calls import argument_json
from llamanb.chat_layer.syntax.elements import Literal, Until, sequence
from tests.chat_layer.syntax.cases import (
    BY_NAME,
    WISHES,
    described,
    events_of,
    mutated,
    pieces_of,
    randomness,
    summary,
)

SEEDS = st.integers(0, 1 << 32)


def no_id() -> str:
    return ""


@pytest.mark.parametrize("name", BY_NAME)
@settings(deadline=None, max_examples=30)
@given(wish=st.integers(0, len(WISHES) - 1), seed=SEEDS)
def test_every_example_is_parsed_back(name: str, wish: int, seed: int) -> None:
    description = described(name, wish)
    example = write_example(description, randomness(seed))
    assert parse_syntax(example.text, description, make_id=no_id) == example.message


@pytest.mark.parametrize("name", BY_NAME)
@settings(deadline=None, max_examples=20)
@given(seed=SEEDS, size=st.integers(1, 9), damaged=st.booleans())
def test_text_cut_anywhere_gives_the_same(
    name: str, seed: int, size: int, *, damaged: bool
) -> None:
    rng, description = randomness(seed), described(name)
    text = write_example(description, rng).text
    text = mutated(text, rng) if damaged else text
    whole = summary(events_of(description, [text]))
    assert summary(events_of(description, pieces_of(text, size))) == whole


@pytest.mark.parametrize("name", BY_NAME)
@settings(deadline=None, max_examples=20)
@given(seed=SEEDS, damaged=st.booleans())
def test_every_prefix_is_the_beginning_of_the_whole(name: str, seed: int, *, damaged: bool) -> None:
    rng, description = randomness(seed), described(name)
    text = write_example(description, rng).text
    text = mutated(text, rng) if damaged else text
    whole = parse_syntax(text, description, make_id=no_id)
    part = parse_syntax(
        text[: rng.randint(0, len(text))], description, is_partial=True, make_id=no_id
    )
    assert whole.content.startswith(part.content)
    assert whole.reasoning_content.startswith(part.reasoning_content)
    for one, other in zip(part.tool_calls, whole.tool_calls, strict=False):
        assert (one.id, one.name) == (other.id, other.name)
        assert other.arguments.startswith(one.arguments)
    assert len(part.tool_calls) <= len(whole.tool_calls)


@pytest.mark.parametrize("name", BY_NAME)
@settings(deadline=None, max_examples=60)
@given(seed=SEEDS)
def test_damaged_outputs_lose_no_text(name: str, seed: int) -> None:
    rng = randomness(seed)
    description = described(name, rng.choice([0, 5]))
    text = mutated(write_example(description, rng).text, rng)
    needles = [f"zq{number}zq" for number in range(4)]
    for needle in needles:
        place = rng.randint(0, len(text))
        text = text[:place] + needle + text[place:]
    text = mutated(text, rng) if rng.random() < 0.5 else text
    message = join_events(events_of(description, [text]))
    kept = message.content + message.reasoning_content
    kept += "".join(call.id + call.name + call.arguments for call in message.tool_calls)
    assert all(kept.count(needle) >= text.count(needle) for needle in needles)


def calls_of(name: str, text: str) -> list[tuple[str, str]]:
    message = parse_syntax(text, described(name), make_id=no_id)
    return [(call.name, call.arguments) for call in message.tool_calls]


GET = [("get", "{}")]
OBJECT = '{"name": "get", "arguments": {}}'


@pytest.mark.parametrize(
    ("name", "text", "calls"),
    [
        pytest.param("hermes", f"<tool_call>{OBJECT}</tool_call>", GET, id="no-newlines"),
        pytest.param("hermes", f"  <tool_call> \n\n {OBJECT} </tool_call> ", GET, id="spaces"),
        pytest.param("hermes", f"<tool_call>\n{OBJECT}", GET, id="no-end-tag"),
        pytest.param("hermes", f"<tool_call>\n{OBJECT}\n</tool_c", GET, id="cut-end-tag"),
        pytest.param("hermes", f"<tool_call>\n<tool_call>\n{OBJECT}", GET, id="tag-twice"),
        pytest.param(
            "hermes", '<tool_call>{"arguments": {}, "name": "get"}</tool_call>', GET, id="order"
        ),
        pytest.param(
            "hermes", '<tool_call>{"name": "get", "parameters": {}}</tool_call>', GET, id="spelling"
        ),
        pytest.param("hermes", '<tool_call>{"name": "get"}</tool_call>', GET, id="no-arguments"),
        pytest.param(
            "hermes",
            '<tool_call>{"type": "function", "function": ' + OBJECT + "}</tool_call>",
            GET,
            id="wrapped",
        ),
        pytest.param(
            "hermes",
            '<tool_call>{"name": "get", "arguments": "{\\"a\\": 1}"}</tool_call>',
            [("get", '{"a": 1}')],
            id="arguments-as-string",
        ),
        pytest.param(
            "hermes",
            f"<think>So <tool_call>\n{OBJECT}\n</tool_call></think>",
            GET,
            id="inside-thinking",
        ),
        pytest.param(
            "hermes",
            '<tool_call>\n{"name": "gone", "arguments": {"a": 1}}\n</tool_call>',
            [("gone", '{"a": 1}')],
            id="unknown-tool",
        ),
        pytest.param(
            "hermes",
            '<tool_call>\n{"name": "get", "arguments": {"a": "</tool_call>"}}\n</tool_call>',
            [("get", '{"a": "</tool_call>"}')],
            id="tag-in-string",
        ),
        pytest.param("hermes", "Write <tool_call> to call.", [], id="tag-in-content"),
        pytest.param("llama-3", '{"name": "get", "parameters": {}}', GET, id="bare"),
        pytest.param(
            "llama-3", '<|python_tag|>{"name": "get", "parameters": {}}', GET, id="python-tag"
        ),
        pytest.param("llama-3", '{"name": "Bob", "age": 3}', [], id="json-answer"),
        pytest.param("llama-3", 'Use {"name": "get", "parameters": {}}', [], id="json-later"),
        pytest.param(
            "qwen-coder",
            "<tool_call>\n<function=get_weather>\n<parameter=city>\na\n</parameter>\nb\n"
            "</parameter>\n<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>",
            [("get_weather", '{"city": "a"}')],
            id="early-end-is-the-end",
        ),
        pytest.param(
            "qwen-coder",
            "<tool_call>\n<function=get_weather>\n<parameter=days>\n3\n</parameter>\n"
            "<parameter=city>\na</parameter>\n</function>\n</tool_call>",
            [("get_weather", '{"days": 3, "city": "a"}')],
            id="order-and-newline",
        ),
        pytest.param(
            "qwen-coder",
            "<tool_call>\n<function=get>\n</function>\n</tool_call>",
            GET,
            id="names-that-begin-alike",
        ),
        pytest.param(
            "qwen-coder",
            "<tool_call>\n<function=get_weather>\n<parameter=place>\n{'lat': None, 'ok': True}\n"
            "</parameter>\n<parameter=note>\nnull\n</parameter>\n<parameter=x>\nNone\n</parameter>\n"
            "</function>\n</tool_call>",
            [("get_weather", '{"place": {"lat": null, "ok": true}, "note": null, "x": null}')],
            id="python-words",
        ),
        pytest.param(
            "mistral", "[TOOL_CALLS]get[ARGS]{}[TOOL_CALLS]get[ARGS]{}", GET * 2, id="two"
        ),
        pytest.param(
            "mistral-nemo", '[TOOL_CALLS] [{"name": "get", "arguments": {}}]', GET, id="no-id"
        ),
        pytest.param(
            "gpt-oss",
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary "
            "to=functions.get <|constrain|>json<|message|>{}<|call|>",
            GET,
            id="harmony",
        ),
    ],
)
def test_what_models_really_write(name: str, text: str, calls: list[tuple[str, str]]) -> None:
    assert calls_of(name, text) == calls


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('<tool_call>\n{"name": "get_wea', id="in-the-name"),
        pytest.param("Well. <tool_c", id="in-the-tag"),
        pytest.param('<tool_call>\n{"nom": "get"}\n</tool_call>', id="no-name"),
        pytest.param("<tool_call>\nnot JSON\n</tool_call>", id="no-object"),
    ],
)
def test_what_is_no_call_is_content_word_for_word(text: str) -> None:
    message = parse_syntax(text, described("hermes"))
    assert message.content == text
    assert not message.tool_calls


def test_a_member_that_belongs_to_no_call_is_kept() -> None:
    text = '<tool_call>{"name": "get", "arguments": {}, "why": "because"}</tool_call>'
    message = parse_syntax(text, described("hermes"))
    assert message.content == '"why": "because"'
    assert message.tool_calls[0].arguments == "{}"


@pytest.mark.parametrize(
    ("name", "text", "arguments"),
    [
        pytest.param(
            "hermes",
            '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Par',
            '{"city": "Par',
            id="json",
        ),
        pytest.param(
            "qwen-coder",
            '<tool_call>\n<function=get_weather>\n<parameter=city>\nSay "P',
            '{"city": "Say \\"P',
            id="tagged",
        ),
        pytest.param(
            "qwen-coder",
            "<tool_call>\n<function=get_weather>\n<parameter=days>\n1",
            '{"days": 1',
            id="tagged-json",
        ),
    ],
)
def test_a_call_that_is_cut_off_has_no_end(name: str, text: str, arguments: str) -> None:
    events = events_of(described(name), [text])
    assert join_events(events).tool_calls[0].arguments == arguments
    assert not any(isinstance(event, ToolCallEnd) for event in events)


def test_arguments_come_as_they_are_written() -> None:
    parser = SyntaxParser(described("hermes"))
    parser.feed('<tool_call>\n{"name": "get_weather", "arguments": {"city": ')
    assert parser.feed('"Par') == [ToolArgumentsDelta(index=0, text='"Par')]
    assert parser.feed("is") == [ToolArgumentsDelta(index=0, text="is")]


def test_content_shows_as_soon_as_it_is_no_marker() -> None:
    parser = SyntaxParser(described("hermes"))
    assert parser.feed("Hello <tool") == [TextDelta(text="Hello")]
    assert parser.feed("box>") == [TextDelta(text=" <toolbox>")]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(" " * 9000 + "Hello", id="content"),
        pytest.param(" " * 9000 + f"<tool_call>{OBJECT}", id="call"),
        pytest.param(f"<tool_call>{OBJECT}" + " " * 9000 + "Hello", id="after-a-call"),
        pytest.param(OBJECT.join(("<tool_call>", " " * 9000 + "</tool_call>Hi")), id="before-end"),
        pytest.param(
            "<tool_call>" + OBJECT[:-1] + ', "x": "' + "y" * 9000 + '"}</tool_call>', id="member"
        ),
        pytest.param('<tool_call>{"a": "' + "y" * 9000 + '"}</tool_call>', id="no-call"),
    ],
)
def test_long_stretches_are_not_forgotten(text: str) -> None:
    whole = summary(events_of(described("hermes"), [text]))
    assert summary(events_of(described("hermes"), pieces_of(text, 4))) == whole
    kept = join_events(events_of(described("hermes"), [text]))
    assert kept.content.count("y") == text.count("y")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("NaN", '"NaN"', id="nan"),
        pytest.param("{'a': '\\d'}", "\"{'a': '\\\\d'}\"", id="odd-escape"),
        pytest.param("(1, 2)", "[1, 2]", id="tuple"),
        pytest.param("{1}", '"{1}"', id="set"),
        pytest.param(" 3 ", "3", id="spaces"),
    ],
)
def test_values_between_tags_become_json(text: str, expected: str) -> None:
    assert argument_json(text, may_be_text=False) == expected


def test_ids_are_assigned_once_or_kept() -> None:
    events = events_of(described("hermes"), [f"<tool_call>{OBJECT}</tool_call>"])
    assert {event.id for event in events if hasattr(event, "id")} == {"id0"}
    text = '[TOOL_CALLS][{"name": "get", "arguments": {}, "id": "abcdefghi"}]'
    assert parse_syntax(text, described("mistral-nemo")).tool_calls[0].id == "abcdefghi"
    assert len(parse_syntax(OBJECT, described("llama-3")).tool_calls[0].id) == 9


def test_text_without_a_meaning_is_content() -> None:
    note = sequence(Literal("<note>"), Until(("</note>",)), Literal("</note>"))
    description = Description(output=note, blocks=(Block(note),))
    assert parse_syntax("a <note>b</note> c", description).content == "a bc"


def test_deep_nesting_is_read() -> None:
    arguments = '{"a":' * 5000 + "1" + "}" * 5000
    text = f'<tool_call>{{"name": "get", "arguments": {arguments}}}</tool_call>'
    assert calls_of("hermes", text) == [("get", arguments)]


def long_text(name: str, kind: str, size: int) -> str:
    filler = {"content": "x < y <tool ", "spaces": " ", "call": "word \\n next "}[kind]
    filler = (filler * size)[:size]
    if kind != "call":
        return filler
    tool = ToolShape(
        name="get_weather",
        parameters={"properties": {"city": {"const": "@@"}}, "required": ["city"]},
    )
    one = compose(BY_NAME[name], [tool], tool_choice="required", parallel=False)
    return write_example(one, randomness(0)).text.replace("@@", filler)


def steps_to_read(name: str, text: str) -> int:
    """Count the calls, of Python's functions and built-in ones, that reading ``text`` takes."""
    parser, pieces, count = SyntaxParser(described(name)), pieces_of(text, 4), 0

    def note(_frame: object, kind: str, _argument: object) -> None:
        nonlocal count
        count += kind in {"call", "c_call"}

    sys.setprofile(note)
    try:
        for piece in pieces:
            parser.feed(piece)
        parser.finish()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("kind", ["content", "spaces", "call"])
@pytest.mark.parametrize("name", BY_NAME)
def test_steps_grow_with_the_text_only(name: str, kind: str) -> None:
    short = steps_to_read(name, long_text(name, kind, 8_000))
    assert steps_to_read(name, long_text(name, kind, 16_000)) <= 2.1 * short


@pytest.mark.parametrize("name", BY_NAME)
def test_openers_that_open_nothing_cost_little(name: str) -> None:
    opener = (*described(name).triggers, "x")[0]
    text = (opener * 8_000)[:8_000]
    assert steps_to_read(name, text) < 300 * len(text)
    assert parse_syntax(text, described(name)).content


ANYTHING: Any = st.lists(
    st.sampled_from(
        [
            *(
                "<tool_call>",
                "</tool_call>",
                "<think>",
                "</think>",
                "{",
                "}",
                '"',
                "[",
                "]",
                ",",
                ":",
            ),
            *(
                '"name"',
                '"get"',
                '"arguments"',
                '"function"',
                "<function=",
                "<parameter=",
                ">",
                "\n",
            ),
            *(
                "[TOOL_CALLS]",
                "[ARGS]",
                "[CALL_ID]",
                "<|channel|>",
                "<|message|>",
                "<|end|>",
                "get",
            ),
            *("analysis", "commentary", "final", " to=functions.", "<|start|>", "assistant", "\\"),
        ]
    ),
    max_size=30,
).map("".join)


@pytest.mark.parametrize("name", BY_NAME)
@settings(deadline=None, max_examples=40)
@given(text=ANYTHING)
def test_any_text_is_read_the_same_by_character(name: str, text: str) -> None:
    whole = summary(events_of(described(name), [text]))
    assert summary(events_of(described(name), list(text))) == whole
