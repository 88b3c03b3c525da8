"""What OpenAI's clients may write, read without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from llamanb.errors import OptionError
from llamanb.servers.openai.requests import ChatRequest
from llamanb.servers.problems import Refusal
from llamanb.settings import ServerSettings
from tests.servers.openai.reading import HELLO, SCHEMA, WEATHER, chat, refused, text

if TYPE_CHECKING:
    from llamanb.settings import SamplingSettings


def sampling(**body: Any) -> SamplingSettings:
    settings: SamplingSettings = chat(**body).options["sampling"]
    return settings


# ---- messages ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("Hello\nyou", id="text"),
        pytest.param([{"type": "text", "text": "Hello\nyou"}], id="one part"),
        pytest.param(
            [{"type": "text", "text": "Hello"}, {"type": "text", "text": "you"}], id="two parts"
        ),
        pytest.param(["Hello", "you"], id="plain texts"),
        pytest.param([{"type": "input_text", "text": "Hello\nyou"}], id="another dialect's"),
        pytest.param([{"type": "refusal", "refusal": "Hello\nyou"}], id="refusal"),
    ],
)
def test_a_content_in_parts_is_the_same_as_one_text(content: Any) -> None:
    messages = chat(messages=[{"role": "user", "content": content}]).messages
    assert messages == [{"role": "user", "content": "Hello\nyou"}]


def test_an_image_is_refused_by_its_place() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    content = [{"type": "text", "text": "What is this?"}, image]
    assert refused(messages=[*HELLO, {"role": "user", "content": content}]) == (
        "messages[1].content[1]"
    )


def test_keys_of_other_programs_do_not_reach_the_template() -> None:
    message = {"role": "assistant", "content": "Hi", "refusal": None, "audio": None, "x": 1}
    assert chat(messages=[message]).messages == [{"role": "assistant", "content": "Hi"}]


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_reasoning_of_earlier_turns_is_kept(key: str) -> None:
    message = {"role": "assistant", "content": "4", key: "2 + 2"}
    assert chat(messages=[message, *HELLO]).messages[0]["reasoning_content"] == "2 + 2"


def test_calls_keep_their_arguments_and_results_their_order() -> None:
    calls = [
        {"id": id, "type": "function", "function": {"name": "now", "arguments": arguments}}
        for id, arguments in [("a", '{"x":  ["a"]}'), ("b", "")]
    ]
    results = [{"role": "tool", "tool_call_id": id, "content": id} for id in ("b", "a")]
    turn = {"role": "assistant", "content": None, "tool_calls": calls}
    read = chat(messages=[*HELLO, turn, *results]).messages
    assert [call["function"]["arguments"] for call in read[1]["tool_calls"]] == [
        '{"x":  ["a"]}',
        "{}",
    ]
    assert read[2:] == results


def test_old_function_calls_become_tool_calls() -> None:
    called = {"name": "now", "arguments": "{}"}
    turn = {"role": "assistant", "content": None, "function_call": called}
    result = {"role": "function", "name": "now", "content": "12:00"}
    read = chat(messages=[*HELLO, turn, result]).messages
    call_id = read[1]["tool_calls"][0]["id"]
    assert read[1]["tool_calls"][0]["function"] == called
    assert read[2] == {
        "role": "tool",
        "name": "now",
        "content": "12:00",
        "tool_call_id": call_id,
    }


def test_an_empty_list_of_calls_is_none() -> None:
    message = {"role": "assistant", "content": "Hi", "tool_calls": []}
    assert "tool_calls" not in chat(messages=[message]).messages[0]


# ---- going on with a last message ----------------------------------------------------------

BEGUN = [*HELLO, {"role": "assistant", "content": "The"}]


@pytest.mark.parametrize(
    ("body", "continues"),
    [
        pytest.param({"messages": HELLO}, False, id="user last"),
        pytest.param({"messages": BEGUN}, True, id="assistant last"),
        pytest.param({"messages": BEGUN, "continue_final_message": False}, False, id="said no"),
        pytest.param({"messages": BEGUN, "add_generation_prompt": True}, False, id="new turn"),
        pytest.param({"messages": BEGUN, "add_generation_prompt": False}, True, id="no new turn"),
        pytest.param(
            {"messages": BEGUN, "tools": [WEATHER], "tool_choice": "required"}, False, id="forced"
        ),
        pytest.param(
            {"messages": [*HELLO, {"role": "assistant", "content": ""}]}, False, id="empty"
        ),
    ],
)
def test_a_last_message_of_the_assistant_is_gone_on_with(
    body: dict[str, Any], continues: bool
) -> None:
    assert chat(**body).options["continue_final_message"] is continues


# ---- sampling ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "name", "value"),
    [
        pytest.param({"max_tokens": 5}, "max_tokens", 5, id="max_tokens"),
        pytest.param({"max_completion_tokens": 6}, "max_tokens", 6, id="new name"),
        pytest.param(
            {"max_completion_tokens": 6, "max_tokens": 9}, "max_tokens", 6, id="the new one wins"
        ),
        pytest.param({"n_predict": 7}, "max_tokens", 7, id="llama-server's name"),
        pytest.param({"max_tokens": -1}, "max_tokens", None, id="no limit"),
        pytest.param({"max_tokens": 10**15}, "max_tokens", 1 << 24, id="too many are clamped"),
        pytest.param({"temperature": 0}, "temperature", 0, id="temperature"),
        pytest.param({"top_k": -1}, "top_k", 0, id="no top_k"),
        pytest.param({"top_p": 0.5}, "top_p", 0.5, id="top_p"),
        pytest.param({"min_p": 0.1}, "min_p", 0.1, id="min_p"),
        pytest.param({"repeat_penalty": 1.1}, "repeat_penalty", 1.1, id="repeat_penalty"),
        pytest.param({"repetition_penalty": 1.2}, "repeat_penalty", 1.2, id="vLLM's name"),
        pytest.param({"repeat_last_n": -1}, "repeat_last_n", 1 << 24, id="whole context"),
        pytest.param({"presence_penalty": 1}, "presence_penalty", 1, id="presence"),
        pytest.param({"frequency_penalty": 2}, "frequency_penalty", 2, id="frequency"),
        pytest.param({"seed": 42}, "seed", 42, id="seed"),
        pytest.param({"seed": -1}, "seed", None, id="any seed"),
        pytest.param({"seed": (1 << 40) + 3}, "seed", 3, id="long seed"),
        pytest.param({"seed": 7.0}, "seed", 7, id="whole number with a point"),
        pytest.param({"stop": "END"}, "stop", ("END",), id="one stop"),
        pytest.param({"stop": ["A", "", "B"]}, "stop", ("A", "B"), id="stops"),
        pytest.param({"stop": []}, "stop", (), id="no stops"),
        pytest.param({"logit_bias": {"12": -100}}, "logit_bias", ((12, -100.0),), id="bias"),
        pytest.param({"logprobs": True}, "logprobs", 0, id="logprobs"),
        pytest.param({"logprobs": True, "top_logprobs": 3}, "logprobs", 3, id="top_logprobs"),
        pytest.param({"logprobs": False}, "logprobs", None, id="no logprobs"),
        pytest.param({"ignore_eos": True}, "ignore_eos", True, id="ignore_eos"),
    ],
)
def test_sampling(body: dict[str, Any], name: str, value: Any) -> None:
    assert getattr(sampling(**body), name) == value


def test_the_servers_own_settings_stay_where_nothing_is_said() -> None:
    assert sampling(temperature=None, seed=None) == ServerSettings().sampling


def test_top_logprobs_need_logprobs() -> None:
    assert refused(top_logprobs=2) == "top_logprobs"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("messages", []),
        ("messages", "Hello"),
        ("messages", [{"content": "Hello"}]),
        ("messages", [{"role": "nobody", "content": "Hello"}]),
        ("messages", [{"role": "user", "content": 5}]),
        ("messages", [{"role": "user", "content": [{"type": "text", "text": 5}]}]),
        ("messages", [{"role": "assistant", "tool_calls": [{"id": "a"}]}]),
        ("model", 5),
        ("stream", "yes"),
        ("stream", 1),
        ("n", 0),
        ("n", 1000),
        ("n", "2"),
        ("n", True),
        ("temperature", "warm"),
        ("temperature", -1),
        ("top_p", 1.5),
        ("max_tokens", 1.5),
        ("max_tokens", -2),
        ("stop", 5),
        ("stop", [5]),
        ("seed", "1"),
        ("logit_bias", {"word": 1}),
        ("logit_bias", [1]),
        ("logprobs", 3),
        ("top_logprobs", 100),
        ("tools", {}),
        ("tools", [{"type": "function", "function": {"parameters": {}}}]),
        ("tool_choice", 5),
        ("response_format", "json"),
        ("chat_template_kwargs", "x"),
        ("stream_options", []),
    ],
)
def test_a_wrong_type_is_wrong_in_its_place(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        ChatRequest.model_validate({"messages": HELLO, field: value})
    assert {error["loc"][0] for error in caught.value.errors()} == {field}


def test_unknown_keys_and_nulls_are_no_harm() -> None:
    fields = dict.fromkeys(set(ChatRequest.model_fields) - {"messages"})
    known = chat(**fields, store=True, metadata={"a": 1}, service_tier="auto", user="me")
    assert (known.n, known.model) == (1, None)


# ---- what the answer must be ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "schema"),
    [
        pytest.param({"response_format": {"type": "text"}}, None, id="text"),
        pytest.param({"response_format": {"type": "json_object"}}, {"type": "object"}, id="object"),
        pytest.param(
            {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
            SCHEMA,
            id="nested",
        ),
        pytest.param(
            {"response_format": {"type": "json_schema", "schema": SCHEMA}}, SCHEMA, id="flat"
        ),
        pytest.param({"json_schema": SCHEMA}, SCHEMA, id="llama-server's key"),
    ],
)
def test_the_schema_of_the_answer(body: dict[str, Any], schema: Any) -> None:
    assert chat(**body).options.get("json_schema") == schema


@pytest.mark.parametrize(
    ("body", "param"),
    [
        pytest.param({"response_format": {"type": "xml"}}, "response_format", id="unknown"),
        pytest.param({"response_format": {"type": []}}, "response_format", id="kind is a list"),
        pytest.param({"response_format": {}}, "response_format", id="empty"),
        pytest.param({"response_format": {"type": "json_schema"}}, "response_format", id="none"),
        pytest.param({"json_schema": {}, "regex": "a"}, "regex", id="two"),
        pytest.param({"grammar": 'root ::= "a"'}, "grammar", id="grammar"),
        pytest.param({"modalities": ["text", "audio"]}, "modalities", id="audio"),
        pytest.param({"reasoning_format": "xml"}, "reasoning_format", id="reasoning_format"),
        pytest.param({"thinking": {"type": []}}, "thinking", id="thinking"),
        pytest.param(
            {"chat_template_kwargs": {"enable_thinking": "no"}},
            "chat_template_kwargs.enable_thinking",
            id="template variable",
        ),
    ],
)
def test_what_is_impossible_is_named(body: dict[str, Any], param: str) -> None:
    assert refused(**body) == param


def test_an_impossible_stop_is_refused() -> None:
    with pytest.raises(OptionError, match="stop"):
        chat(stop=["x" * 5000])


# ---- sessions ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "body", "affinity"),
    [
        pytest.param({}, {}, None, id="none"),
        pytest.param({"x-session-id": "a"}, {"prompt_cache_key": "b"}, "a", id="header first"),
        pytest.param({}, {"prompt_cache_key": "b", "session_id": "c"}, "b", id="cache key"),
        pytest.param({}, {"session_id": "c"}, "c", id="session"),
        pytest.param({"x-session-id": "a" * 999}, {}, "a" * 256, id="long"),
    ],
)
def test_the_name_of_the_session(headers: Any, body: Any, affinity: str | None) -> None:
    assert chat(headers, **body).options["affinity"] == affinity


# ---- plain completions ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "read"),
    [
        pytest.param("Once", ("Once",), id="text"),
        pytest.param(["Once", "Then"], ("Once", "Then"), id="texts"),
        pytest.param([1, 2], ((1, 2),), id="token ids"),
        pytest.param([[1, 2], [3]], ((1, 2), (3,)), id="several of them"),
    ],
)
def test_prompts(prompt: Any, read: Any) -> None:
    assert text(prompt=prompt).prompts == read


@pytest.mark.parametrize("prompt", [5, [1.5], [-1], ["a", 1], [["a"]], None, {}])
def test_a_prompt_of_another_type_is_wrong(prompt: Any) -> None:
    with pytest.raises(ValidationError):
        text(prompt=prompt)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        pytest.param({"prompt": []}, "prompt", id="no prompt"),
        pytest.param({"prompt": ["a"] * 40, "n": 2}, "prompt", id="too many"),
        pytest.param({"suffix": "end"}, "suffix", id="suffix"),
        pytest.param({"best_of": 3}, "best_of", id="best_of"),
        pytest.param({"echo": True, "logprobs": 1}, "echo", id="logprobs of a prompt"),
    ],
)
def test_what_completions_cannot_do_is_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(Refusal) as caught:
        text(**body)
    assert caught.value.problem.param == param


def test_a_completion_may_have_a_grammar() -> None:
    asked = text(grammar='root ::= "a"', best_of=1, suffix="", logprobs=2)
    assert asked.options["grammar"] == 'root ::= "a"'
    assert asked.options["sampling"].logprobs == 2
