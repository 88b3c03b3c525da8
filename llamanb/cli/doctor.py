"""``llamanb doctor``: versions, cores, memory, and whether the bundled model answers."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
import time
from typing import TYPE_CHECKING, Any

from llamanb import __version__
from llamanb.demo import TOY_LABEL

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

__all__ = ["add_command", "run"]

PACKAGES = (
    "llama-cpp-python",
    "llguidance",
    "ipykernel",
    "ipywidgets",
    "jupyterlab",
    "notebook",
    "huggingface-hub",
)
SAID_ABOVE = {"python", "platform", "llama_cpp_python", "cores"}
QUESTION = "Why is the sky blue?"


def add_command(commands: Any) -> None:
    """Add ``doctor`` to the sub-commands."""
    parser = commands.add_parser(
        "doctor",
        help="show versions and hardware, and let the bundled model answer",
        description="Show what a bug report needs, and let the bundled model answer once.",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the report; 0 when the bundled model answered, 1 when it did not."""
    del arguments
    for title, value in (*_software(), *_hardware()):
        print(f"{title:<18}{value}", flush=True)
    answer, seconds = _ask_demo()
    print(f"{'demo model':<18}{answer!r} in {seconds:.2f} s ({TOY_LABEL})")
    return 0 if answer else 1


def _software() -> Iterator[tuple[str, str]]:
    yield "llamanb", __version__
    yield "python", f"{platform.python_version()} ({sys.executable})"
    yield "system", platform.platform()
    for package in PACKAGES:
        yield package, _version_of(package)


def _version_of(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _hardware() -> Iterator[tuple[str, str]]:
    from llamanb import engine
    from llamanb.models import memory

    free, total = memory.available_bytes(), memory.total_bytes()
    yield "cores", f"{engine.usable_cores()} usable"
    yield "memory", f"{memory.readable_bytes(free)} for models, of {memory.readable_bytes(total)}"
    for name, value in engine.system_info().items():
        if name not in SAID_ABOVE:
            yield name, str(value)


def _ask_demo() -> tuple[str, float]:
    """Load the bundled model, ask one question, and give its answer and the seconds taken."""
    from llamanb.conversation import reply
    from llamanb.models import manager

    start = time.perf_counter()
    with manager().load("demo", progress=False) as model:
        stream = reply(model, [{"role": "user", "content": QUESTION}])
        for _ in stream:
            pass
        answer = stream.message.content or ""
    return answer.strip(), time.perf_counter() - start
