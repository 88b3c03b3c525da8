"""``import llamanb`` is quick and brings nothing that is not needed yet."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LOOK = """
import json, sys, time
started = time.perf_counter()
import llamanb
print(json.dumps([time.perf_counter() - started, sorted(sys.modules)]))
"""


@pytest.fixture(scope="module")
def imported() -> tuple[float, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", LOOK], capture_output=True, text=True, check=True, timeout=60
    )
    seconds, modules = json.loads(done.stdout)
    return seconds, set(modules)


@pytest.mark.parametrize(
    "package",
    ["fastapi", "uvicorn", "chatlas", "openai", "jupyterlab", "llama_cpp", "huggingface_hub"],
)
def test_package_is_not_imported(imported: tuple[float, set[str]], package: str) -> None:
    assert package not in imported[1]


def test_import_is_quick(imported: tuple[float, set[str]]) -> None:
    assert imported[0] < 2.0
