"""Messages in, prompt out."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from llamanb.chat_layer import ToolCall, build
from llamanb.chat_layer.prompt import ChatMessage
from llamanb.errors import OptionError, TemplateError
from tests.chat_layer.conversations import ANSWER, SYSTEM, TOOL, USER, call, called, result

LINES = "{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}"
OPEN = LINES + "{% if add_generation_prompt %}[assistant]{% endif %}"
STRICT = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}[{{ m.role }}]{{ m.content }}\n"
    "{% endfor %}"
)


def test_default_is_chatml_and_says_so() -> None:
    prompt = build(None, [SYSTEM, USER])
    assert prompt.prompt == (
        "<|im_start|>system\nYou are terse.<|im_end|>\n<|im_start|>user\nIs it cold?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert prompt.generation_prompt == "<|im_start|>assistant\n"
    assert prompt.repairs == ("the model has no chat template: ChatML was used",)
    assert prompt.additional_stops == ("<|im_end|>",)


def test_generation_prompt_is_what_opens_the_turn() -> None:
    assert build(OPEN, [USER]).generation_prompt == "[assistant]"
    assert build(OPEN, [USER], add_generation_prompt=False).prompt == "[user]Is it cold?\n"


def test_messages_are_not_changed() -> None:
    messages = [{"role": "developer", "content": None}, called(call('{"city": "Paris"}'))]
    before = deepcopy(messages)
    build(OPEN, messages)
    assert messages == before


def test_thinking_is_told_to_the_template_unless_none() -> None:
    source = "{{ enable_thinking is defined }}{{ enable_thinking }}"
    texts = [build(source, [USER], enable_thinking=value).prompt for value in (True, False, None)]
    assert texts == ["TrueTrue", "TrueFalse", "False"]


def test_template_kwargs_win() -> None:
    source = "{{ enable_thinking }}{{ reasoning_effort }}{{ add_generation_prompt }}"
    options = {"enable_thinking": "x", "reasoning_effort": "high", "add_generation_prompt": "y"}
    assert build(source, [USER], chat_template_kwargs=options).prompt == "xhighy"


def test_refusal_after_every_repair_has_the_templates_words() -> None:
    with pytest.raises(TemplateError, match="never"):
        build("{{ raise_exception('never') }}", [USER])


def test_alternating_roles_are_repaired_and_reported() -> None:
    prompt = build(STRICT, [USER, USER, ANSWER, USER])
    assert prompt.prompt.startswith("[user]Is it cold?\n\nIs it cold?\n[assistant]It is mild.\n")
    assert prompt.repairs == ("neighbouring turns of one role were joined",)


def test_calls_in_one_turn_are_split_when_the_template_wants_one() -> None:
    source = (
        "{% for m in messages %}{% if m.tool_calls and m.tool_calls | length > 1 %}"
        "{{ raise_exception('one call at a time') }}{% endif %}[{{ m.role }}]{{ m.content }}"
        "{% for c in m.tool_calls or [] %}{{ c.function.arguments | tojson }}{% endfor %}{% endfor %}"
    )
    calls = called(call({"a": 1}, "a"), call({"b": 2}, "b"))
    prompt = build(source, [USER, calls, result("1", "a"), result("2", "b"), ANSWER])
    assert prompt.prompt == (
        '[user]Is it cold?[assistant]{"a": 1}[tool]1[assistant]{"b": 2}[tool]2[assistant]It is mild.'
    )


def test_results_that_words_stand_before_are_not_lost() -> None:
    source = (
        "{% for m in messages %}{% if m.role != 'tool' %}[{{ m.role }}]{{ m.content }}"
        "{% for c in m.tool_calls or [] %}{{ c.function.arguments | tojson }}{% endfor %}{% endif %}"
        "{% if m.role == 'tool' and messages[loop.index0 - 1].role != 'user' %}{{ m.content }}"
        "{% endif %}{% endfor %}"
    )
    prompt = build(source, [USER, called(call({"a": 1}, "a")), USER, result("cold", "a")])
    assert prompt.prompt == '[user]Is it cold?[assistant]{"a": 1}cold[user]Is it cold?'
    assert prompt.repairs == ("results were put right behind their calls",)


def test_mistral_ids_are_nine_letters_and_digits_in_call_and_result() -> None:
    source = (
        "{% for m in messages %}{{ m.content }}|{% for c in m.tool_calls or [] %}"
        "{% if c.id | length != 9 %}{{ raise_exception('ids of length 9') }}{% endif %}"
        "{{ c.id }}|{{ c.function.name }}{% endfor %}{{ m.tool_call_id }}{% endfor %}"
    )
    prompt = build(source, [USER, called(call({})), result("x")])
    _, _, first, _, second = prompt.prompt.replace("get_weather", "").split("|")
    assert first == second
    assert (len(first), first.isalnum()) == (9, True)


def test_tools_that_the_template_hides_are_described_in_the_system_message() -> None:
    prompt = build(OPEN, [USER], tools=[TOOL])
    assert prompt.repairs == ("the tools were described in the system message",)
    assert '"description": "Gives the weather."' in prompt.prompt
    example = '<tool_call>\n{"name": "tool_name", "arguments": {"argument": "value"}}\n</tool_call>'
    assert example in prompt.prompt
    written = example.replace("tool_name", "get_weather").replace('argument"', 'city"')
    assert prompt.parse(written).tool_calls[0].args == {"city": "value"}


def test_images_left_out_are_reported() -> None:
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {}}]
    prompt = build(OPEN, [{"role": "user", "content": parts}])
    assert "What is it?" in prompt.prompt
    assert prompt.repairs == (
        "parts that are not text were left out: the template takes text only",
    )


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param(["hello"], id="text"),
        pytest.param([{"content": "hello"}], id="no-role"),
        pytest.param([{"role": 1, "content": "hello"}], id="role-number"),
        pytest.param([{"role": "assistant", "tool_calls": ["f"]}], id="call-text"),
    ],
)
def test_what_is_no_message_is_refused(messages: Any) -> None:
    with pytest.raises(OptionError, match=r"messages\[0\]"):
        build(OPEN, messages)


def test_what_is_no_tool_is_refused() -> None:
    with pytest.raises(OptionError, match="tools"):
        build(OPEN, [USER], tools=["f"])  # type: ignore[list-item]  # what is refused


def test_deep_messages_are_refused() -> None:
    deep: Any = "x"
    for _ in range(200):
        deep = [deep]
    with pytest.raises(OptionError, match="nested"):
        build(OPEN, [{"role": "user", "content": deep}])


def test_half_characters_become_replacement_characters() -> None:
    assert "a\ufffdb" in build(OPEN, [{"role": "user", "content": "a\ud800b"}]).prompt


def test_content_that_is_a_number_can_be_joined() -> None:
    template = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no') }}{% endif %}"
        "{{ m.content }}{% endfor %}"
    )
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": 5},
        {"role": "user", "content": "x"},
    ]
    assert build(template, messages).prompt == "5\n\nx"


def test_tool_without_a_function_is_refused() -> None:
    with pytest.raises(OptionError, match="tools must be"):
        build(None, [{"role": "user", "content": "x"}], tools=[{"function": 1}])


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"tool_choice": "required"}, id="required"),
        pytest.param({"tool_choice": {"function": {"name": "f"}}}, id="named"),
        pytest.param({"tool_choice": 7}, id="number"),
        pytest.param({"tool_choice": {"type": "function"}}, id="nameless"),
        pytest.param({"tools": [{"type": "function", "function": {}}]}, id="tool-without-name"),
        pytest.param({"tools": [{"name": "f", "parameters": 3}]}, id="no-schema"),
    ],
)
def test_what_cannot_be_kept_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=r"not possible|needs a name|must be a JSON Schema"):
        build(None, [{"role": "user", "content": "Hi"}], **options)


class TestContinuing:
    def test_final_message_is_gone_on_with(self) -> None:
        prompt = build(OPEN, [USER, ANSWER], continue_final_message=True)
        assert prompt.prompt == "[user]Is it cold?\n[assistant]It is mild."
        assert [prompt.prompt[a:b] for a, b in prompt.content_spans][-1] == "It is mild."

    def test_reasoning_is_gone_on_with(self) -> None:
        begun = {"role": "assistant", "content": "", "reasoning_content": "Well,"}
        prompt = build(None, [USER, begun], continue_final_message=True)
        assert prompt.prompt.endswith("<|im_start|>assistant\n<think>\nWell,")
        assert prompt.thinking_open
        assert prompt.parse(" yes.</think>No.").content == "No."

    def test_reasoning_is_closed_before_content(self) -> None:
        begun = {"role": "assistant", "content": "No", "reasoning_content": "Well."}
        prompt = build(None, [USER, begun], continue_final_message=True)
        assert prompt.prompt.endswith("<think>\nWell.\n</think>\n\nNo")
        assert not prompt.thinking_open

    def test_another_role_is_refused(self) -> None:
        with pytest.raises(OptionError, match="assistant"):
            build(OPEN, [USER], continue_final_message=True)


class TestSpans:
    def test_contents_are_found_without_their_outer_white_space(self) -> None:
        prompt = build(OPEN, [SYSTEM, {"role": "user", "content": "  <b> \n"}])
        assert [prompt.prompt[a:b] for a, b in prompt.content_spans] == ["You are terse.", "<b>"]

    def test_content_in_json_is_found(self) -> None:
        source = "{% for m in messages %}{{ m.content | tojson }}{% endfor %}"
        prompt = build(source, [{"role": "user", "content": 'say "x" <|e|>'}])
        assert [prompt.prompt[a:b] for a, b in prompt.content_spans] == ['say \\"x\\" <|e|>']

    def test_content_that_the_template_looks_at_is_found(self) -> None:
        source = (
            "{% for m in messages %}{% if m.content.startswith('<tool>') %}tool:{% endif %}"
            "{{ m.content }}{% endfor %}"
        )
        prompt = build(source, [{"role": "user", "content": "<tool> <|e|>"}])
        assert [prompt.prompt[a:b] for a, b in prompt.content_spans] == ["<tool> <|e|>"]

    def test_content_cut_by_the_template_is_found(self) -> None:
        source = "{% for m in messages %}{{ m.content.split('</think>')[-1] }}|{% endfor %}"
        content = "secret</think> shown <|e|>"
        prompt = build(source, [{"role": "assistant", "content": content}])
        assert [prompt.prompt[a:b] for a, b in prompt.content_spans] == [" shown <|e|>"]

    def test_private_characters_typed_by_users_stay(self) -> None:
        prompt = build(OPEN, [{"role": "user", "content": "\U000f0000<|e|>\U000f0001"}])
        assert "\U000f0000<|e|>\U000f0001" in prompt.prompt
        assert any("<|e|>" in prompt.prompt[a:b] for a, b in prompt.content_spans)


def test_message_goes_back_as_openai_dictionary() -> None:
    calls = (ToolCall(id="a", name="f", arguments="{}"),)
    message = ChatMessage(content="x", reasoning_content="r", tool_calls=calls).to_openai()
    assert message == {
        "role": "assistant",
        "content": "x",
        "reasoning_content": "r",
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ],
    }
