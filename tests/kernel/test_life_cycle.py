"""Fork, restart, exit: nothing hangs, nothing is left over, no traceback in the log."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.kernels import Kernel

GENERATING = "%%llama --max-tokens 3000\nba be bi"
NOISE = ("llamanb/", "Fatal Python error", "core dumped", "terminate called", "GGML_ASSERT")
FORK = """
import os
receive, send = os.pipe()
child = os.fork()
if child == 0:
    try:
        model.generate("ba", max_tokens=2)
        said = "answered"
    except BaseException as error:
        said = type(error).__name__
    os.write(send, said.encode())
    os._exit(0)
os.waitpid(child, 0)
print(os.read(receive, 100).decode())
"""
BACKGROUND = """
generation = model.stream("ba be", max_tokens=3000)
pieces = iter(generation)
print(next(pieces))
"""


@pytest.fixture
def kernel(start_kernel: Callable[[], Kernel], slow_gguf: Path) -> Kernel:
    started = start_kernel()
    load(started, slow_gguf)
    return started


def load(kernel: Kernel, path: Path) -> None:
    code = f"%load_ext llamanb\nimport llamanb\nmodel = llamanb.load({str(path)!r}, n_ctx=4096)"
    assert not kernel.run(code).complaint


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_model_in_a_forked_child_raises(tiny_kernel: Kernel) -> None:
    assert tiny_kernel.run(FORK).stdout.strip() == "ForkedProcessError"
    assert tiny_kernel.evaluate("len(model.generate('ba', max_tokens=2)) > 0")


def test_restart_while_generating(kernel: Kernel, slow_gguf: Path) -> None:
    kernel.wait(kernel.start(GENERATING), lambda cell: len(cell.text) > 40)
    kernel.restart()
    load(kernel, slow_gguf)
    assert kernel.evaluate("len(model.generate('ba', max_tokens=2)) > 0")
    assert_quiet(kernel)


def test_exit_while_a_cell_generates(kernel: Kernel) -> None:
    kernel.wait(kernel.start(GENERATING), lambda cell: len(cell.text) > 40)
    kernel.close()
    assert not kernel.is_alive
    assert_quiet(kernel)


def test_exit_while_a_background_stream_is_open(kernel: Kernel) -> None:
    assert not kernel.run(BACKGROUND).complaint
    kernel.close()
    assert not kernel.is_alive
    assert_quiet(kernel)


def test_exit_while_loading(start_kernel: Callable[[], Kernel], slow_gguf: Path) -> None:
    kernel = start_kernel()
    kernel.run("%load_ext llamanb\nimport llamanb")
    kernel.start(f"llamanb.load({str(slow_gguf)!r}, use_mmap=False)")
    kernel.close()
    assert_quiet(kernel)


def test_extension_survives_being_loaded_twice_and_unloaded(tiny_kernel: Kernel) -> None:
    for code in ("%load_ext llamanb", "%reload_ext llamanb", "%unload_ext llamanb"):
        assert not tiny_kernel.run(code).complaint
    assert not tiny_kernel.run("%load_ext llamanb").complaint
    assert tiny_kernel.evaluate("'tiny' in llamanb.models")


def test_unload_gives_threads_and_files_back(tiny_kernel: Kernel, swa_gguf: Path) -> None:
    tiny_kernel.run("import psutil; process = psutil.Process()")
    count = "[process.num_fds(), process.num_threads()]"
    cycle = f"m = llamanb.load({str(swa_gguf)!r}, name='guest'); m.generate('ba', max_tokens=2); llamanb.unload('guest')"
    tiny_kernel.run(cycle)
    files, threads = tiny_kernel.evaluate(count)
    for _ in range(8):
        assert not tiny_kernel.run(cycle).complaint
    after = tiny_kernel.evaluate(count)
    # The kernel itself opens a file or two now and then; a leak would be one each time.
    assert after[0] < files + 4
    assert after[1] <= threads + 1


def assert_quiet(kernel: Kernel) -> None:
    """Look for our own frames: ipykernel has tracebacks for any cell cut off by an exit."""
    found = [word for word in NOISE if word in kernel.log]
    assert not found, kernel.log[-3000:]
