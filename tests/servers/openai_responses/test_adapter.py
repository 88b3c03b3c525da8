"""What a request of the Responses API asks for."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from llamanb.errors import OptionError
from llamanb.servers.openai_responses.adapter import AskedResponse, read_request
from llamanb.servers.openai_responses.requests import InputTokensRequest, ResponsesRequest
from llamanb.servers.openai_responses.store import ResponseStore
from llamanb.servers.problems import Refusal
from llamanb.settings import SamplingSettings

TOOL: dict[str, Any] = {"type": "function", "name": "look", "parameters": {"type": "object"}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def read_sampling(**options: Any) -> SamplingSettings:
    return SamplingSettings.from_options(
        None, **{name: value for name, value in options.items() if value is not None}
    )


def asked(
    store: ResponseStore | None = None, headers: dict[str, str] | None = None, **body: Any
) -> AskedResponse:
    request = ResponsesRequest.model_validate({"input": "Hi", **body})
    return read_request(
        request,
        headers=headers or {},
        store=store or ResponseStore(),
        read_sampling=read_sampling,
    )


def options(**body: Any) -> dict[str, Any]:
    return asked(**body).asked.options


def test_instructions_come_first_as_the_system() -> None:
    messages = asked(instructions="Be short.").asked.messages
    assert [message["role"] for message in messages] == ["system", "user"]


def test_sampling_is_read_in_our_words() -> None:
    sampling = asked(
        max_output_tokens=7, temperature=0.5, top_p=0.9, seed=3, stop="x", top_k=4
    ).sampling
    assert (sampling.max_tokens, sampling.temperature, sampling.top_p) == (7, 0.5, 0.9)
    assert (sampling.seed, sampling.stop, sampling.top_k) == (3, ("x",), 4)


@pytest.mark.parametrize(
    ("body", "logprobs"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param({"include": ["message.output_text.logprobs"]}, 0, id="include"),
        pytest.param({"top_logprobs": 3}, 3, id="top"),
        pytest.param({"top_logprobs": 0}, None, id="none"),
    ],
)
def test_log_probabilities_are_asked_for(body: dict[str, Any], logprobs: int | None) -> None:
    assert asked(**body).sampling.logprobs == logprobs


@pytest.mark.parametrize(
    ("body", "enable_thinking", "variables"),
    [
        pytest.param({}, None, None, id="nothing"),
        pytest.param({"reasoning": {"summary": "auto"}}, None, None, id="summary-only"),
        pytest.param({"reasoning": {"effort": "none"}}, False, None, id="none"),
        pytest.param({"reasoning": {"effort": "minimal"}}, False, None, id="minimal"),
        pytest.param({"reasoning": {"effort": "low"}}, True, {"reasoning_effort": "low"}, id="low"),
        pytest.param(
            {"reasoning": {"effort": "xhigh"}},
            True,
            {"reasoning_effort": "high"},
            id="more-than-templates-know",
        ),
        pytest.param(
            {"reasoning": {"effort": "low"}, "enable_thinking": False},
            False,
            {"reasoning_effort": "low"},
            id="switch-beats-effort",
        ),
        pytest.param(
            {"tools": [TOOL], "tool_choice": "required", "reasoning": {"effort": "low"}},
            False,
            {"reasoning_effort": "low"},
            id="forced-call",
        ),
    ],
)
def test_effort_says_whether_and_how_much_to_think(
    body: dict[str, Any], enable_thinking: bool | None, variables: dict[str, Any] | None
) -> None:
    read = options(**body)
    assert read["enable_thinking"] is enable_thinking
    assert read["chat_template_kwargs"] == variables


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        pytest.param(None, None, id="nothing"),
        pytest.param({"format": {"type": "text"}}, None, id="text"),
        pytest.param({"verbosity": "low"}, None, id="verbosity"),
        pytest.param({"format": {"type": "json_object"}}, {"type": "object"}, id="json"),
        pytest.param(
            {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}}, SCHEMA, id="schema"
        ),
    ],
)
def test_the_format_of_the_text_is_a_schema(text: Any, schema: Any) -> None:
    assert options(text=text)["json_schema"] == schema


def test_a_format_that_there_is_not_is_refused() -> None:
    with pytest.raises(OptionError, match="must be 'text'"):
        options(text={"format": {"type": "yaml"}})


def test_tools_and_their_choice_are_passed_on() -> None:
    read = options(tools=[TOOL], tool_choice="required", parallel_tool_calls=False)
    assert read["tools"][0]["function"]["name"] == "look"
    assert (read["tool_choice"], read["parallel_tool_calls"]) == ("required", False)


def test_tools_that_come_as_an_item_are_offered() -> None:
    items = [
        {"type": "additional_tools", "role": "developer", "tools": [TOOL]},
        {"role": "user", "content": "Hi"},
    ]
    assert options(input=items)["tools"][0]["function"]["name"] == "look"


@pytest.mark.parametrize(
    ("body", "affinity"),
    [
        pytest.param({"prompt_cache_key": "k", "headers": {"session-id": "s"}}, "k", id="key"),
        pytest.param({"headers": {"session-id": "s"}}, "s", id="codex"),
        pytest.param({"headers": {"x-session-id": "s"}}, "s", id="others"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_a_conversation_is_known_by_its_key_or_session(body: Any, affinity: str | None) -> None:
    assert options(**body)["affinity"] == affinity


def test_an_unfinished_answer_at_the_end_is_gone_on_with() -> None:
    items = [{"role": "user", "content": "Count"}, {"role": "assistant", "content": "1, 2,"}]
    assert options(input=items)["continue_final_message"] is True
    assert options()["continue_final_message"] is False


def test_a_request_goes_on_from_an_earlier_response() -> None:
    store = ResponseStore()
    first = asked(store, instructions="Once.")
    answer = {"id": "msg_9", "type": "message", "role": "assistant", "content": "Hello"}
    store.put({"id": "resp_1", "output": [answer]}, first.input_items)
    second = asked(store, previous_response_id="resp_1", input="And now?")
    assert [(m["role"], m["content"]) for m in second.asked.messages] == [
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("user", "And now?"),
    ]
    assert len(second.input_items) == 1


def test_a_reference_stands_for_the_item() -> None:
    store = ResponseStore()
    item = {"id": "msg_9", "type": "message", "role": "user", "content": "Kept"}
    store.put({"id": "resp_1", "output": []}, [item])
    assert asked(store, input=[{"id": "msg_9"}]).asked.messages[0]["content"] == "Kept"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        pytest.param({"background": True}, "background", id="background"),
        pytest.param({"conversation": "conv_1"}, "conversation", id="conversation"),
        pytest.param({"prompt": {"id": "pmpt_1"}}, "prompt", id="stored-prompt"),
        pytest.param({"input": []}, "input", id="nothing"),
        pytest.param({"input": None}, "input", id="null"),
        pytest.param({"previous_response_id": "resp_0"}, "previous_response_id", id="previous"),
        pytest.param({"input": [{"id": "msg_0"}]}, "input[0]", id="reference"),
        pytest.param({"tool_choice": "required"}, "tool_choice", id="no-tools"),
    ],
)
def test_what_cannot_be_served_is_refused(body: dict[str, Any], param: str) -> None:
    with pytest.raises(Refusal) as refused:
        asked(**body)
    assert refused.value.problem.param == param


@pytest.mark.parametrize(
    "body",
    [
        {"input": 5},
        {"input": ["Hi"]},
        {"stream": "yes"},
        {"max_output_tokens": 0},
        {"max_output_tokens": "7"},
        {"temperature": -1},
        {"top_logprobs": 21},
        {"metadata": {"a": 1}},
        {"tools": {"type": "function"}},
    ],
    ids=str,
)
def test_a_field_of_the_wrong_type_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ResponsesRequest.model_validate({"input": "Hi", **body})


def test_keys_that_nobody_knows_are_ignored() -> None:
    unknown: dict[str, Any] = {"client_metadata": {"a": "b"}, "stream_options": {"x": 1}}
    assert asked(**unknown).asked == asked().asked


def test_counting_reads_the_same_prompt() -> None:
    body = {"input": "Hi", "instructions": "Be short.", "tools": [TOOL]}
    counted = read_request(
        InputTokensRequest.model_validate(body),
        headers={},
        store=ResponseStore(),
        read_sampling=read_sampling,
    ).asked
    made = asked(input="Hi", instructions="Be short.", tools=[TOOL]).asked
    assert counted.messages == made.messages
    assert counted.options["tools"] == made.options["tools"]
