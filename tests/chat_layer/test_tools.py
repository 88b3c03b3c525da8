"""Tools from build to parse: grammar, triggers, choices, prefills, formats."""

from __future__ import annotations

from typing import Any

import pytest

from llamanb.chat_layer import ChatPrompt, StreamParser, ToolCallEnd, ToolCallStart, build
from llamanb.errors import OptionError
from tests.chat_layer.conversations import TOOL, USER, call, called, result
from tests.chat_layer.syntax.cases import LarkReader

THINKING = (
    "{%- for m in messages -%}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{%- endfor -%}"
    "{%- if tools -%}{{ tools | tojson }}<tool_call></tool_call>.arguments '<tool_call>\\n{'"
    "{%- endif -%}{%- if add_generation_prompt -%}<|im_start|>assistant\n"
    "{%- if enable_thinking is defined and not enable_thinking -%}<think>\n\n</think>\n\n"
    "{%- endif -%}{%- endif -%}"
)
OTHER = {"type": "function", "function": {"name": "get", "parameters": {"type": "object"}}}
CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</tool_call>'
GET = '<tool_call>\n{"name": "get", "arguments": {}}\n</tool_call>'


def made(**options: Any) -> ChatPrompt:
    return build(THINKING, [USER], **{"tools": [TOOL, OTHER], "special_tokens": {}} | options)


def accepts(prompt: ChatPrompt, text: str) -> bool:
    return LarkReader(prompt.grammar).accepts(text)


def test_a_free_answer_is_constrained_from_its_trigger_on() -> None:
    prompt = made()
    assert prompt.format == "hermes"
    assert prompt.grammar_lazy
    assert prompt.trigger_patterns == ("<tool_call>",)
    assert accepts(prompt, CALL)
    assert accepts(prompt, f"{CALL}\n{GET}")
    assert not accepts(prompt, CALL.replace("get_weather", "get_rich"))
    assert not accepts(prompt, CALL.replace('"Oslo"', "7"))


def test_a_required_call_leaves_no_other_answer() -> None:
    prompt = made(tool_choice="required", enable_thinking=False)
    assert not prompt.grammar_lazy
    assert accepts(prompt, CALL)
    assert not accepts(prompt, "It is cold.")
    assert not accepts(prompt, f"<think>\n</think>\n\n{CALL}")


def test_a_required_call_may_come_after_thinking() -> None:
    prompt = made(tool_choice="required", enable_thinking=True)
    assert accepts(prompt, f"<think>\nWhere?\n</think>\n\n{CALL}")


@pytest.mark.parametrize(
    "choice",
    [
        "get",
        {"type": "function", "function": {"name": "get"}},
        {"type": "tool", "name": "get"},
    ],
)
def test_a_named_tool_is_the_only_one(choice: Any) -> None:
    prompt = made(tool_choice=choice, enable_thinking=False)
    assert accepts(prompt, GET)
    assert not accepts(prompt, CALL)


def test_one_call_at_a_time() -> None:
    prompt = made(parallel_tool_calls=False)
    assert accepts(prompt, CALL)
    assert not accepts(prompt, f"{CALL}\n{GET}")


def test_without_tools_nothing_is_constrained() -> None:
    prompt = made(tools=None)
    assert (prompt.grammar, prompt.constraint(), prompt.to_gbnf()) == ("", None, "")
    assert prompt.parse(CALL).content == CALL


def test_calls_that_are_not_wanted_are_impossible() -> None:
    prompt = made(tool_choice="none")
    assert accepts(prompt, "It is <b>cold</b>.")
    assert not accepts(prompt, CALL)


def test_an_answer_of_a_schema() -> None:
    schema = {"type": "object", "properties": {"cold": {"type": "boolean"}}, "required": ["cold"]}
    prompt = made(tools=None, json_schema=schema, enable_thinking=False)
    assert not prompt.grammar_lazy
    assert accepts(prompt, '{"cold": true}')
    assert not accepts(prompt, '{"cold": 1}')
    assert not accepts(prompt, '{"cold": true, "more": 1}')
    both = made(json_schema=schema, enable_thinking=False)
    assert accepts(both, '{"cold": true}')
    assert accepts(both, CALL)
    assert both.parse('{"cold": true}').content == '{"cold": true}'


@pytest.mark.parametrize(
    ("options", "good", "bad"),
    [
        pytest.param({"choices": ["yes", "no way"]}, "no way", "no", id="choices"),
        pytest.param({"regex": r"\d{4}/\d\d"}, "2026/11", "soon", id="regex"),
    ],
)
def test_an_answer_of_a_pattern(options: dict[str, Any], good: str, bad: str) -> None:
    prompt = made(tools=None, enable_thinking=False, **options)
    assert accepts(prompt, good)
    assert not accepts(prompt, bad)
    assert prompt.parse(good).content == good
    assert accepts(made(enable_thinking=False, **options), CALL)


@pytest.mark.parametrize(
    "options",
    [
        {"choices": []},
        {"choices": "yes"},
        {"choices": [1]},
        {"regex": ""},
        {"regex": 5},
        {"json_schema": "text"},
        {"regex": "a", "choices": ["a"]},
    ],
)
def test_an_impossible_answer_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=r"not possible|give only one|must be a JSON Schema"):
        made(tools=None, **options)


def test_a_message_goes_on_where_it_was_left() -> None:
    schema = {"type": "object", "properties": {"cold": {"type": "boolean"}}}
    begun = {"role": "assistant", "content": '{"cold'}
    prompt = build(
        THINKING,
        [USER, begun],
        continue_final_message=True,
        json_schema=schema,
        enable_thinking=False,
    )
    constraint = prompt.constraint()
    assert constraint is not None
    assert constraint.begun == '{"cold'
    assert prompt.prompt.endswith('<think>\n\n</think>{"cold')
    with pytest.raises(OptionError, match="while a message is continued"):
        build(
            THINKING,
            [USER, begun],
            continue_final_message=True,
            tools=[TOOL],
            tool_choice="required",
        )


def test_sampling_holds_what_generate_needs() -> None:
    options = made().sampling()
    assert options["grammar"].trigger.patterns == ("<tool_call>",)
    assert options["grammar"].trigger.thinking_start == "<think>"
    assert options["stop"] == ("<|im_end|>",)
    assert set(options["preserved_tokens"]) >= {"<tool_call>", "</tool_call>", "<think>"}
    assert "grammar" not in made(tools=None).sampling()


def test_special_tokens_of_the_vocabulary_are_written_bare() -> None:
    assert '"<tool_call>"' in made().grammar
    special = made(special_tokens={"<tool_call>": 7, "</tool_call>": 8})
    assert '"<tool_call>"' not in special.grammar
    assert special.trigger_tokens == ("<tool_call>",)


def test_gbnf_is_the_same_language() -> None:
    assert made().to_gbnf().startswith("root ::= call")


def test_events_of_a_streamed_call() -> None:
    parser = StreamParser(made())
    text = f"<think>\nHm.\n</think>\n\nLet me see.\n{CALL}"
    events = [event for piece in text for event in parser.feed(piece)] + parser.finish()
    starts = [event for event in events if isinstance(event, ToolCallStart)]
    ends = [event for event in events if isinstance(event, ToolCallEnd)]
    assert [(one.index, one.name) for one in starts] == [(0, "get_weather")]
    assert [(one.id, one.arguments) for one in ends] == [(starts[0].id, '{"city": "Oslo"}')]
    message = made().parse(text)
    assert (message.content, message.reasoning_content) == ("Let me see.", "Hm.")
    assert message.tool_calls[0].args == {"city": "Oslo"}


def test_reasoning_may_stay_in_the_content() -> None:
    prompt = made(reasoning_format="none")
    message = prompt.parse(f"<think>\nHm.\n</think>\n\nYes.\n{CALL}")
    assert message.content == "<think>\nHm.\n</think>\n\nYes."
    assert len(message.tool_calls) == 1


SILENT = (
    "{%- for m in messages -%}[{{ m.role }}]{{ m.content }}[/]{%- endfor -%}"
    "{%- if tools -%}{{ tools | tojson }} <tool_call> </tool_call> '.arguments' '<tool_call>\\n{'"
    "{%- endif -%}"
)


def test_calls_that_the_template_hides_are_written_as_the_model_writes_them() -> None:
    turns = [USER, called(call({"city": "<tool_call> & Oslo"})), result("cold")]
    prompt = build(SILENT, turns, tools=[TOOL])
    assert "tool calls were written into the content" in prompt.repairs
    start = prompt.prompt.index("<tool_call>")
    covered = "".join(prompt.prompt[a:b] for a, b in prompt.content_spans)
    assert prompt.prompt[start:].startswith('<tool_call>\n{"name": "get_weather", "arguments": {')
    assert '{"city": "<tool_call> & Oslo"}' in covered
    assert '<tool_call>\n{"name": "' not in covered
