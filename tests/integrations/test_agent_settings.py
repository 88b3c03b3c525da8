"""What each coding agent is told about a server."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

import llamanb
from llamanb import clients
from llamanb.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from llamanb.servers import Server


# ---- Claude Code -------------------------------------------------------------------------


def test_claude_code_finds_the_server_and_its_model_under_every_name(server: Server) -> None:
    variables = clients.claude_code_env(server)
    assert variables["ANTHROPIC_BASE_URL"] == server.url
    names = [name for name in variables if name.endswith("_MODEL")]
    assert len(names) == 6
    assert {variables[name] for name in names} == {server.models[0]}


def test_a_small_model_gets_the_short_prompt_unless_told_otherwise(server: Server) -> None:
    assert clients.claude_code_env(server)["CLAUDE_CODE_SIMPLE"] == "1"
    assert "CLAUDE_CODE_SIMPLE" not in clients.claude_code_env(server, small=False)


def test_claude_code_gets_the_key_of_the_server_as_a_token(locked_server: Server) -> None:
    variables = clients.claude_code_env(locked_server)
    assert variables.items() >= {"ANTHROPIC_AUTH_TOKEN": "sk-own", "ANTHROPIC_API_KEY": ""}.items()


def test_claude_code_compacts_before_the_context_is_full(server: Server) -> None:
    variables = clients.claude_code_env(server)
    answer = int(variables["CLAUDE_CODE_MAX_OUTPUT_TOKENS"])
    begins = (200_000 - answer) * float(variables["CLAUDE_AUTOCOMPACT_PCT_OVERRIDE"]) / 100
    assert begins + answer == pytest.approx(server.n_ctx, rel=0.01)


# ---- OpenCode ----------------------------------------------------------------------------


def test_opencode_gets_address_model_and_limits(server: Server) -> None:
    config = clients.opencode_config(server, path=None)
    provider, name = config["provider"]["llamanb"], server.models[0]
    assert config["model"] == config["small_model"] == f"llamanb/{name}"
    assert provider["options"] == {"baseURL": server.base_url, "apiKey": "local"}
    assert provider["models"][name]["limit"] == {"context": server.n_ctx, "output": 1024}


def test_opencode_settings_are_merged_into_a_file(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "opencode.json"
    path.write_text('{"model": "other/one", "theme": "mine"}', encoding="utf-8")
    given = clients.opencode_config(server, path)
    assert given == json.loads(path.read_text(encoding="utf-8"))
    assert (given["model"], given["theme"]) == ("other/one", "mine")
    assert given["small_model"] == f"llamanb/{server.models[0]}"


def test_a_model_of_an_earlier_server_is_replaced(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "opencode.json"
    path.write_text('{"model": "llamanb/gone"}', encoding="utf-8")
    assert clients.opencode_config(server, path)["model"] == f"llamanb/{server.models[0]}"


def test_without_merging_the_file_is_written_anew(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "opencode.json"
    path.write_text("// nothing to keep", encoding="utf-8")
    given = clients.opencode_config(server, path, merge=False)
    assert json.loads(path.read_text(encoding="utf-8")) == given


def test_no_key_is_written_to_a_file(locked_server: Server, tmp_path: Path) -> None:
    path = tmp_path / "opencode.json"
    clients.opencode_config(locked_server, path)
    text = path.read_text(encoding="utf-8")
    assert "sk-own" not in text
    assert "{env:LLAMANB_API_KEY}" in text


# ---- Codex -------------------------------------------------------------------------------


def test_codex_gets_a_provider_in_toml(server: Server) -> None:
    config = tomllib.loads(clients.codex_config(server))
    provider = config["model_providers"][config["model_provider"]]
    assert (config["model"], config["model_context_window"]) == (server.models[0], server.n_ctx)
    assert (provider["base_url"], provider["wire_api"]) == (server.base_url, "responses")
    assert "env_key" not in provider


def test_codex_reads_a_key_from_its_environment(locked_server: Server) -> None:
    config = tomllib.loads(clients.codex_config(locked_server))
    assert config["model_providers"]["llamanb"]["env_key"] == "LLAMANB_API_KEY"
    assert "sk-own" not in clients.codex_config(locked_server)


# ---- all ---------------------------------------------------------------------------------

WRITERS: list[Any] = [
    pytest.param(clients.claude_code_env, "openai", id="Claude Code"),
    pytest.param(lambda srv: clients.opencode_config(srv, None), "anthropic", id="OpenCode"),
    pytest.param(clients.codex_config, "anthropic", id="Codex"),
]


@pytest.mark.parametrize(("write", "other"), WRITERS)
def test_a_server_of_the_other_dialect_is_refused(
    write: Callable[[Server], object], other: str, demo_path: Path
) -> None:
    model = llamanb.load(demo_path, n_threads=1)
    with llamanb.serve(model, apis=(other,)) as srv, pytest.raises(OptionError, match=other):
        write(srv)


@pytest.mark.parametrize(("write", "_other"), WRITERS)
def test_a_model_without_words_is_refused(
    write: Callable[[Server], object], _other: str, vector_server: Server
) -> None:
    with pytest.raises(OptionError, match="chat model"):
        write(vector_server)
