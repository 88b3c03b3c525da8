"""``llamanb serve`` as a program: what it prints and answers, its self-test and its end."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import RunLlamanb


@contextmanager
def serving(environment: dict[str, str], *words: str) -> Iterator[tuple[Any, dict[str, str]]]:
    """Give the running command, and what it printed about itself, by title."""
    command = [sys.executable, "-m", "llamanb", "serve", *words]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told: dict[str, str] = {}
        try:
            for line in process.stdout:
                if line.startswith("stop it"):
                    break
                told[line[:12].strip()] = line[12:].strip()
            yield process, told
        finally:
            process.kill()


def get(url: str, **headers: str) -> Any:
    return httpx.get(url, headers=headers, trust_env=False).raise_for_status().json()


def ask(url: str, **body: Any) -> Any:
    return httpx.post(url, json=body, timeout=30, trust_env=False).raise_for_status().json()


def url_of(told: dict[str, str]) -> str:
    return told["others"].split()[0]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)], ids=["Ctrl-C", "SIGTERM"]
)
def test_it_serves_until_a_signal_and_frees_the_port(
    number: signal.Signals, code: int, own_environment: dict[str, str]
) -> None:
    with serving(own_environment, "demo", "0", "-a", "mine") as (process, told):
        models = get(f"{url_of(told)}/v1/models")
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert [model["id"] for model in models["data"]] == ["mine"]
    assert (process.returncode, errors) == (code, "")
    with pytest.raises(httpx.ConnectError):
        get(url_of(told))


def test_port_and_context_may_be_words(own_environment: dict[str, str]) -> None:
    with serving(own_environment, "-m", "demo", "0", "512") as (_, told):
        assert told["context"] == "512 tokens"


def test_requests_that_say_nothing_use_the_options(own_environment: dict[str, str]) -> None:
    with serving(own_environment, "demo", "0", "--temp", "0", "-n", "3") as (_, told):
        messages = [{"role": "user", "content": "Why is the sky blue?"}]
        answer = ask(f"{url_of(told)}/v1/chat/completions", messages=messages)
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 3


def test_a_key_is_asked_for_and_not_printed(
    own_environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text("# ours\nsk-own\n", encoding="utf-8")
    with serving(own_environment, "demo", "0", "--api-key-file", str(file)) as (_, told):
        assert told["key"] == "the one you gave"
        assert get(f"{url_of(told)}/v1/models", Authorization="Bearer sk-own")["data"]
        with pytest.raises(httpx.HTTPStatusError, match="401"):
            get(f"{url_of(told)}/v1/models")


def test_a_key_made_at_random_is_printed_once(own_environment: dict[str, str]) -> None:
    with serving(own_environment | {"JUPYTERHUB_USER": "me"}, "demo", "0") as (_, told):
        assert get(f"{url_of(told)}/v1/models", Authorization=f"Bearer {told['key']}")["data"]


def test_a_template_of_ones_own_is_used(own_environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "own.jinja"
    file.write_text("OWN {{ messages[0].content }}", encoding="utf-8")
    with serving(own_environment, "demo", "0", "--chat-template-file", str(file)) as (_, told):
        messages = [{"role": "user", "content": "Hello"}]
        assert ask(f"{url_of(told)}/apply-template", messages=messages)["prompt"] == "OWN Hello"


def test_with_verbose_requests_are_shown_without_their_text(
    own_environment: dict[str, str],
) -> None:
    with serving(own_environment, "demo", "0", "-v", "-n", "2") as (process, told):
        messages = [{"role": "user", "content": "xylophone"}]
        ask(f"{url_of(told)}/v1/chat/completions", messages=messages)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert "POST /v1/chat/completions 200" in errors
    assert "xylophone" not in errors


@pytest.mark.parametrize(
    ("words", "paths"),
    [
        pytest.param(["demo"], ["/v1/chat/completions", "/v1/messages"], id="both"),
        pytest.param(["demo", "--api", "anthropic"], ["/v1/messages"], id="one dialect"),
        pytest.param(["demo-embed"], ["/v1/embeddings"], id="vectors"),
        pytest.param(
            ["demo", "--api-key", "sk-own", "--jinja"], ["/v1/chat/completions"], id="key"
        ),
    ],
)
def test_the_selftest_asks_each_dialect(
    words: list[str], paths: list[str], run_llamanb: RunLlamanb
) -> None:
    done = run_llamanb("serve", *words, "--selftest")
    assert done.returncode == 0, done.stderr
    assert all(f"POST {path}: " in done.stdout for path in paths)
    assert "tokens in" in done.stdout


def test_the_selftest_fails_if_a_dialect_does_not_answer(run_llamanb: RunLlamanb) -> None:
    done = run_llamanb("serve", "demo-embed", "--api", "anthropic", "--selftest")
    assert done.returncode == 1
    assert "failed: HTTP Error 404" in done.stdout


def test_a_taken_port_is_one_line(own_environment: dict[str, str], run_llamanb: RunLlamanb) -> None:
    with serving(own_environment, "demo", "0") as (_, told):
        port = url_of(told).rpartition(":")[2]
        second = run_llamanb("serve", "demo", port)
    assert second.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in second.stderr
