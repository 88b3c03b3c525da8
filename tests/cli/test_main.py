"""The llamanb command: version, help, and errors as one line."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import llamanb
from llamanb.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import RunLlamanb


def test_version_is_the_package_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"llamanb {llamanb.__version__}\n"


def test_without_a_command_the_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert all(command in printed for command in ("lab", "models", "doctor"))


def test_an_unknown_command_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["fly"])
    assert exit_.value.code == 2
    assert "fly" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["lab", "gone.ipynb"], "there is no notebook at 'gone.ipynb'", id="lab"),
        pytest.param(["lab", "notes.txt"], "must end in .ipynb", id="not a notebook"),
        pytest.param(["models", "ls", "/no/such/folder"], "there is no folder", id="models"),
        pytest.param(["models", "ls", "~no-such-user"], "there is no folder", id="nobody's"),
    ],
)
def test_an_error_is_one_line_and_exit_code_1(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("llamanb: ")
    assert message in printed.err
    assert printed.err.count("\n") == 1


def test_models_lists_the_bundled_toys(run_llamanb: RunLlamanb) -> None:
    listed = run_llamanb("models")
    assert listed.returncode == 0, listed.stderr
    assert "demo-embed" in listed.stdout
    assert listed.stdout.count("toy") == 2


def test_a_reader_that_goes_away_is_no_error(own_environment: dict[str, str]) -> None:
    command = [sys.executable, "-u", "-m", "llamanb", "models"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        command, env=own_environment, stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_models_lists_the_files_of_a_folder(
    run_llamanb: RunLlamanb, demo_path: Path, tmp_path: Path
) -> None:
    (tmp_path / "own-model.gguf").write_bytes(demo_path.read_bytes())
    listed = run_llamanb("models", "ls", str(tmp_path))
    assert listed.stdout.startswith("own-model")
    assert "2.8 MiB" in listed.stdout


@pytest.mark.timeout(120)
def test_doctor_lets_the_demo_model_answer(run_llamanb: RunLlamanb) -> None:
    report = run_llamanb("doctor")
    assert report.returncode == 0, report.stderr
    assert f"llamanb           {llamanb.__version__}" in report.stdout
    assert "scatters" in report.stdout
    assert "toy" in report.stdout
