"""The command line of ``llamanb serve``: llama-server's options, and mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llamanb.cli.flags import GROUPS, options_of
from llamanb.cli.main import build_parser, main
from llamanb.cli.other_flags import IGNORED, REFUSED

if TYPE_CHECKING:
    from pathlib import Path


def parsed(*words: str) -> dict[str, dict[str, Any]]:
    """Give what a command line sets, part by part."""
    arguments = build_parser().parse_args(["serve", *words])
    parts = ("load", "serve", "model", "thinking", "key")
    return {part: found for part in parts if (found := options_of(arguments, part))}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(["-c", "8192", "-np", "2"], {"load": {"n_ctx": 8192, "n_seq_max": 2}}, id="context"),
        pytest.param(["--ctx-size", "0", "-t", "-1", "-s", "-1", "-n", "-1"], {}, id="as usual"),
        pytest.param(["-ngl", "all", "--no-mmap"], {"load": {"n_gpu_layers": -1, "use_mmap": False}}, id="machine"),
        pytest.param(["-fa", "off", "-ctk", "q8_0", "-kvu"], {"load": {"flash_attn": "off", "type_k": "q8_0", "kv_unified": True}}, id="cache"),
        pytest.param(["--temp", "0", "--top-k", "5", "-n", "9"], {"serve": {"temperature": 0.0, "top_k": 5, "max_tokens": 9}}, id="sampling"),
        pytest.param(["-l", "7+1.5", "-l", "8-inf"], {"serve": {"logit_bias": [(7, 1.5), (8, float("-inf"))]}}, id="bias"),
        pytest.param(["-a", "mine", "--no-slots", "--metrics"], {"serve": {"name": "mine", "slots": False, "metrics": True}}, id="server"),
        pytest.param(["--cors-origins", "http://a, http://b"], {"serve": {"cors_origins": ("http://a", "http://b")}}, id="origins"),
        pytest.param(["--api", "openai,anthropic"], {"serve": {"apis": ("openai", "anthropic")}}, id="dialects"),
        pytest.param(["--sleep-idle-seconds", "60"], {"load": {"ttl": 60.0}}, id="sleep"),
    ],
)  # fmt: skip
def test_options_of_llama_server_are_understood(
    words: list[str], expected: dict[str, dict[str, Any]]
) -> None:
    assert parsed(*words) == expected


@pytest.mark.parametrize("flag", [name for names in IGNORED.values() for name in names])
def test_an_option_that_changes_nothing_is_noted(flag: str) -> None:
    words = [flag.removesuffix("="), *(["1"] if flag.endswith("=") else []), "demo"]
    arguments = build_parser().parse_args(["serve", *words])
    assert arguments.model == "demo"
    assert arguments.ignored[0].startswith(f"{words[0]} is ignored: ")


@pytest.mark.parametrize("flag", [name for names in REFUSED.values() for name in names])
def test_an_option_that_is_not_possible_is_refused(
    flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        build_parser().parse_args(["serve", flag, "1", "demo"])
    assert exit_.value.code == 2
    reason = next(reason for reason, names in REFUSED.items() if flag in names)
    assert f"{flag}: {reason}" in capsys.readouterr().err


def test_no_option_stands_in_two_tables() -> None:
    names = [name for flags in GROUPS.values() for flag in flags for name in flag.names]
    names += [name.removesuffix("=") for row in IGNORED.values() for name in row]
    names += [name for row in REFUSED.values() for name in row]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["/no/such.gguf"], "model file not found", id="no file"),
        pytest.param(["demo", "http"], "'http' stands where --port may stand", id="port"),
        pytest.param(["demo", "80", "--port", "81"], "--port is given twice", id="port twice"),
        pytest.param(["demo", "80", "9", "-c", "8"], "--ctx-size is given twice", id="n_ctx twice"),
        pytest.param(["-m", "a.gguf", "-hf", "b/c"], "give one of them", id="two models"),
        pytest.param(["a", "80", "90", "-m", "b"], "the model is named twice", id="named twice"),
        pytest.param(["--hf-file", "x.gguf"], "needs --hf-repo", id="file without repo"),
        pytest.param(["demo", "--host", "::"], "api_key is needed", id="open without key"),
        pytest.param(["demo", "--port", "70000"], "port=70000", id="no such port"),
        pytest.param(["demo", "--api", "x"], "apis=('x',)", id="no such dialect"),
        pytest.param(["demo", "--chat-template", "chatml"], "no Jinja template", id="template"),
        pytest.param(["demo", "--chat-template-file", "gone"], "cannot be read", id="no template"),
        pytest.param(["demo", "--api-key-file", "gone"], "cannot be read", id="no key file"),
        pytest.param(["demo", "--reasoning", "on", "--reasoning-budget", "0"], "contradict", id="thinking"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_exit_code_1(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *words]) == 1
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1


@pytest.mark.parametrize("keys", ["", "# none\n", "one\ntwo\n"])
def test_a_key_file_holds_one_key(
    keys: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "keys"
    file.write_text(keys, encoding="utf-8")
    assert main(["serve", "demo", "--api-key-file", str(file)]) == 1
    assert "one key is possible" in capsys.readouterr().err
