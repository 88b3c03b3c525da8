"""Every snippet works as it is: each is run, as a user would paste it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

import llamanb
from llamanb import clients

if TYPE_CHECKING:
    from pathlib import Path

    from llamanb.servers import Server
    from tests.integrations.conftest import WriteProgram

NAMES = {"curl", "openai", "anthropic", "chatlas", "langchain", "opencode", "claude-code", "codex"}
PACKAGES = {
    "openai": "openai",
    "anthropic": "anthropic",
    "chatlas": "chatlas",
    "langchain": "langchain_openai",
}
ANSWER = "scatters blue light"


def printed(command: list[str], text: str) -> str:
    """Run a program that reads its script from standard input."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_is_one_for_each_program(server: Server) -> None:
    assert set(clients.client_snippets(server)) == NAMES


@pytest.mark.parametrize("name", PACKAGES)
def test_python_snippets_print_an_answer(name: str, server: Server) -> None:
    if find_spec(PACKAGES[name]) is None:
        pytest.skip(f"the package {PACKAGES[name]} is not installed")
    snippet = clients.client_snippets(server)[name]
    assert ANSWER in printed([sys.executable, "-"], snippet)


@pytest.mark.parametrize("apis", [("openai",), ("anthropic",)])
def test_curl_prints_an_answer(apis: tuple[str, ...], demo_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    model = llamanb.load(demo_path, n_threads=1)
    with llamanb.serve(model, apis=apis, temperature=0, api_key="sk'own") as locked:
        answer = json.loads(printed(["sh", "-s"], clients.client_snippets(locked)["curl"]))
    assert ANSWER in json.dumps(answer)


def test_the_python_snippets_hold_the_key(locked_server: Server) -> None:
    snippets = clients.client_snippets(locked_server)
    assert all('"sk-own"' in snippets[name] for name in PACKAGES)


def test_the_claude_code_snippet_starts_claude_with_its_environment(
    server: Server, write_program: WriteProgram
) -> None:
    write_program("claude", 'echo "$ANTHROPIC_BASE_URL $ANTHROPIC_MODEL"')
    shown = printed(["sh", "-s"], clients.client_snippets(server)["claude-code"])
    assert shown == f"{server.url} {server.models[0]}\n"


def test_the_files_are_what_the_programs_are_given(server: Server) -> None:
    snippets = clients.client_snippets(server)
    assert json.loads(snippets["opencode"]) == clients.opencode_config(server, path=None)
    assert tomllib.loads(snippets["codex"])["model"] == server.models[0]


def test_a_server_of_one_dialect_has_the_snippets_of_that_dialect(demo_path: Path) -> None:
    model = llamanb.load(demo_path, n_threads=1)
    with llamanb.serve(model, apis=("anthropic",)) as srv:
        assert sorted(clients.client_snippets(srv)) == ["anthropic", "claude-code", "curl"]


def test_an_embedding_model_has_snippets_for_vectors(vector_server: Server) -> None:
    snippets = clients.client_snippets(vector_server)
    assert sorted(snippets) == ["curl", "openai"]
    if find_spec("openai") is None:
        pytest.skip("the package openai is not installed")
    size = vector_server.model.info.n_embd
    assert printed([sys.executable, "-"], snippets["openai"]).strip() == str(size)


def test_curious_names_are_quoted(demo_path: Path) -> None:
    with llamanb.serve(llamanb.load(demo_path, n_threads=1), name='it\'s "mine" é') as srv:
        snippets = clients.client_snippets(srv)
    compile(snippets["openai"], "openai", "exec")
    assert tomllib.loads(snippets["codex"])["model"] == 'it\'s "mine" é'
    assert json.loads(snippets["opencode"])["model"].endswith("é")
