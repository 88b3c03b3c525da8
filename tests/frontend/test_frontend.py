"""The modules of the widgets: their types hold (``tsc``), and their tests pass (``node --test``).

Both programs and jsdom come from Debian: ``apt-get install nodejs node-typescript node-jsdom``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
TEST_FILES = sorted(path.name for path in FOLDER.glob("*.test.mjs"))
PACKAGES = "apt-get install nodejs node-typescript node-jsdom"
# Debian's own folder of modules; one that is named already comes first.
MODULES = os.pathsep.join(filter(None, [os.environ.get("NODE_PATH"), "/usr/share/nodejs"]))
TIMEOUT_S = 50


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of both programs in this folder; what is missing skips, or fails where wanted."""
    path = shutil.which(program)
    if path is None:
        missing(f"no {program} on the PATH (Debian: {PACKAGES})")
    return subprocess.run(
        [str(path), *arguments],
        cwd=FOLDER,
        env={**os.environ, "NODE_PATH": MODULES, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def missing(reason: str) -> None:
    if os.environ.get("LLAMANB_REQUIRE_BROWSER") == "1":
        pytest.fail(f"LLAMANB_REQUIRE_BROWSER=1, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="module")
def jsdom() -> None:
    """See to it that jsdom can be imported."""
    if run("node", "-e", "require('jsdom')").returncode:
        missing(f"node finds no jsdom (Debian: {PACKAGES})")


def test_the_types_of_every_module_hold() -> None:
    done = run("tsc", "--project", "tsconfig.json")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.usefixtures("jsdom")
@pytest.mark.parametrize("name", TEST_FILES)
def test_the_tests_of_a_module_pass(name: str) -> None:
    done = run("node", "--test", "--test-reporter=tap", name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# pass 0\n" not in done.stdout
