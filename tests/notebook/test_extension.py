"""Registering costs nothing outside IPython and little inside it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.notebook.conftest import quiet_environment

if TYPE_CHECKING:
    from pathlib import Path

SHELL = "from IPython.core.interactiveshell import InteractiveShell as S; shell = S.instance()\n"
REPORT = "\nimport json, sys; print(json.dumps({'seen': seen, 'modules': sorted(sys.modules)}))"


def _run(folder: Path, code: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", code + REPORT],
        env=quiet_environment(folder),
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_outside_ipython_nothing_is_registered_or_imported(tmp_path: Path) -> None:
    code = "import llamanb.notebook as n; seen = n.register_if_ipython()"
    answer = _run(tmp_path, code)
    assert answer["seen"] is False
    assert not {"IPython", "llamanb.notebook.magics", "markdown_it"} & set(answer["modules"])


def test_with_ipython_imported_but_no_shell_nothing_is_registered(tmp_path: Path) -> None:
    code = "import IPython, llamanb.notebook as n; seen = n.register_if_ipython()"
    assert _run(tmp_path, code)["seen"] is False


def test_importing_llamanb_registers_and_stays_light(tmp_path: Path) -> None:
    code = SHELL + "import llamanb; seen = 'llama' in shell.magics_manager.magics['cell']"
    answer = _run(tmp_path, code)
    assert answer["seen"] is True
    heavy = {"markdown_it", "nh3", "numpy", "jinja2", "llama_cpp", "llamanb.notebook.runner"}
    assert not heavy & set(answer["modules"])


@pytest.mark.parametrize("times", [1, 2])
def test_loading_is_idempotent_and_unloading_complete(tmp_path: Path, times: int) -> None:
    code = (
        SHELL
        + "from llamanb.notebook import load_ipython_extension as load\n"
        + "from llamanb.notebook import unload_ipython_extension as unload\n"
        + "def hooks(): return [len(shell.input_transformers_post), "
        + "len(shell.input_transformer_manager.token_transformers), "
        + "len(shell.Completer.custom_matchers), len(shell.configurables)]\n"
        + "unload(shell); before = hooks()\n"
        + f"for _ in range({times}): load(shell)\n"
        + "loaded = hooks()\n"
        + f"for _ in range({times}): unload(shell)\n"
        + "seen = [before, loaded, hooks()]"
    )
    before, loaded, after = _run(tmp_path, code)["seen"]
    assert loaded == [count + 1 for count in before]
    assert after == before
