"""Plain completions through the official SDK, on the demo model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest

import llamanb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai.types import Completion

    from llamanb.servers import Server

PROMPT = "The sea is"


@pytest.fixture(scope="module")
def client(demo_server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=demo_server.base_url, api_key="local", max_retries=0) as made:
        yield made


def go_on(client: openai.OpenAI, prompt: Any = PROMPT, **options: Any) -> Completion:
    answer: Completion = client.completions.create(
        model="demo", prompt=prompt, **{"max_tokens": 8, **options}
    )
    return answer


def test_a_text_is_gone_on_with_as_in_a_cell(client: openai.OpenAI) -> None:
    model = llamanb.load("demo")
    assert go_on(client).choices[0].text == model.generate(PROMPT, max_tokens=8, temperature=0)


def test_a_stream_says_the_same(client: openai.OpenAI) -> None:
    chunks: Any = go_on(client, stream=True, stream_options={"include_usage": True})
    *pieces, last = list(chunks)
    assert "".join(one.choices[0].text for one in pieces) == go_on(client).choices[0].text
    assert pieces[-1].choices[0].finish_reason == "length"
    assert (last.choices, last.usage.completion_tokens) == ([], 8)


def test_token_ids_are_the_same_prompt(client: openai.OpenAI) -> None:
    ids = llamanb.load("demo").tokenize(PROMPT)
    same = go_on(client, ids)
    assert same.choices[0].text == go_on(client).choices[0].text
    assert same.usage is not None
    assert same.usage.prompt_tokens == len(ids)
    assert go_on(client, [ids, ids]).choices[1].text == same.choices[0].text


def test_every_prompt_has_its_answers(client: openai.OpenAI) -> None:
    prompts = [PROMPT, "Once"]
    both = go_on(client, prompts, n=2)
    alone = [go_on(client, prompt).choices[0].text for prompt in prompts]
    assert [(one.index, one.text) for one in both.choices] == [
        (0, alone[0]),
        (1, alone[0]),
        (2, alone[1]),
        (3, alone[1]),
    ]
    assert both.usage is not None
    assert both.usage.completion_tokens == 4 * 8


def test_an_echo_begins_with_the_prompt(client: openai.OpenAI) -> None:
    text = go_on(client).choices[0].text
    ids = llamanb.load("demo").tokenize(PROMPT)
    assert go_on(client, echo=True).choices[0].text == PROMPT + text
    assert go_on(client, ids, echo=True).choices[0].text == PROMPT + text


def test_log_probabilities_in_the_old_shape(client: openai.OpenAI) -> None:
    choice = go_on(client, logprobs=2).choices[0]
    assert choice.logprobs is not None
    assert choice.logprobs.tokens is not None
    assert "".join(choice.logprobs.tokens) == choice.text
    assert [len(top) for top in choice.logprobs.top_logprobs or ()] == [2] * 8
    assert (choice.logprobs.text_offset or [])[0] == 0


def test_a_stop_ends_it(client: openai.OpenAI) -> None:
    text = go_on(client).choices[0].text
    choice = go_on(client, stop=text[3:5]).choices[0]
    assert (choice.text, choice.finish_reason) == (text[: text.index(text[3:5])], "stop")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"grammar": 'root ::= "yes" | "no"'}, id="GBNF"),
        pytest.param({"regex": "yes|no"}, id="regex"),
        pytest.param({"json_schema": {"enum": ["yes", "no"]}}, id="schema"),
    ],
)
def test_it_matches_what_it_must(client: openai.OpenAI, body: dict[str, Any]) -> None:
    assert go_on(client, extra_body=body).choices[0].text.strip('"') in {"yes", "no"}


@pytest.mark.parametrize(
    ("options", "param"),
    [
        pytest.param({"prompt": []}, "prompt", id="nothing"),
        pytest.param({"prompt": [1 << 30]}, None, id="no such token"),
        pytest.param({"suffix": "."}, "suffix", id="suffix"),
        pytest.param({"logit_bias": {"99999999": 1}}, None, id="bias of no token"),
        pytest.param({"extra_body": {"grammar": "root ::= ("}}, None, id="broken grammar"),
    ],
)
def test_what_cannot_be_is_refused(
    client: openai.OpenAI, options: dict[str, Any], param: str | None
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        go_on(client, **options)
    assert caught.value.param == param
