"""Input items become the messages that a chat template takes."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamanb.servers.openai_responses.items import (
    additional_tools,
    complete_items,
    read_items,
    seal,
    unseal,
)
from llamanb.servers.problems import Refusal


def messages(*items: dict[str, Any]) -> list[dict[str, Any]]:
    return read_items(complete_items(items, "0"))


def function_call(name: str, call_id: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "function_call",
        "name": name,
        "call_id": call_id,
        "arguments": '{"a": 1}',
        **more,
    }


def said(text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "role": "assistant", "content": content}


@pytest.mark.parametrize("given_input", ["Hi", [{"role": "user", "content": "Hi"}]])
def test_a_text_and_a_short_message_are_what_the_user_says(given_input: Any) -> None:
    items = complete_items(given_input, "0")
    assert read_items(items) == [{"role": "user", "content": "Hi"}]
    assert items[0]["content"] == [{"type": "input_text", "text": "Hi"}]
    assert items[0]["id"] == "msg_00000"


def test_parts_of_a_message_stay_apart() -> None:
    parts = [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]
    assert messages({"role": "developer", "content": parts}) == [
        {
            "role": "developer",
            "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        }
    ]


def test_reasoning_message_and_calls_of_a_turn_become_one_message() -> None:
    reasoning = {
        "type": "reasoning",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "Hm"}],
    }
    turn = messages(reasoning, said("Look:"), function_call("f", "1"), function_call("g", "2"))
    assert len(turn) == 1
    assert (turn[0]["reasoning_content"], turn[0]["content"]) == ("Hm", "Look:")
    assert [call["id"] for call in turn[0]["tool_calls"]] == ["1", "2"]
    assert turn[0]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a": 1}'}


def test_a_message_behind_calls_begins_another_turn() -> None:
    assert len(messages(function_call("f", "1"), said("Done"))) == 2


def test_reasoning_that_led_to_nothing_is_left_out() -> None:
    content = [{"type": "reasoning_text", "text": "Hm"}]
    assert messages({"type": "reasoning", "content": content}) == []


@pytest.mark.parametrize(
    ("output", "content"),
    [
        pytest.param("21 °C", "21 °C", id="text"),
        pytest.param([{"type": "input_text", "text": "21 °C"}], "21 °C", id="part"),
        pytest.param(
            [{"type": "input_image", "image_url": "data:"}],
            "[input_image left out: this model reads text only]",
            id="picture",
        ),
        pytest.param({"degrees": 21}, '{"degrees": 21}', id="object"),
        pytest.param(None, "", id="nothing"),
    ],
)
def test_what_a_tool_gave_back_is_told_as_text(output: Any, content: str) -> None:
    item = {"type": "function_call_output", "call_id": "1", "output": output}
    assert messages(item) == [{"role": "tool", "tool_call_id": "1", "content": content}]


def test_a_call_in_a_namespace_has_the_name_that_the_model_was_shown() -> None:
    made = messages(function_call("close", "1", namespace="agents"))[0]["tool_calls"][0]
    assert made["function"]["name"] == "agents__close"


def test_a_custom_call_and_its_result_are_a_call_with_one_text() -> None:
    call, result = messages(
        {"type": "custom_tool_call", "call_id": "1", "name": "exec", "input": 'say("ü")'},
        {"type": "custom_tool_call_output", "call_id": "1", "output": "ü"},
    )
    assert call["tool_calls"][0]["function"]["arguments"] == '{"input": "say(\\"ü\\")"}'
    assert result["content"] == "ü"


def test_the_call_of_a_foreign_tool_keeps_its_place() -> None:
    call, result = messages(
        {"type": "local_shell_call", "id": "x", "call_id": "1", "action": {"command": ["ls"]}},
        {"type": "local_shell_call_output", "id": "1", "output": "README"},
    )
    function = call["tool_calls"][0]["function"]
    assert function == {"name": "local_shell", "arguments": '{"action": {"command": ["ls"]}}'}
    assert result == {"role": "tool", "tool_call_id": "1", "content": "README"}


def test_kinds_that_nobody_knows_are_left_out() -> None:
    assert messages({"type": "web_search_call", "id": "1"}, {"type": "new_kind"}) == []


def test_tools_may_come_as_an_item() -> None:
    item = {"type": "additional_tools", "tools": [{"type": "function", "name": "f"}, "no tool"]}
    assert additional_tools([item]) == [{"type": "function", "name": "f"}]
    assert messages(item) == []


def test_a_status_and_id_of_the_client_are_kept() -> None:
    item = {"type": "message", "id": "mine", "role": "user", "content": "a", "status": "incomplete"}
    completed = complete_items([item], "0")[0]
    assert (completed["id"], completed["status"]) == ("mine", "incomplete")


@pytest.mark.parametrize(
    ("item", "param"),
    [
        pytest.param({"role": "critic", "content": ""}, "input[0].role", id="role"),
        pytest.param({"role": "user", "content": 5}, "input[0].content", id="content"),
        pytest.param(
            {"role": "user", "content": [{"type": "input_image", "image_url": ""}]},
            "input[0].content[0]",
            id="picture",
        ),
        pytest.param(
            {"role": "user", "content": [{"type": "input_text"}]}, "input[0].content[0]", id="part"
        ),
        pytest.param({"type": ["message"]}, "input[0].type", id="kind"),
        pytest.param({"content": "Hi"}, "input[0].type", id="no-kind"),
        pytest.param({"type": "function_call", "call_id": "1"}, "input[0].arguments", id="call"),
        pytest.param(function_call("f", ""), "input[0].call_id", id="call-id"),
        pytest.param(
            {"type": "compaction", "encrypted_content": "…"}, "input[0]", id="unreadable-kind"
        ),
    ],
)
def test_an_item_that_cannot_be_read_is_named(item: dict[str, Any], param: str) -> None:
    with pytest.raises(Refusal) as refused:
        messages(item)
    assert refused.value.problem.param == param
    assert refused.value.problem.status == 400


def test_places_are_counted_from_the_request_that_is_wrong() -> None:
    items = complete_items([{"role": "user", "content": "a"}, {"role": "nobody"}], "0")
    with pytest.raises(Refusal, match=r"input\[0\]\.role"):
        read_items(items, n_earlier=1)


@given(text=st.text())
def test_sealed_reasoning_is_read_again(text: str) -> None:
    assert unseal(seal(text)) == text


@pytest.mark.parametrize("sealed", [None, 5, "gAAAA", "llamanb.é", "llamanb./w=="])
def test_what_others_sealed_is_nothing(sealed: Any) -> None:
    assert unseal(sealed) == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["type", "role", "content", "id", "call_id", "name", "namespace", "arguments", "output", "text"]
)
WORDS = st.sampled_from(
    ["message", "user", "assistant", "reasoning", "function_call", "function_call_output", "x_call"]
)
ITEM = st.dictionaries(KEYS, WORDS | JSON | st.lists(st.dictionaries(KEYS, WORDS)), max_size=6)


@given(items=st.lists(ITEM, max_size=4))
def test_any_items_are_read_or_refused(items: list[dict[str, Any]]) -> None:
    with contextlib.suppress(Refusal):
        assert all(isinstance(message["role"], str) for message in messages(*items))
