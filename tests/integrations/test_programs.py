"""Running a program against a server: its environment, its end, its absence."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from llamanb import clients
from llamanb.errors import MissingExtraError, OptionError
from llamanb.integrations.programs import PACKAGES, find_program

if TYPE_CHECKING:
    from pathlib import Path

    from llamanb.servers import Server
    from tests.integrations.conftest import WriteProgram

SHOW = 'env > "$LOOK/env"; printf "%s\\n" "$@" > "$LOOK/words"; exit 7'


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder in which our programs note what they were given."""
    monkeypatch.setenv("LOOK", str(tmp_path))
    return tmp_path


def seen(folder: Path) -> dict[str, str]:
    lines = (folder / "env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def words(folder: Path) -> list[str]:
    return (folder / "words").read_text(encoding="utf-8").splitlines()


def test_claude_code_gets_its_words_and_gives_its_exit_code(
    server: Server, look: Path, write_program: WriteProgram
) -> None:
    write_program("claude", SHOW)
    assert clients.claude_code(server, ["-p", "two words"]) == 7
    assert words(look) == ["-p", "two words"]
    assert clients.claude_code_env(server).items() <= seen(look).items()


def test_other_accounts_do_not_reach_claude_code(
    server: Server, look: Path, write_program: WriteProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_CODE_USE_BEDROCK", "1")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-real")
    write_program("claude", SHOW)
    clients.claude_code(server, small=False)
    assert "CLAUDE_CODE_USE_BEDROCK" not in seen(look)
    assert seen(look)["ANTHROPIC_API_KEY"] == ""


def test_a_limit_the_user_has_set_is_kept(
    server: Server, look: Path, write_program: WriteProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_CODE_MAX_OUTPUT_TOKENS", "77")
    write_program("claude", SHOW)
    clients.claude_code(server)
    assert seen(look)["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] == "77"


def test_a_proxy_is_kept_out_of_the_way(
    server: Server, look: Path, write_program: WriteProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "intern")
    write_program("codex", SHOW)
    clients.codex(server)
    assert seen(look)["NO_PROXY"] == "intern,127.0.0.1,localhost,::1"


def test_opencode_gets_its_settings_over_the_users_own(
    server: Server, look: Path, write_program: WriteProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENCODE_CONFIG_CONTENT", '{"theme": "mine", "model": "other/one"}')
    write_program("opencode", SHOW)
    assert clients.opencode(server, ["run", "Hello"]) == 7
    given = json.loads(seen(look)["OPENCODE_CONFIG_CONTENT"])
    assert given == {"theme": "mine", **clients.opencode_config(server, path=None)}


def test_settings_in_the_environment_that_are_not_json_are_an_error(
    server: Server, write_program: WriteProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENCODE_CONFIG_CONTENT", "{")
    write_program("opencode", SHOW)
    with pytest.raises(OptionError, match="OPENCODE_CONFIG_CONTENT"):
        clients.opencode(server)


def test_codex_gets_its_settings_on_its_command_line(
    locked_server: Server, look: Path, write_program: WriteProgram
) -> None:
    write_program("codex", SHOW)
    clients.codex(locked_server, ["exec", "Hello"])
    assert words(look)[-2:] == ["exec", "Hello"]
    assert f'model_providers.llamanb.base_url="{locked_server.base_url}"' in words(look)
    assert seen(look)["LLAMANB_API_KEY"] == "sk-own"


def test_a_program_ended_by_a_signal_gives_128_and_its_number(
    server: Server, write_program: WriteProgram
) -> None:
    write_program("codex", "kill -9 $$")
    assert clients.codex(server) == 137


@pytest.mark.parametrize("program", PACKAGES)
def test_a_missing_program_says_how_to_install_it(
    program: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep)
    with pytest.raises(MissingExtraError, match=f"npm install -g {PACKAGES[program]}"):
        find_program(program)
