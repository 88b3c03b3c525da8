"""Loading real files through the real engine: speed, memory, errors, processes."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import llamanb
from llamanb.errors import LlamanbError, ModelFileError, ModelLoadTimeout
from llamanb.models import progress as progress_bars

if TYPE_CHECKING:
    from llamanb.models import Model, ModelManager

SMALL: Any = {"n_ctx": 64, "n_seq_max": 1, "n_threads": 1}


LOAD_AND_CLOSE = """
import os, sys, threading
import llamanb
def state():
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE"), threading.active_count()
def load_and_close(times):
    for _ in range(times):
        llamanb.load(sys.argv[1], n_ctx=64, n_seq_max=1, n_threads=1, progress=False).close()
load_and_close(5)
before = state()
load_and_close(20)
print(*(after - old for after, old in zip(state(), before)))
"""


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_same_load_again_is_instant_and_takes_no_memory(
    real: ModelManager, tiny_gguf: Path
) -> None:
    model = real.load(tiny_gguf, **SMALL)
    before, times = _resident_bytes(), []
    for _ in range(20):
        started = time.perf_counter()
        assert real.load(tiny_gguf, **SMALL) is model
        times.append(time.perf_counter() - started)
    assert statistics.median(times) < 0.05
    assert _resident_bytes() - before < 1 << 20


def test_loading_and_closing_many_times_does_not_grow(tiny_gguf: Path) -> None:
    # In a process of its own: in this one the tests before leave freed memory behind.
    command = [sys.executable, "-c", LOAD_AND_CLOSE, str(tiny_gguf)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=True)
    grown_bytes, n_new_threads = map(int, done.stdout.split())
    # Kept weights alone would be 70 MiB.
    assert grown_bytes < 8 << 20
    assert n_new_threads <= 0


def test_two_names_share_real_weights(real: ModelManager) -> None:
    first = real.load("demo", **SMALL)
    second = real.load("demo", name="other", n_ctx=128, n_seq_max=1, n_threads=1)
    assert first.vocab is second.vocab
    assert first.engine is not second.engine
    first.close()
    assert second.generate("a", max_tokens=2).finish_reason in ("stop", "length")


def test_timeout_keeps_nothing(real: ModelManager, slow_gguf: Path) -> None:
    with pytest.raises(ModelLoadTimeout, match="slow"):
        real.load(slow_gguf, use_mmap=False, timeout=0.01, **SMALL)
    assert len(real) == 0
    assert real._desk._stores.total_bytes() == 0


@pytest.mark.parametrize("content", [b"", b"GGUF" + b"\0" * 90, b"hello world"], ids=len)
def test_unusable_file_is_one_clear_error(
    real: ModelManager, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"bad\.gguf cannot be loaded"):
        real.load(path)
    assert len(real) == 0


def test_kernel_goes_on_after_every_error(real: ModelManager, tmp_path: Path) -> None:
    for spec in (tmp_path, tmp_path / "none.gguf", "no such model", "a/b/c/d"):
        with pytest.raises(LlamanbError):
            real.load(spec)
    assert real.load("demo", **SMALL).generate("a", max_tokens=1) is not None


def test_interrupt_while_generating_keeps_the_text(real: ModelManager, tiny_gguf: Path) -> None:
    model = real.load(tiny_gguf, n_ctx=4096, n_seq_max=1, n_threads=1)
    started = threading.Event()
    main = threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        while not model.busy:
            started.wait(0.01)
        started.wait(0.2)
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        model.generate("a", max_tokens=4000)
    thread.join()
    assert model.last_completion
    assert _becomes_idle(model)


def _becomes_idle(model: Model) -> bool:
    waiting, deadline = threading.Event(), time.monotonic() + 10
    while model.busy and time.monotonic() < deadline:
        waiting.wait(0.01)
    return not model.busy


def test_child_made_by_fork_is_told(real: ModelManager) -> None:
    model = real.load("demo", **SMALL)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            model.generate("a", max_tokens=1)
        except llamanb.errors.ForkedProcessError:
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_progress_bar_obeys_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMANB_PROGRESS", "0")
    with progress_bars.load_bar("a", progress=True) as show:
        assert show is None
    monkeypatch.setenv("LLAMANB_PROGRESS", "1")
    with progress_bars.load_bar("a", progress=False) as show:
        assert show is None


def test_progress_bar_shows_what_is_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLAMANB_PROGRESS", "1")
    monkeypatch.setattr(progress_bars, "QUICK_S", 0)
    with progress_bars.load_bar("qwen", progress=True) as show:
        assert show is not None
        show(0.5)
    assert "loading qwen" in capsys.readouterr().err


# ---- the room that behaves like its manager --------------------------------------------------

ROOM = """
import importlib, sys
import llamanb
assert "llama_cpp" not in sys.modules
model = llamanb.load("demo", n_ctx=64, n_seq_max=1, n_threads=1, progress=False)
models = llamanb.models
assert models["demo"] is model and "demo" in models and list(models) == ["demo"]
assert models.default is model and len(models) == 1 and models.get("x") is None
assert dict(models.items()) == {"demo": model}
assert "demo (toy)" in repr(models) and "<table>" in models._repr_html_()
models.default = "demo"
models.configure(max_models=3)
manager = models.manager()
importlib.reload(sys.modules["llamanb.models.kernel"])
importlib.reload(sys.modules["llamanb.models"])
assert llamanb.models.manager() is manager
assert llamanb.load("demo", n_ctx=64, n_seq_max=1, n_threads=1) is model
assert llamanb.ps()[0].name == "demo"
llamanb.unload()
assert len(llamanb.ps()) == 0
try:
    models.nonsense
except AttributeError as error:
    assert "nonsense" in str(error)
print("good")
"""


def test_room_is_the_manager_and_survives_reloading(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ROOM],
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.stdout.strip() == "good", done.stderr


def test_process_ends_cleanly_while_generating(tmp_path: Path) -> None:
    code = (
        "import llamanb\n"
        "m = llamanb.load('demo', n_threads=1, ttl=60)\n"
        "s = m.stream('a', max_tokens=4000, ignore_eos=True)\n"
        "next(s)\n"
    )
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_function_is_told_how_much_is_loaded(real: ModelManager, slow_gguf: Path) -> None:
    parts: list[float] = []
    real.load(slow_gguf, **SMALL, progress=parts.append)
    assert parts == sorted(parts)
    assert parts[-1] == 1.0


def _failing(part: float) -> None:
    raise ValueError(part)


def test_a_function_that_fails_does_not_fail_the_load(real: ModelManager, tiny_gguf: Path) -> None:
    assert real.load(tiny_gguf, **SMALL, progress=_failing).state == "idle"


def test_progress_must_be_a_switch_or_a_function(real: ModelManager, tiny_gguf: Path) -> None:
    wrong: Any = "yes"
    with pytest.raises(LlamanbError, match="progress='yes' must be True, False or a function"):
        real.load(tiny_gguf, **SMALL, progress=wrong)
