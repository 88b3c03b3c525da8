"""The trial process that loads an unknown file before the kernel does."""

from __future__ import annotations

import struct
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from llamanb.errors import ModelFileError, ModelLoadTimeout, OptionError
from llamanb.models import memory, probe
from llamanb.models.preflight import check_file, file_identity
from tests.support import random_gguf

if TYPE_CHECKING:
    from pathlib import Path

    from llamanb.models import ModelManager
    from llamanb.models.preflight import FileIdentity, GgufHeader
    from tests.support.architectures import Tensor


@pytest.fixture(autouse=True)
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty folder for the notes about checked files."""
    monkeypatch.setenv("LLAMANB_CACHE", str(tmp_path))
    monkeypatch.setattr(probe, "_passed", set())
    return tmp_path / "llamanb" / "checked-files.json"


def _checked(path: Path) -> tuple[GgufHeader, FileIdentity]:
    return check_file(path), file_identity([path])


def test_good_model_passes_once_and_is_noted(
    tiny_gguf: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe.check_by_loading(*_checked(tiny_gguf))
    assert notes.exists()

    def forbidden(*_: object) -> None:
        pytest.fail("a second process was started")

    monkeypatch.setattr(probe, "_start", forbidden)
    probe.check_by_loading(*_checked(tiny_gguf))
    monkeypatch.setattr(probe, "_passed", set())
    probe.check_by_loading(*_checked(tiny_gguf))


def test_embedding_model_passes(demo_embed_path: Path) -> None:
    probe.check_by_loading(*_checked(demo_embed_path))


def test_model_that_computes_nan_is_refused(tmp_path: Path, tiny_gguf: Path) -> None:
    content = bytearray(tiny_gguf.read_bytes())
    middle = len(content) // 2 // 4 * 4
    nan = struct.pack("<f", float("nan"))
    content[-middle:] = nan * (middle // 4)
    path = tmp_path / "nan.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="trial process"):
        probe.check_by_loading(*_checked(path))


def test_file_that_kills_a_process_is_refused(
    tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch, notes: Path
) -> None:
    monkeypatch.setattr(probe, "CODE", "import os; os.abort()")
    with pytest.raises(ModelFileError, match="ended with code -6"):
        probe.check_by_loading(*_checked(tiny_gguf))
    assert not notes.exists()


def test_file_that_hangs_a_process_is_refused(
    tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "CODE", "import signal; signal.pause()")
    monkeypatch.setattr(probe, "PATIENCE_S", 0.1)
    with pytest.raises(ModelFileError, match="hung"):
        probe.check_by_loading(*_checked(tiny_gguf))
    with pytest.raises(ModelLoadTimeout, match=r"longer than 0\.05 s"):
        probe.check_by_loading(*_checked(tiny_gguf), timeout_s=0.05)


def test_time_that_is_over_already_is_no_time(
    tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "CODE", "import threading; threading.Event().wait(20)")
    with pytest.raises(ModelLoadTimeout):
        probe.check_by_loading(*_checked(tiny_gguf), timeout_s=0.0)


def test_missing_interpreter_skips_the_trial(
    tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    probe.check_by_loading(*_checked(tiny_gguf))


def test_damaged_notes_are_ignored(tiny_gguf: Path, notes: Path) -> None:
    notes.parent.mkdir()
    notes.write_text("{")
    probe.check_by_loading(*_checked(tiny_gguf))
    assert notes.read_text().startswith("[")


def test_trusted_file_and_bundled_model_are_not_tried(
    real: ModelManager, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch, notes: Path
) -> None:
    monkeypatch.setattr(probe, "CODE", "import os; os.abort()")
    real.load(tiny_gguf, n_ctx=64, n_seq_max=1, n_threads=1, trust="trusted")
    real.load("demo", n_ctx=64, n_seq_max=1, n_threads=1)
    assert not notes.exists()
    with pytest.raises(OptionError, match="trust='perhaps'"):
        real.load(tiny_gguf, trust="perhaps")  # type: ignore[arg-type]  # wrong on purpose


def _with_halves(path: Path, part: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a BERT whose tensors with ``part`` in their name are 16-bit."""
    draw = random_gguf._drawn

    def drawn(tensor: Tensor, *rest: Any) -> Any:
        return draw(tensor, *rest).astype(np.float16 if part in tensor.name else np.float32)

    monkeypatch.setattr(random_gguf, "_drawn", drawn)
    random_gguf.write_model(path, random_gguf.RECIPES["tiny-embedding"], name="halves")
    return path


def test_16_bit_token_types_are_refused_before_loading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _with_halves(tmp_path / "half.gguf", "token_types", monkeypatch)
    with pytest.raises(ModelFileError, match=r"'token_types\.weight' is F16; .* needs it as F32"):
        check_file(path)


def test_16_bit_biases_fail_in_the_trial_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _with_halves(tmp_path / "half.gguf", "bias", monkeypatch)
    with pytest.raises(ModelFileError, match=r"trial process failed .* unsupported types"):
        probe.check_by_loading(*_checked(path))


TRUSTED = """
import sys, llamanb
model = llamanb.load(sys.argv[1], trust="trusted", n_threads=1)
try:
    model.embed("hello")
except llamanb.errors.EngineDead as error:
    assert "unsupported types" in str(error)
    print(llamanb.load("demo-embed", n_threads=1).embed("hello").shape)
"""


def test_16_bit_biases_of_a_trusted_file_leave_the_process_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _with_halves(tmp_path / "half.gguf", "bias", monkeypatch)
    command = [sys.executable, "-c", "import llamanb.errors\n" + TRUSTED, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stdout) == (0, "(256,)\n"), done.stderr


def test_a_model_larger_than_the_machine_is_not_tried(
    real: ModelManager, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch, notes: Path
) -> None:
    monkeypatch.setattr(memory, "total_bytes", lambda: 1 << 20)
    monkeypatch.setattr(probe, "CODE", "import os; os.abort()")
    real.load(tiny_gguf, n_ctx=64, n_seq_max=1, n_threads=1)
    assert not notes.exists()
