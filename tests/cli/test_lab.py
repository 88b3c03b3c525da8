"""``llamanb lab`` starts a real JupyterLab on the notebook, quietly."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llamanb.cli.lab import lab_command, lab_environment, require_lab
from llamanb.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/\S+")
PAGE_CONFIG = re.compile(r'<script id="jupyter-config-data"[^>]*>(.*?)</script>', re.DOTALL)


def test_without_jupyterlab_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    assert main(["lab"]) == 1
    assert "pip install 'llamanb[lab]'" in capsys.readouterr().err


def test_with_jupyterlab_nothing_is_missing() -> None:
    require_lab()


def test_port_and_browser_are_passed_on(tmp_path: Path) -> None:
    command = lab_command(tmp_path / "own.ipynb", port=8899, browser=False)
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert "--LabApp.default_url=/lab/tree/own.ipynb" in command
    assert "--ServerApp.port=8899" in command
    assert "--no-browser" in command


@pytest.mark.parametrize(("user", "is_allowed"), [(0, True), (1000, False)])
def test_only_root_says_that_root_is_allowed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, user: int, is_allowed: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user, raising=False)
    command = lab_command(tmp_path / "own.ipynb", port=None, browser=False)
    assert ("--allow-root" in command) is is_allowed


def test_in_a_checkout_the_whole_checkout_is_shown(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    command = lab_command(tmp_path / "notebooks" / "0 1.ipynb", port=None, browser=True)
    assert "--LabApp.default_url=/lab/tree/notebooks/0%201.ipynb" in command
    assert f"--ServerApp.root_dir={tmp_path.resolve()}" in command


def test_own_jupyter_config_folders_are_kept() -> None:
    path = lab_environment({"JUPYTER_CONFIG_PATH": "/etc/own"})["JUPYTER_CONFIG_PATH"]
    assert path.startswith("/etc/own:")
    assert (Path(path.split(":")[1]) / "labconfig" / "page_config.json").is_file()


@pytest.fixture
def lab_address(
    write_notebook: Callable[..., Path], own_environment: dict[str, str], tmp_path: Path
) -> Iterator[str]:
    """Start JupyterLab as a user does and give the address it prints."""
    notebook = write_notebook("1 + 1")
    command = [sys.executable, "-m", "llamanb", "lab", "--no-browser", str(notebook)]
    with subprocess.Popen(  # our own command
        command, cwd=tmp_path, env=own_environment, stderr=subprocess.PIPE, text=True
    ) as lab:
        assert lab.stderr is not None
        found = (ADDRESS.search(line) for line in lab.stderr)
        yield next(match[0] for match in found if match)
        lab.terminate()
        lab.stderr.read()


def _page(address: str) -> str:
    """Fetch a page of a server that may still be about to listen."""
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(address) as response:  # noqa: S310  # 127.0.0.1
                return str(response.read().decode())
        except urllib.error.URLError:
            assert time.monotonic() < deadline, "JupyterLab does not answer"
            threading.Event().wait(0.05)


def test_jupyterlab_opens_the_notebook_and_asks_nothing(lab_address: str) -> None:
    page = _page(lab_address)
    assert "/lab/tree/own.ipynb" in lab_address
    config = json.loads(PAGE_CONFIG.findall(page)[0])
    assert "@jupyterlab/apputils-extension:announcements" in config["disabledExtensions"]
