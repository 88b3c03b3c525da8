"""What a request asks for, besides what was said."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from llamanb.errors import OptionError
from llamanb.servers.problems import Refusal, anthropic_error
from tests.servers.anthropic.asking import body, read, text, tool, user

NAMES = (
    "system",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "metadata",
    "stop_sequences",
)
FORMAT = {"type": "json_schema", "schema": {"type": "object"}}


def _options(headers: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    return read(body(**fields), headers).options


# ---- wrong requests --------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"messages": None}, id="no messages"),
        pytest.param({"messages": []}, id="empty messages"),
        pytest.param({"messages": [{"role": "tool", "content": "x"}]}, id="unknown role"),
        pytest.param({"messages": [{"role": "user"}]}, id="no content"),
        pytest.param({"messages": [{"role": "user", "content": None}]}, id="content null"),
        pytest.param({"messages": [{"role": "user", "content": ["x"]}]}, id="no block"),
        pytest.param({"messages": [user({"text": "x"})]}, id="block without type"),
        pytest.param({"messages": [user({"type": "text"})]}, id="text without text"),
        pytest.param({"messages": [user({"type": "tool_result"})]}, id="result of nothing"),
        pytest.param({"max_tokens": None}, id="no max_tokens"),
        pytest.param({"max_tokens": -1}, id="negative max_tokens"),
        pytest.param({"max_tokens": "5"}, id="max_tokens as text"),
        pytest.param({"stream": "yes"}, id="stream as text"),
        pytest.param({"temperature": "hot"}, id="temperature as text"),
        pytest.param({"tools": [{"name": "add"}]}, id="tool without schema"),
        pytest.param({"tools": [{"input_schema": {}}]}, id="tool without name"),
        pytest.param({"tool_choice": {"type": "tool"}}, id="choice without name"),
        pytest.param({"tool_choice": {"type": "some"}}, id="unknown choice"),
        pytest.param({"output_config": {"format": {"type": "json_schema"}}}, id="no schema"),
        pytest.param({"system": 5}, id="system is a number"),
    ],
)
def test_wrong_fields_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        read({**body(), **wrong})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"stop_sequences": [""]}, "stop"),
        ({"temperature": -1}, "temperature"),
        ({"top_p": 2}, "top_p"),
        ({"top_k": -5}, "top_k"),
    ],
)
def test_impossible_values_are_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        read(body(**wrong))


def test_threads_are_refused_in_the_words_that_clients_know() -> None:
    with pytest.raises(Refusal) as told:
        read(body(thread={"type": "create"}))
    error = anthropic_error(told.value.problem, "req_1")["error"]
    assert error["type"] == "invalid_request_error"
    assert error["details"]["error_code"] == "thread_unsupported_request"


def test_keys_that_nobody_knows_are_ignored() -> None:
    strange = {
        "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]},
        "output_config": {"effort": "xhigh", "task_budget": {"total": 5}},
        "container": None,
        "mcp_servers": [],
        "service_tier": "auto",
        "speed": "fast",
        "betas": ["x"],
    }
    cached = {**text("Hi"), "cache_control": {"type": "ephemeral", "ttl": "1h"}, "citations": None}
    assert read(body(user(cached), **strange)).messages == [{"role": "user", "content": "Hi"}]


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=3)
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
KINDS = ("text", "image", "document", "tool_use", "tool_result", "thinking", "search_result", "x")
FIELDS = ("text", "id", "name", "input", "tool_use_id", "content", "source", "thinking", "is_error")
BLOCKS: st.SearchStrategy[Any] = st.deferred(
    lambda: st.dictionaries(st.sampled_from(FIELDS), JSON | st.text(min_size=1) | CONTENTS).flatmap(
        lambda block: st.sampled_from(KINDS).map(lambda kind: {**block, "type": kind})
    )
)
CONTENTS: st.SearchStrategy[Any] = st.one_of(st.text(max_size=3), st.lists(BLOCKS, max_size=3))
TURNS = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system"]), "content": CONTENTS}
)


@given(turns=st.lists(TURNS, min_size=1, max_size=4), name=st.sampled_from(NAMES), value=JSON)
def test_whatever_is_sent_is_read_or_refused(turns: list[Any], name: str, value: Any) -> None:
    with suppress(ValidationError, Refusal, OptionError):
        messages = read({**body(*turns), name: value}).messages
        assert all(isinstance(one["content"], str) for one in messages)


# ---- sampling --------------------------------------------------------------------------


def test_sampling_is_read() -> None:
    fields: Any = {"temperature": 0, "top_k": 5, "top_p": 0.5, "stop_sequences": ["END"]}
    sampling = _options(**fields)["sampling"]
    chosen = (sampling.temperature, sampling.top_k, sampling.top_p, sampling.stop)
    assert chosen == (0, 5, 0.5, ("END",))
    assert sampling.max_tokens == 64


@pytest.mark.parametrize("asked", [0, 128_000, 10**18])
def test_any_number_of_tokens_may_be_asked_for(asked: int) -> None:
    assert (_options(max_tokens=asked)["sampling"].max_tokens == 0) is (asked == 0)


# ---- tools -----------------------------------------------------------------------------


def test_tools_are_openai_definitions() -> None:
    (definition,) = _options(tools=[tool(cache_control={"type": "ephemeral"}, type="custom")])[
        "tools"
    ]
    function = definition["function"]
    assert (definition["type"], function["name"], function["description"]) == (
        "function",
        "add",
        "Adds.",
    )
    assert function["parameters"]["required"] == ["a", "b"]


@pytest.mark.parametrize(
    ("choice", "read_as"),
    [
        pytest.param({"type": "auto"}, "auto", id="auto"),
        pytest.param({"type": "any"}, "required", id="any"),
        pytest.param({"type": "none"}, "none", id="none"),
        pytest.param(
            {"type": "tool", "name": "add"},
            {"type": "function", "function": {"name": "add"}},
            id="one",
        ),
    ],
)
def test_tool_choice_is_exact(choice: Any, read_as: Any) -> None:
    assert _options(tools=[tool()], tool_choice=choice)["tool_choice"] == read_as


def test_calls_may_be_one_at_a_time() -> None:
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    assert _options(tools=[tool()], tool_choice=choice)["parallel_tool_calls"] is False


def test_a_forced_call_without_tools_is_refused() -> None:
    with pytest.raises(Refusal, match="there are no tools"):
        _options(tool_choice={"type": "any"})


@pytest.mark.parametrize("kind", ["web_search_20250305", "bash_20250124", "computer_20250124"])
def test_tools_that_anthropic_defines_are_left_out(kind: str) -> None:
    defined = {"type": kind, "name": kind.rpartition("_")[0]}
    assert len(_options(tools=[defined, tool()])["tools"]) == 1
    with pytest.raises(Refusal, match=kind):
        _options(tools=[defined])


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(Refusal, match="two have the name 'add'"):
        _options(tools=[tool(), tool()])


def test_a_deferred_tool_is_shown_once_it_was_found() -> None:
    tools = [tool("search"), tool("later", defer_loading=True)]
    use = {"type": "tool_use", "id": "t", "name": "search", "input": {}}
    found = [{"type": "tool_reference", "tool_name": "later"}]
    result = {"type": "tool_result", "tool_use_id": "t", "content": found}
    talk = [user("Go"), {"role": "assistant", "content": [use]}, user(result)]
    before, after = read(body(tools=tools)), read(body(*talk, tools=tools))
    assert [one["function"]["name"] for one in before.options["tools"]] == ["search"]
    assert [one["function"]["name"] for one in after.options["tools"]] == ["search", "later"]


def test_a_deferred_tool_is_shown_where_it_is_forced() -> None:
    tools = [tool("search"), tool("later", defer_loading=True)]
    choice = {"type": "tool", "name": "later"}
    assert len(_options(tools=tools, tool_choice=choice)["tools"]) == 2


# ---- thinking --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("thinking", "default", "thinks"),
    [
        (None, None, False),
        (None, True, True),
        ({"type": "disabled"}, True, False),
        ({"type": "enabled", "budget_tokens": 1024}, False, True),
        ({"type": "between_tools"}, None, True),
        ({"type": "adaptive"}, None, True),
        ({"type": "adaptive"}, False, False),
    ],
)
def test_thinking_is_what_was_asked_for(thinking: Any, default: bool | None, thinks: bool) -> None:
    request = read(body(thinking=thinking), enable_thinking=default)
    assert request.options["enable_thinking"] is thinks


def test_a_forced_call_comes_without_thinking() -> None:
    choice = {"type": "any"}
    options = _options(tools=[tool()], tool_choice=choice, thinking={"type": "enabled"})
    assert options["enable_thinking"] is False


# ---- structured output -----------------------------------------------------------------


@pytest.mark.parametrize(
    "fields", [{"output_config": {"format": FORMAT}}, {"output_format": FORMAT}]
)
def test_a_format_is_a_schema(fields: dict[str, Any]) -> None:
    assert _options(**fields)["json_schema"] == {"type": "object"}


# ---- affinity --------------------------------------------------------------------------


def test_a_talk_is_known_by_its_session() -> None:
    assert _options(headers={"x-claude-code-session-id": "s1"})["affinity"] == "s1"


@pytest.mark.parametrize(
    ("user_id", "name"),
    [
        ("user_12ab_account__session_9f-3e", "9f-3e"),
        (json.dumps({"device_id": "d", "session_id": "s2"}), "s2"),
        ("somebody", "somebody"),
        ('{"a": 1}', '{"a": 1}'),
    ],
)
def test_a_user_id_may_name_the_session(user_id: str, name: str) -> None:
    assert _options(metadata={"user_id": user_id})["affinity"] == name
