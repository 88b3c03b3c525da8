"""The guards in front of a real server, as the official clients meet them."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import anthropic
import httpx
import openai
import pytest

import llamanb
from llamanb.errors import ServerError
from tests.servers.conftest import loaded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llamanb.servers import Server
    from tests.servers.conftest import ServeModel

KEY = "sk-right"
HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
LONG: list[Any] = [{"role": "user", "content": "word " * 20_000}]


class Clients:
    """Official clients of a server, closed when the test ends."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def openai(self, server: Server, key: str = "local") -> openai.OpenAI:
        client = openai.OpenAI(base_url=server.base_url, api_key=key, max_retries=0)
        return self._stack.enter_context(client)

    def anthropic(self, server: Server, **keys: str | None) -> anthropic.Anthropic:
        options: dict[str, Any] = {"api_key": "local", "max_retries": 0, **keys}
        client = anthropic.Anthropic(base_url=server.url, **options)
        return self._stack.enter_context(client)

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def clients() -> Iterator[Clients]:
    with closing(Clients()) as clients:
        yield clients


@pytest.fixture
def locked(demo_path: Path, serve_model: ServeModel) -> Server:
    return serve_model(demo_path, api_key=KEY)


def test_official_clients_get_in_with_the_key(locked: Server, clients: Clients) -> None:
    chat = clients.openai(locked, KEY).chat.completions.create(
        model="", messages=HELLO, max_tokens=2
    )
    message = clients.anthropic(locked, api_key=KEY).messages.create(
        model="", messages=HELLO, max_tokens=2
    )

    assert chat._request_id is not None
    assert chat._request_id.startswith("req_")
    assert message._request_id is not None
    assert message._request_id.startswith("req_")


def test_a_token_of_anthropics_client_is_a_key_as_well(locked: Server, clients: Clients) -> None:
    client = clients.anthropic(locked, auth_token=KEY, api_key=None)

    assert client.messages.count_tokens(model="", messages=HELLO).input_tokens > 0


def test_official_clients_are_told_that_a_key_is_wrong(locked: Server, clients: Clients) -> None:
    with pytest.raises(openai.AuthenticationError):
        clients.openai(locked).models.list()
    with pytest.raises(anthropic.AuthenticationError):
        clients.anthropic(locked).messages.create(model="", messages=HELLO, max_tokens=2)


def test_signs_of_life_need_no_key(locked: Server) -> None:
    assert httpx.get(f"{locked.url}/health").status_code == 200
    assert httpx.head(locked.url).status_code == 200


def test_official_clients_are_told_of_an_overflow(demo_server: Server, clients: Clients) -> None:
    with pytest.raises(openai.BadRequestError) as told_openai:
        clients.openai(demo_server).chat.completions.create(model="", messages=LONG)
    with pytest.raises(anthropic.BadRequestError) as told_anthropic:
        clients.anthropic(demo_server).messages.create(model="", messages=LONG, max_tokens=2)

    assert told_openai.value.code == "context_length_exceeded"
    assert "prompt is too long: " in told_anthropic.value.message
    assert " tokens > 4096 maximum" in told_anthropic.value.message


def test_official_clients_are_told_of_a_model_that_is_not_there(
    demo_server: Server, clients: Clients
) -> None:
    with pytest.raises(openai.NotFoundError) as told_openai:
        clients.openai(demo_server).chat.completions.create(model="nobody/none", messages=HELLO)
    with pytest.raises(anthropic.NotFoundError):
        clients.anthropic(demo_server).messages.create(
            model="nobody/none", messages=HELLO, max_tokens=2
        )

    assert told_openai.value.code == "model_not_found"


@pytest.mark.parametrize("path", ["/v1/models", "/health", "/v1/chat/completions"])
@pytest.mark.parametrize(
    "header", [{"host": "evil.test"}, {"origin": "https://evil.test"}, {"origin": "null"}]
)
def test_foreign_hosts_and_pages_are_refused_everywhere(
    demo_server: Server, path: str, header: dict[str, str]
) -> None:
    assert httpx.get(demo_server.url + path, headers=header).status_code == 403


def test_curl_needs_no_content_type(demo_server: Server) -> None:
    answer = httpx.post(
        f"{demo_server.base_url}/chat/completions",
        content=b'{"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}',
        headers={"content-type": "application/x-www-form-urlencoded"},
    )

    assert answer.status_code == 200


def test_on_a_shared_machine_a_server_has_a_key_of_its_own(
    demo_path: Path, serve_model: ServeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "me")

    server = serve_model(demo_path)

    assert server.api_key is not None
    assert httpx.get(f"{server.base_url}/models").status_code == 401


def test_a_server_that_others_can_reach_needs_a_key(demo_path: Path) -> None:
    with pytest.raises(ServerError, match="api_key"):
        llamanb.serve(loaded(demo_path), host="0.0.0.0")  # noqa: S104  # refused, that is the point
