"""Every tool call leads back to the characters that it was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llamanb.chat_layer import CallSpan, ChatPrompt, ToolCall, call_spans
from llamanb.chat_layer.syntax import write_example
from llamanb.chat_layer.syntax.call_places import PlaceParser
from llamanb.chat_layer.syntax.written_calls import write_calls
from tests.chat_layer.syntax.cases import BY_NAME, described, mutated, pieces_of, randomness

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax import Description
    from llamanb.chat_layer.syntax.call_places import CallPlace

# What a call of each family is: its own markers belong to it, those around several do not.
OBJECT = '{"name": "get", "arguments": {}}'
OWN_TEXTS = {
    "hermes": f"<tool_call>\n{OBJECT}\n</tool_call>",
    "mistral": "[TOOL_CALLS]get[CALL_ID]functions.get:0[ARGS]{}",
    "mistral-nemo": OBJECT[:-1] + ', "id": "functions.get:0"}',
    "apertus": '{"get": {}}',
    "minimax-m1": OBJECT,
    "granite-3": OBJECT,
    "lfm2": "get()",
    "glm-4.7": "<tool_call>get</tool_call>",
    "qwen-coder": "<tool_call>\n<function=get>\n</function>\n</tool_call>",
    "minimax-m2": '<invoke name="get">\n</invoke>',
    "deepseek-v4": '<｜DSML｜invoke name="get">\n</｜DSML｜invoke>',
    "kimi-k2": "<|tool_call_begin|>functions.get:0<|tool_call_argument_begin|>{}<|tool_call_end|>",
    "gemma-4": "<|tool_call>call:get{}<tool_call|>",
    "functionary-3.1": "<function=get>{}</function>",
    "seed-oss": "<seed:tool_call>\n<function=get>\n</function>\n</seed:tool_call>",
}


def prompt_of(description: Description, **more: Any) -> ChatPrompt:
    patterns = description.trigger_patterns
    return ChatPrompt(prompt="", description=description, trigger_patterns=patterns, **more)


def get_calls(count: int) -> list[ToolCall]:
    return [ToolCall(id=f"functions.get:{one}", name="get", arguments="{}") for one in range(count)]


def spans_in(name: str, raw: str) -> list[CallSpan]:
    return call_spans(prompt_of(described(name)), raw)


@pytest.mark.parametrize(("name", "own"), OWN_TEXTS.items(), ids=OWN_TEXTS)
def test_a_call_is_its_own_text(name: str, own: str) -> None:
    raw = write_calls(BY_NAME[name], get_calls(2))
    spans = spans_in(name, raw)
    assert [one.name for one in spans] == ["get", "get"]
    assert raw[spans[0].start : spans[0].end] == own
    assert spans[1].start >= spans[0].end
    assert len(raw[spans[1].start : spans[1].end]) == len(own)


@pytest.mark.parametrize("name", OWN_TEXTS)
def test_text_before_a_call_is_not_in_it(name: str) -> None:
    calls = write_calls(BY_NAME[name], get_calls(1)).strip()
    span = spans_in(name, f"Let me é🙂 look. {calls}")[0]
    (alone,) = spans_in(name, calls)
    shift = len("Let me é🙂 look. ")
    assert (span.start, span.end) == (alone.start + shift, alone.end + shift)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_call_begins_at_a_trigger(name: str) -> None:
    raw = write_calls(BY_NAME[name], get_calls(1))
    (span,) = spans_in(name, raw)
    if not described(name).trigger_patterns:
        assert span.trigger_start is None
        return
    assert span.trigger_start is not None
    assert raw.startswith(span.trigger, span.trigger_start)
    assert span.section_start - 1 <= span.trigger_start < span.end
    assert span.pattern in described(name).trigger_patterns


@pytest.mark.parametrize("name", BY_NAME)
@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 9))
def test_places_hold_for_every_output_however_it_is_cut(name: str, seed: int, size: int) -> None:
    description = described(name)
    example = write_example(description, randomness(seed))
    spans = spans_in(name, example.text)
    expected = [(one.name, one.arguments) for one in example.message.tool_calls]
    assert [(one.name, one.arguments) for one in spans] == expected
    places = [place for one in spans for place in (one.start, one.end)]
    assert places == sorted(places)
    assert all(one.section_start <= one.start < one.end <= one.section_end for one in spans)
    assert places_in(description, pieces_of(example.text, size)) == places_in(
        description, [example.text]
    )


def places_in(description: Description, pieces: list[str]) -> list[CallPlace]:
    parser = PlaceParser(description)
    for piece in pieces:
        parser.feed(piece)
    parser.finish()
    return parser.places


@pytest.mark.parametrize("name", BY_NAME)
@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_a_damaged_output_has_the_calls_that_the_parser_reads(name: str, seed: int) -> None:
    rng = randomness(seed)
    raw = mutated(write_example(described(name), rng).text, rng)
    prompt = prompt_of(described(name))
    spans = call_spans(prompt, raw)
    assert [one.name for one in spans] == [one.name for one in prompt.parse(raw).tool_calls]
    assert all(0 <= one.start <= one.end <= len(raw) for one in spans)


def test_calls_that_are_only_thought_of_are_none() -> None:
    call = write_calls(BY_NAME["hermes"], get_calls(1)).strip()
    assert spans_in("hermes", f"<think>Or {call}?</think>Hi") == []
    (span,) = spans_in("hermes", f"<think>Or {call}?</think>{call}")
    assert span.start > len(call)


def test_a_call_that_is_cut_off_is_not_whole() -> None:
    raw = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Os'
    (span,) = spans_in("hermes", raw)
    assert (span.start, span.end, span.is_whole) == (0, len(raw), False)
    assert span.arguments == '{"city": "Os'


def test_text_that_the_prompt_began_is_not_counted() -> None:
    description = described("hermes")
    begun = type(description)(
        output=description.output, blocks=description.blocks, begun="<tool_call>\n"
    )
    (span,) = call_spans(prompt_of(begun), f"{OBJECT}\n</tool_call>")
    assert (span.start, span.arguments) == (0, "{}")


def test_calls_without_tools_are_text() -> None:
    assert call_spans(ChatPrompt(prompt=""), OWN_TEXTS["hermes"]) == []
