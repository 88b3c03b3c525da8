"""``llamanb claude``, ``opencode`` and ``codex``, with programs we wrote in their place."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from llamanb.cli.agents import split_words
from llamanb.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# A program that asks its server which models there are, and shows its words.
ASK = """#!{python}
import json, os, re, sys, urllib.request
told = json.dumps([sys.argv, dict(os.environ)]).replace("\\\\", "")
url = re.search(r"http://127[.]0[.]0[.]1:[0-9]+", told)[0]
with urllib.request.urlopen(url + "/v1/models") as response:
    names = [model["id"] for model in json.load(response)["data"]]
print(json.dumps({{"names": names, "words": sys.argv[1:]}}))
sys.exit({code})
"""
WAIT = """#!{python}
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
signal.signal(signal.SIGINT, lambda *_: (print("interrupted", flush=True), sys.exit({code})))
print("waiting", flush=True)
while True:
    signal.pause()
"""


@pytest.fixture
def environment(own_environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Give an environment with a folder of programs in front of its PATH."""
    (tmp_path / "bin").mkdir()
    path = f"{tmp_path / 'bin'}{os.pathsep}{own_environment['PATH']}"
    return own_environment | {"PATH": path}


@pytest.fixture
def write_program(environment: dict[str, str]) -> Callable[[str, str, int], None]:
    """Give a function that writes a program with an exit code."""
    folder = environment["PATH"].split(os.pathsep)[0]

    def write(name: str, script: str, code: int) -> None:
        path = f"{folder}/{name}"
        with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123  # the rights are set at once
            file.write(script.format(python=sys.executable, code=code))
            os.fchmod(file.fileno(), 0o755)

    return write


def start(environment: dict[str, str], *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "llamanb", *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    ("words", "own", "forwarded"),
    [
        (["claude", "demo", "--", "-p", "Hello"], ["claude", "demo"], ["-p", "Hello"]),
        (["codex", "--", "exec", "--", "x"], ["codex"], ["exec", "--", "x"]),
        (["opencode"], ["opencode"], []),
        (["models", "--", "ls"], ["models", "--", "ls"], []),
        ([], [], []),
    ],
)
def test_what_stands_behind_two_dashes_is_for_the_program(
    words: list[str], own: list[str], forwarded: list[str]
) -> None:
    assert split_words(words) == (own, forwarded)


@pytest.mark.parametrize("command", ["claude", "opencode", "codex"])
def test_the_program_finds_its_server_and_its_exit_code_is_ours(
    command: str, environment: dict[str, str], write_program: Callable[[str, str, int], None]
) -> None:
    write_program(command, ASK, 7)
    with start(environment, command, "demo", "-a", "mine", "--", "-p", "two words") as process:
        printed, errors = process.communicate(timeout=60)
    assert process.returncode == 7, errors
    told = json.loads(printed)
    assert told["names"] == ["mine"]
    assert told["words"][-2:] == ["-p", "two words"]
    assert "32,768 tokens of context" in errors


def test_another_context_may_be_asked_for(
    environment: dict[str, str], write_program: Callable[[str, str, int], None]
) -> None:
    write_program("codex", ASK, 0)
    with start(environment, "codex", "demo", "-c", "2048") as process:
        printed, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "model_context_window=2048" in json.loads(printed)["words"]


def test_ctrl_c_is_left_to_the_program(
    environment: dict[str, str], write_program: Callable[[str, str, int], None]
) -> None:
    write_program("claude", WAIT, 5)
    with start(environment, "claude", "demo") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        os.killpg(process.pid, signal.SIGINT)
        printed, errors = process.communicate(timeout=30)
    assert (process.returncode, printed) == (5, "interrupted\n"), errors


def test_sigterm_ends_the_program_and_the_server(
    environment: dict[str, str], write_program: Callable[[str, str, int], None]
) -> None:
    write_program("claude", WAIT, 5)
    with start(environment, "claude", "demo") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.terminate()
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("command", "package"),
    [
        ("claude", "@anthropic-ai/claude-code"),
        ("opencode", "opencode-ai"),
        ("codex", "@openai/codex"),
    ],
)
def test_a_missing_program_is_one_line_before_anything_is_loaded(
    command: str,
    package: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main([command, "/no/such/model.gguf"]) == 1
    expected = (
        f"llamanb: `{command}` is not installed here; install it with: npm install -g {package}"
    )
    assert capsys.readouterr().err == expected + "\n"


def test_opencode_settings_are_written_and_served(
    environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "opencode.json"
    file.write_text('{"theme": "mine"}', encoding="utf-8")
    with start(environment, "opencode", "demo", "0", "--write", str(file)) as process:
        assert process.stdout is not None
        assert any("names this server" in line for line in process.stdout)
        process.terminate()
        process.communicate(timeout=30)
    written = json.loads(file.read_text(encoding="utf-8"))
    assert process.returncode == 0
    assert (written["theme"], written["model"]) == ("mine", "llamanb/demo")
    assert written["provider"]["llamanb"]["models"]["demo"]["limit"]["context"] == 32_768


def test_settings_that_cannot_be_merged_stop_everything(
    environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "opencode.json"
    file.write_text("{} // mine", encoding="utf-8")
    with start(environment, "opencode", "demo", "0", "--write", str(file)) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "is not plain JSON" in errors
    assert file.read_text(encoding="utf-8") == "{} // mine"


def test_writing_starts_no_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["opencode", "demo", "--write", "opencode.json", "--", "run"]) == 1
    assert "--write starts no OpenCode" in capsys.readouterr().err
