"""Loading in a kernel: once is enough, and what cannot be loaded says why in one error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kernels import Kernel

MEASURE = """
import time, psutil
def memory_mib():
    return psutil.Process().memory_info().rss / 2**20
def load_again():
    started = time.perf_counter()
    again = llamanb.load(path, name=name, n_ctx=4096)
    return again is model, time.perf_counter() - started
"""


def test_loading_again_takes_no_time(slow_kernel: Kernel, slow_gguf: Path) -> None:
    slow_kernel.run(f"path, name = {str(slow_gguf)!r}, 'slow'")
    assert not slow_kernel.run(MEASURE).complaint
    results = slow_kernel.evaluate("[load_again() for _ in range(10)]")
    assert all(same for same, _ in results)
    assert min(seconds for _, seconds in results) < 0.05


def test_loading_again_takes_no_memory(slow_kernel: Kernel, slow_gguf: Path) -> None:
    slow_kernel.run(f"path, name = {str(slow_gguf)!r}, 'slow'")
    slow_kernel.run(MEASURE)
    slow_kernel.run("load_again(); model.generate('ba', max_tokens=2)")
    grown = slow_kernel.evaluate("[memory_mib(), [load_again() for _ in range(50)], memory_mib()]")
    assert grown[2] - grown[0] < 2.0


def test_two_names_share_the_weights(slow_kernel: Kernel, slow_gguf: Path) -> None:
    slow_kernel.run(MEASURE)
    before = slow_kernel.evaluate("memory_mib()")
    twin = slow_kernel.run(f"twin = llamanb.load({str(slow_gguf)!r}, name='twin', n_ctx=4096)")
    assert not twin.complaint
    weights_mib = slow_gguf.stat().st_size / 2**20
    assert slow_kernel.evaluate("memory_mib()") - before < weights_mib / 4
    slow_kernel.run("twin.close(); llamanb.unload('twin')")


def broken(folder: Path, kind: str, good: Path) -> Path:
    """Write a file that is not a usable model."""
    contents = {
        "truncated": good.read_bytes()[:500_000],
        "cut in its header": good.read_bytes()[:2_000],
        "empty": b"",
        "wrong": b"Just some text, honestly.\n" * 100,
    }
    path = folder / f"{kind.replace(' ', '-')}.gguf"
    path.write_bytes(contents[kind])
    return path


@pytest.mark.parametrize("kind", ["truncated", "cut in its header", "empty", "wrong"])
def test_broken_file_gives_one_clear_error(
    tiny_kernel: Kernel, tmp_path: Path, tiny_gguf: Path, kind: str
) -> None:
    path = broken(tmp_path, kind, tiny_gguf)
    cell = tiny_kernel.run(f"llamanb.load({str(path)!r})")
    assert cell.complaint.startswith("ModelFileError: ")
    assert path.name in cell.complaint
    assert tiny_kernel.evaluate("len(model.generate('ba', max_tokens=2)) > 0")


@pytest.mark.parametrize("kind", ["truncated", "empty", "wrong"])
def test_broken_file_in_a_magic_is_one_line(
    tiny_kernel: Kernel, tmp_path: Path, tiny_gguf: Path, kind: str
) -> None:
    path = broken(tmp_path, kind, tiny_gguf)
    cell = tiny_kernel.run(f"%llama load {path}")
    assert path.name in cell.complaint
    assert_one_line(cell.complaint)


@pytest.mark.parametrize(
    ("code", "error", "word"),
    [
        pytest.param("llamanb.load('/no/such.gguf')", "ModelNotFoundError", "such.gguf", id="missing"),
        pytest.param("llamanb.models['nobody']", "UnknownModelError", "nobody", id="unknown name"),
        pytest.param("llamanb.load(path, n_ctx=16_000_000)", "", "n_ctx", id="too large n_ctx"),
        pytest.param("llamanb.load(path, n_batch=-1)", "OptionError", "n_batch", id="bad option"),
        pytest.param("llamanb.load(path, n_cxt=64)", "OptionError", "n_cxt", id="misspelt option"),
        pytest.param("model.generate('ba', temperature='hot')", "OptionError", "hot", id="bad value"),
        pytest.param("model.generate('ba ' * 5000)", "ContextLengthError", "4096", id="long prompt"),
    ],
)  # fmt: skip
def test_python_mistake_gives_one_clear_error(
    tiny_kernel: Kernel, readable_gguf: Path, code: str, error: str, word: str
) -> None:
    tiny_kernel.run(f"path = {str(readable_gguf)!r}")
    cell = tiny_kernel.run(code)
    assert cell.error is not None
    assert cell.error.startswith(error)
    assert word in cell.error.replace(",", "")
    assert tiny_kernel.evaluate("len(model.generate('ba', max_tokens=2)) > 0")


@pytest.mark.parametrize(
    ("code", "word"),
    [
        pytest.param("%llama lod demo", "load", id="misspelt command"),
        pytest.param("%llama use nobody", "nobody", id="unknown model"),
        pytest.param("%llama load /no/such.gguf", "such.gguf", id="missing file"),
        pytest.param("%llama load demo --n-ctx lots", "lots", id="bad number"),
        pytest.param("%%llama --tmp 1\nba", "--temp", id="misspelt option"),
        pytest.param("%%llama nobody\nba", "nobody", id="unknown model in a cell"),
        pytest.param("%%llama\n{{no_such_name}}", "no_such_name", id="unknown variable"),
        pytest.param("%%llama --temp -3\nba", "temp", id="impossible temperature"),
        pytest.param("%%llama\n", "%%llama", id="empty cell"),
    ],
)
def test_magic_mistake_is_one_line(tiny_kernel: Kernel, code: str, word: str) -> None:
    cell = tiny_kernel.run(code)
    assert word in cell.complaint
    assert_one_line(cell.complaint)
    assert tiny_kernel.evaluate("6 * 7") == 42


def assert_one_line(complaint: str) -> None:
    assert complaint
    assert "Traceback" not in complaint
    assert "\n" not in complaint
