"""Plain IPython in a terminal: text streams to standard output."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.notebook.conftest import quiet_environment

if TYPE_CHECKING:
    from pathlib import Path

pexpect = pytest.importorskip("pexpect", reason="needs a pseudo terminal")
IPYTHON = [sys.executable, "-m", "IPython", "--no-banner", "--simple-prompt", "--colors=NoColor"]


def _run(folder: Path, code: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*IPYTHON, *options, "-c", code],
        env=quiet_environment(folder),
        cwd=folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=50,
        check=False,
    )


def test_a_line_streams_text_and_no_object(tmp_path: Path) -> None:
    done = _run(
        tmp_path,
        "x = %llama ask --temp 0 Why is the sky blue?\nprint(type(x).__name__)",
        "--ext=llamanb",
    )
    assert done.returncode == 0, done.stderr
    assert "scatters blue light" in done.stdout
    assert "demo (toy) · chat main, turn 1]" in done.stdout
    assert "<thinking>" not in done.stdout
    assert "Reply" in done.stdout
    assert "object at" not in done.stdout
    assert "text/html" not in done.stdout


def test_importing_llamanb_registers_the_magics(tmp_path: Path) -> None:
    done = _run(tmp_path, "import llamanb\n%llama ps")
    assert done.returncode == 0, done.stderr
    assert "no models" in done.stdout


def test_a_mistake_is_one_line(tmp_path: Path) -> None:
    done = _run(tmp_path, "%load_ext llamanb\n%llama lod demo")
    assert "did you mean 'load'" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout


def test_a_cell_in_an_interactive_terminal(tmp_path: Path) -> None:
    environment = {**quiet_environment(tmp_path), "TERM": "dumb"}
    child = pexpect.spawn(
        IPYTHON[0], IPYTHON[1:], env=environment, cwd=str(tmp_path), timeout=40, encoding="utf-8"
    )
    try:
        child.expect(r"In \[1\]: ")
        child.sendline("import llamanb")
        child.expect(r"In \[2\]: ")
        child.sendline("%%llama --temp 0")
        child.sendline("Why is the sky blue?")
        child.sendline("")
        child.sendline("")
        child.expect("scatters blue light")
        child.expect(r"In \[3\]: ")
        assert "text/html" not in child.before
        child.sendline("print('kept', _[:11])")
        child.expect("kept The sky is ")
    finally:
        child.close(force=True)


def test_ctrl_c_in_a_terminal_keeps_the_text(tmp_path: Path) -> None:
    environment = {**quiet_environment(tmp_path), "TERM": "dumb"}
    child = pexpect.spawn(
        IPYTHON[0], IPYTHON[1:], env=environment, cwd=str(tmp_path), timeout=40, encoding="utf-8"
    )
    try:
        child.expect(r"In \[1\]: ")
        child.sendline("import llamanb")
        child.expect(r"In \[2\]: ")
        child.sendline("%llama set ignore-eos=true max-tokens=3900")
        child.expect(r"In \[3\]: ")
        child.sendline("x = %llama ask --temp 0 Why is the sky blue?")
        child.expect("scatters")
        child.kill(signal.SIGINT)
        child.expect("stopped after")
        child.expect(r"In \[4\]: ")
        child.sendline("print('was', x.cancelled, len(x.text) > 5)")
        child.expect("was True True")
    finally:
        child.close(force=True)


def test_a_tool_is_asked_about_in_a_terminal(tmp_path: Path) -> None:
    environment = {**quiet_environment(tmp_path), "TERM": "dumb"}
    child = pexpect.spawn(
        IPYTHON[0], IPYTHON[1:], env=environment, cwd=str(tmp_path), timeout=40, encoding="utf-8"
    )
    try:
        child.expect(r"In \[1\]: ")
        child.sendline(
            "import llamanb; tide_level = llamanb.tool(lambda city: '2 m', name='tide_level')"
        )
        child.expect(r"In \[2\]: ")
        child.sendline("x = %llama ask -t tide_level --temp 0 What is the tide level in Oslo?")
        child.expect(r'\[tide_level {"city": "Oslo"}\]')
        child.expect(r"Run tide_level\(city='Oslo'\)\? ")
        child.sendline("y")
        child.expect(r"\[result: 2 m\]")
        child.expect(r"In \[3\]: ")
        child.sendline("print('calls', len(x.tool_calls), x.tool_calls[0].result)")
        child.expect("calls 1 2 m")
        child.sendline("x = %llama ask -t tide_level --temp 0 What is the tide level in Oslo?")
        child.expect("Run tide_level")
        child.kill(signal.SIGINT)
        child.expect("stopped after")
        child.expect(r"In \[5\]: ")
    finally:
        child.close(force=True)


def test_without_standard_input_a_tool_does_not_run(tmp_path: Path) -> None:
    code = (
        "def tide_level(city: str) -> str:\n    return '2 m'\n"
        "x = %llama ask -t tide_level --temp 0 What is the tide level in Oslo?"
    )
    done = _run(tmp_path, code, "--ext=llamanb")
    assert "nobody can be asked here; allow calls with --approve auto" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
