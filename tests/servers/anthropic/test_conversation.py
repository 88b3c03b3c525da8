"""Turns made of blocks become OpenAI messages, and nothing changes its meaning."""

from __future__ import annotations

from typing import Any

import pytest

from llamanb.servers.anthropic.ids import shown_id
from llamanb.servers.problems import Refusal
from tests.servers.anthropic.asking import asked, body, read, text, tool, user

IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
PDF = {"type": "document", "source": {"type": "base64", "data": "aGk="}, "title": "Report"}
SEED = "0123456789abcdef01234567"


def _use(id: str = "toolu_1", name: str = "add", input: Any = None) -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": name, "input": {} if input is None else input}


def _result(id: str = "toolu_1", content: Any = "42", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id, "content": content, **more}


def _assistant(*content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": [text(c) if isinstance(c, str) else c for c in content]}


def _after_call(*content: Any) -> list[dict[str, Any]]:
    """Give the messages of the user's turn after a call."""
    return asked(user("Add"), _assistant(_use()), user(*content))[2:]


# ---- system ----------------------------------------------------------------------------


@pytest.mark.parametrize("system", ["Be brief.", [text("Be brief.")]])
def test_a_system_prompt_may_be_text_or_blocks(system: Any) -> None:
    assert asked(system=system)[0] == {"role": "system", "content": "Be brief."}


def test_the_header_that_names_the_run_is_left_out() -> None:
    header = text("x-anthropic-billing-header: cc_version=2.1.330.a1; cch=00000;")
    blocks = [header, text("You are brief."), text("Be kind.")]
    assert asked(system=blocks)[0]["content"] == "You are brief.\nBe kind."


def test_the_header_goes_from_the_first_line_of_a_text() -> None:
    assert asked(system="x-anthropic-billing-header: 1\n\nHi")[0]["content"] == "Hi"


def test_a_header_alone_makes_no_system_message() -> None:
    assert [one["role"] for one in asked(system="x-anthropic-billing-header: 1")] == ["user"]


def test_system_messages_at_the_beginning_join_the_system_prompt() -> None:
    messages = asked({"role": "system", "content": "B"}, user("Hi"), system="A")
    assert messages[0] == {"role": "system", "content": "A\nB"}


def test_a_later_system_message_joins_the_turn_of_the_user() -> None:
    later = {"role": "system", "content": "Note"}
    messages = asked(user("Hi"), later, _assistant("Hello"), user("Go on"), later)
    note = "<system-reminder>\nNote\n</system-reminder>"
    assert [one["content"] for one in messages] == [f"Hi\n{note}", "Hello", f"Go on\n{note}"]
    assert [one["role"] for one in messages] == ["user", "assistant", "user"]


# ---- text ------------------------------------------------------------------------------


def test_blocks_of_text_stand_on_lines_of_their_own() -> None:
    assert asked(user("A", "B"))[0]["content"] == "A\nB"


def test_neighbours_of_one_role_are_one_turn() -> None:
    messages = asked(user("A"), user("B"), _assistant("C"), _assistant("D"), user("E"))
    assert [one["content"] for one in messages] == ["A\nB", "C\nD", "E"]


def test_blocks_of_one_answer_are_joined_as_they_were_cut() -> None:
    messages = asked(user("A"), _assistant("Let me ", _use(), "see"), user(_result()))
    assert messages[1]["content"] == "Let me see"


@pytest.mark.parametrize(
    ("block", "said"),
    [
        pytest.param(
            {"type": "document", "title": "T", "source": {"type": "text", "data": "D"}},
            "T\nD",
            id="text document",
        ),
        pytest.param(
            {"type": "document", "source": {"type": "content", "content": [text("D")]}},
            "D",
            id="document of blocks",
        ),
        pytest.param(
            {"type": "search_result", "title": "T", "source": "S", "content": [text("C")]},
            "T\nS\nC",
            id="search result",
        ),
        pytest.param({"type": "compaction", "content": "So far"}, "So far", id="unknown"),
        pytest.param({"type": "new_kind", "content": {"text": "deep"}}, "deep", id="unknown, deep"),
    ],
)
def test_what_can_be_read_is_read(block: dict[str, Any], said: str) -> None:
    assert asked(user(block))[0]["content"] == said


def test_a_block_without_text_says_nothing() -> None:
    assert asked(user({"type": "container_upload", "file_id": "f"}, "Hi"))[0]["content"] == "Hi"


# ---- tools -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        ({}, "{}"),
        ({"f": ["a"]}, '{"f": ["a"]}'),
        (["a"], '["a"]'),
        ({"n": 2**63}, f'{{"n": {2**63}}}'),
    ],
)
def test_an_input_stays_what_it_is(given: Any, arguments: str) -> None:
    messages = asked(user("Add"), _assistant(_use(input=given)), user(_result()))
    assert messages[1]["tool_calls"][0]["function"] == {"name": "add", "arguments": arguments}


def test_a_result_belongs_to_its_call() -> None:
    call, result = asked(user("Add"), _assistant(_use()), user(_result()))[1:]
    assert call["tool_calls"][0]["id"] == result["tool_call_id"] == "toolu_1"
    assert result == {"role": "tool", "tool_call_id": "toolu_1", "content": "42", "name": "add"}


def test_words_keep_their_place_between_results() -> None:
    uses = [_use("a"), _use("b")]
    said = user("First", _result("a", "1"), "Second", _result("b", "2"), "Third")
    messages = asked(user("Go"), _assistant(*uses), said)[2:]
    assert [one["content"] for one in messages] == ["First", "1", "Second", "2", "Third"]
    assert [one["role"] for one in messages] == ["user", "tool", "user", "tool", "user"]


def test_results_come_in_the_order_of_the_calls() -> None:
    uses = [_use("a"), _use("b"), _use("c")]
    results = [_result("c", "3"), _result("a", "1"), _result("b", "2")]
    messages = asked(user("Go"), _assistant(*uses), user(*results, "Go on"))[2:]
    assert [one["content"] for one in messages] == ["1", "2", "3", "Go on"]


def test_a_failure_is_told() -> None:
    (message,) = _after_call(_result(content="No such file", is_error=True))
    assert message["content"] == "Error: No such file"
    (silent,) = _after_call(_result(content=None, is_error=True))
    assert silent["content"] == "Error"


def test_a_picture_that_a_tool_has_read_becomes_a_note() -> None:
    (message,) = _after_call(_result(content=[text("shot.png"), IMAGE]))
    assert message["content"] == (
        "shot.png\n[There was an image here; this model reads text alone.]"
    )


def test_a_file_beside_a_result_becomes_a_note() -> None:
    _, message = _after_call(_result(), PDF)
    assert message["content"].startswith("Report\n[There was a document here")


@pytest.mark.parametrize("block", [IMAGE, PDF], ids=["image", "PDF"])
def test_a_picture_from_the_user_is_refused(block: dict[str, Any]) -> None:
    with pytest.raises(
        Refusal, match=r"messages\[0\]\.content\[1\]: this model reads text"
    ) as told:
        asked(user("Look", block))
    assert told.value.problem.status == 400


def test_an_earlier_picture_does_not_end_the_talk() -> None:
    messages = asked(user("Look", IMAGE), _assistant("I cannot"), user("Go on"))
    assert messages[0]["content"].startswith("Look\n[There was an image")


def test_a_reference_to_a_tool_names_it() -> None:
    (message,) = _after_call(_result(content=[{"type": "tool_reference", "tool_name": "sub"}]))
    assert message["content"] == "sub"


# ---- ids -------------------------------------------------------------------------------


def test_the_model_sees_its_own_ids_again() -> None:
    shown = shown_id(SEED, "functions.add:0")
    call, result = asked(user("Add"), _assistant(_use(shown)), user(_result(shown)))[1:]
    assert call["tool_calls"][0]["id"] == result["tool_call_id"] == "functions.add:0"


def test_ids_that_a_model_used_twice_stay_different() -> None:
    first, second = shown_id(SEED, "call_0"), shown_id("f" * 24, "call_0")
    talk = [_assistant(_use(first)), user(_result(first)), _assistant(_use(second))]
    messages = asked(user("Add"), *talk, user(_result(second)))
    assert [one["tool_call_id"] for one in messages if "tool_call_id" in one] == [first, second]


@pytest.mark.parametrize("id", ["toolu_01A09q90qw90lq917835lq9", "toolu_0123456789ab_!", "x"])
def test_ids_of_others_stay(id: str) -> None:
    call, result = asked(user("Add"), _assistant(_use(id)), user(_result(id)))[1:]
    assert call["tool_calls"][0]["id"] == result["tool_call_id"] == id


# ---- thinking --------------------------------------------------------------------------


def test_thoughts_go_back_to_the_model() -> None:
    thinking = {"type": "thinking", "thinking": "Hm", "signature": "x"}
    redacted = {"type": "redacted_thinking", "data": "x"}
    message = asked(user("A"), _assistant(thinking, redacted, "B"), user("C"))[1]
    assert message == {"role": "assistant", "content": "B", "reasoning_content": "Hm"}


# ---- the end ---------------------------------------------------------------------------


def test_an_answer_that_is_begun_goes_on() -> None:
    request = read(body(user("A"), _assistant("B")))
    assert request.options["continue_final_message"]
    assert request.messages[-1] == {"role": "assistant", "content": "B"}


@pytest.mark.parametrize("content", ["", " \n", []])
def test_an_empty_beginning_is_none(content: Any) -> None:
    request = read(body(user("A"), {"role": "assistant", "content": content}))
    assert not request.options["continue_final_message"]
    assert [one["role"] for one in request.messages] == ["user"]


def test_calls_without_results_are_refused() -> None:
    with pytest.raises(Refusal, match=r"messages\[1\]: the results of the tool_use blocks"):
        asked(user("Add"), _assistant(_use()), tools=[tool()])
