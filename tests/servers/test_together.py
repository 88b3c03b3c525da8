"""Several clients of one model: nobody's answer depends on the others."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import llamanb
from tests.servers.conftest import loaded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llamanb.servers import Server

QUESTIONS = [
    "Hello",
    "What is R?",
    "Why is the sky blue?",
    "What is the capital of Japan?",
    "Repeat: one two three",
    "Who are you?",
    "What is 2 + 2?",
    "Write a haiku",
]
WORDS = [
    "the",
    "a",
    "model",
    "reads",
    "files",
    "and",
    "writes",
    "code",
    "with",
    "tests",
    "for",
    "every",
    "function",
    "when",
    "asked",
]


def chat(server: Server, question: str) -> str:
    """Stream one greedy answer in the OpenAI dialect."""
    body = {"messages": [{"role": "user", "content": question}], "stream": True}
    with httpx.stream(
        "POST", f"{server.base_url}/chat/completions", json=body, timeout=60
    ) as response:
        return "".join(line for line in response.iter_lines() if '"content"' in line)


def without_ids(text: str) -> list[str]:
    """Give the contents of the chunks, without what differs between two requests."""
    return [part.split('"}', 1)[0] for part in text.split('"content":"')[1:]]


def test_eight_streams_at_once_say_what_each_says_alone(demo_server: Server) -> None:
    alone = [without_ids(chat(demo_server, question)) for question in QUESTIONS]
    with ThreadPoolExecutor(len(QUESTIONS)) as threads:
        together = list(threads.map(lambda question: chat(demo_server, question), QUESTIONS))
    assert [without_ids(text) for text in together] == alone
    assert all(alone)


def test_the_dialects_say_the_same(demo_server: Server) -> None:
    messages = [{"role": "user", "content": QUESTIONS[2]}]
    completion = httpx.post(f"{demo_server.base_url}/chat/completions", json={"messages": messages})
    message = httpx.post(
        f"{demo_server.base_url}/messages",
        json={"model": "claude", "max_tokens": 64, "messages": messages},
    )
    response = httpx.post(f"{demo_server.base_url}/responses", json={"input": QUESTIONS[2]})
    text = completion.json()["choices"][0]["message"]["content"]
    assert text == message.json()["content"][0]["text"]
    assert text == response.json()["output"][0]["content"][0]["text"]


@pytest.fixture(scope="module")
def agent_server(demo_path: Path) -> Iterator[Server]:
    """Give a server with the context that agents ask for."""
    model = loaded(demo_path)
    with llamanb.serve_anthropic(model, port=0, temperature=0) as server:
        yield server


class Agent:
    """Sends requests in the shape of a coding agent's."""

    def __init__(self, server: Server, n_words: int) -> None:
        chance = random.Random(1)  # noqa: S311  # not a secret
        self.server, self.n_runs = server, 0
        self.system = " ".join(chance.choices(WORDS, k=n_words))
        self.tools = [
            {
                "name": f"tool_{number}",
                "description": " ".join(chance.choices(WORDS, k=40)),
                "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
            }
            for number in range(6)
        ]
        self.messages: list[dict[str, Any]] = []

    def say(self, text: str) -> dict[str, Any]:
        """Take a turn; the first block of the system prompt differs each time."""
        self.n_runs += 1
        self.messages.append({"role": "user", "content": text})
        header = f"x-anthropic-billing-header: cc_version=2.1.{self.n_runs}; cch={self.n_runs};"
        answer = self._ask([header, "You are an agent.", self.system], self.messages, self.tools)
        self.messages.append({"role": "assistant", "content": answer["content"]})
        return answer

    def ask_for_title(self) -> None:
        """Send the side request that agents make between two turns."""
        self._ask(["Write a title."], [{"role": "user", "content": "List the files"}], [])

    def _ask(self, system: list[str], messages: list[Any], tools: list[Any]) -> dict[str, Any]:
        body = {
            "model": "claude-sonnet-4-5",
            "max_tokens": 20,
            "system": [{"type": "text", "text": text} for text in system],
            "messages": messages,
            "tools": tools,
        }
        response = httpx.post(
            f"{self.server.url}/v1/messages?beta=true",
            json=body,
            headers={"x-claude-code-session-id": "one"},
            timeout=300,
        )
        answer: dict[str, Any] = response.json()
        assert response.status_code == 200, answer
        return answer


def test_an_agents_second_turn_reuses_the_first(agent_server: Server) -> None:
    agent = Agent(agent_server, n_words=600)
    agent.say("List the files")
    agent.ask_for_title()
    usage = agent.say("Thank you. And now?")["usage"]
    cached, new = usage["cache_read_input_tokens"], usage["input_tokens"]
    assert cached + new > 1500
    assert cached / (cached + new) >= 0.95
