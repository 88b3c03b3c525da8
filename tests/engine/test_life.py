"""Loading, closing, forking, aborting, exiting: the process always survives."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from llamanb import engine
from llamanb.engine.threads import thread_counts
from llamanb.errors import ModelLoadCancelled, ModelLoadError, ModelLoadTimeout, OptionError
from llamanb.settings import ContextSettings, WeightSettings

from .conftest import ask, request, text_of

if TYPE_CHECKING:
    from pathlib import Path

    from llamanb.engine import LoadedModel

    from .conftest import OpenEngine

PRELUDE = """
import os, sys, threading
from llamanb import engine
from llamanb.errors import *
from llamanb.settings import *
def load(path): return engine.load_weights(path, WeightSettings())
def open_(model, **s): return engine.open_engine(model, ContextSettings(**({"n_ctx": 512, "n_threads": 1} | s)))
def ask(*tokens, **s): return engine.EngineRequest(prompt_tokens=tokens, sampling=SamplingSettings(**({"temperature": 0, "max_tokens": 5} | s)))
"""


def run_python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own and give what it printed."""
    command = [sys.executable, "-c", PRELUDE + code, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=50, check=False
    )  # our own script


def test_a_file_that_is_no_model_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(b"not a model at all" * 100)
    with pytest.raises(ModelLoadError, match=r"x\.gguf"):
        engine.load_weights(str(path), WeightSettings())


def test_loading_reports_progress_up_to_the_end(tiny_gguf: Path) -> None:
    seen: list[float] = []
    engine.load_weights(str(tiny_gguf), WeightSettings(), on_progress=seen.append).close()
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_a_load_that_takes_too_long_keeps_nothing(tiny_gguf: Path) -> None:
    with pytest.raises(ModelLoadTimeout, match=r"longer than 0\.0001 s") as caught:
        engine.load_weights(
            str(tiny_gguf), WeightSettings(), timeout_s=0.0001, on_progress=_be_slow
        )
    assert caught.value.timeout_s == 0.0001


def _be_slow(_fraction: float) -> None:
    threading.Event().wait(0.02)


def test_a_load_can_be_cancelled_from_another_thread(tiny_gguf: Path) -> None:
    cancelled = threading.Event()
    with pytest.raises(ModelLoadCancelled, match="nothing was kept"):
        engine.load_weights(
            str(tiny_gguf),
            WeightSettings(),
            cancelled=cancelled,
            on_progress=lambda _fraction: cancelled.set(),
        )


def test_closing_the_weights_closes_their_contexts(tiny_gguf: Path) -> None:
    loaded = engine.load_weights(str(tiny_gguf), WeightSettings())
    first = engine.open_engine(loaded, ContextSettings(n_ctx=64, n_threads=1))
    running = first.submit(request([1, 2], max_tokens=None))
    loaded.close()
    loaded.close()
    assert running.wait(30).finish_reason == "cancelled"
    assert (loaded.closed, first.status().state) == (True, "closed")


def test_two_contexts_share_the_weights(tiny: LoadedModel, open_engine: OpenEngine) -> None:
    first, second = open_engine(tiny), open_engine(tiny, n_ctx=64)
    generations = [e.submit(request([1, 2, 3], max_tokens=20)) for e in (first, second)]
    assert text_of(generations[0]) == text_of(generations[1])


def test_metadata_says_what_the_file_is(demo: LoadedModel) -> None:
    assert demo.info.architecture == "qwen3"
    assert demo.info.quantization == "Q8_0"
    assert demo.info.n_ctx_train > 0
    assert "<|im_start|>" in (demo.info.chat_template or "")
    assert demo.metadata["general.architecture"] == "qwen3"
    assert len(demo.fingerprint) == 16


def test_threads_leave_a_core_to_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLAMANB_N_THREADS")
    monkeypatch.setattr("llamanb.engine.threads.usable_cores", lambda: 8)
    assert thread_counts(ContextSettings()) == (7, 8)
    assert thread_counts(ContextSettings(n_threads=3)) == (3, 3)


def test_a_forked_child_is_told_and_the_parent_goes_on(tiny_gguf: Path) -> None:
    code = """
m = load(sys.argv[1]); e = open_(m); e.submit(ask(1, 2, 3)).wait(30)
child = os.fork()
if child == 0:
    try:
        e.submit(ask(1, 2, 3))
    except ForkedProcessError as error:
        os._exit(7 if "spawn" in str(error) else 1)
    os._exit(2)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(e.submit(ask(1, 2, 3)).wait(30).finish_reason)
"""
    done = run_python(code, tiny_gguf)
    assert (done.stdout.split(), done.stderr) == (["7", "length"], "")


@pytest.mark.parametrize(
    "call",
    [
        pytest.param("ggml.ggml_abort(b'here.c', 1, b'on purpose')", id="assertion"),
        pytest.param("stdcxx._ZSt9terminatev()", id="C++ exception"),
    ],
)
def test_an_abort_in_a_step_kills_one_engine_not_the_process(
    call: str, demo_path: Path, tiny_gguf: Path
) -> None:
    code = f"""
import ctypes
from llamanb.engine.abort_net import _mapped_ggml_base
bad, good = open_(load(sys.argv[1])), open_(load(sys.argv[2]))
ggml = ctypes.CDLL(_mapped_ggml_base()); stdcxx = ctypes.CDLL("libstdc++.so.6")
running = good.submit(ask(1, 2, 3, max_tokens=300))
def abort(): {call}
bad._context.decode = abort
record = bad.submit(ask(1, 2, 3)).wait(20)
print(record.finish_reason, record.error_type)
print(bad.status().state, running.wait(30).finish_reason)
try:
    bad.submit(ask(1, 2, 3))
except EngineDead as error:
    print("live on" in str(error))
again = open_(load(sys.argv[1]))
print(again.submit(ask(1, 2, 3)).wait(30).finish_reason)
"""
    if not sys.platform.startswith("linux"):
        pytest.skip("the abort net is checked on Linux only")
    done = run_python(code, demo_path, tiny_gguf)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["error", "EngineDead", "dead", "length", "True", "stop"]


def test_an_abort_while_loading_is_an_error_of_that_load(tiny_gguf: Path) -> None:
    code = """
import ctypes
from llamanb.engine import native, weights
from llamanb.engine.abort_net import _mapped_ggml_base
native.library()
ggml = ctypes.CDLL(_mapped_ggml_base())
real = weights._load_mode
def abort(*a): ggml.ggml_abort(b'here.c', 1, b'on purpose')
weights._load_mode = abort
try:
    load(sys.argv[1])
except ModelLoadError as error:
    print("on purpose" in str(error))
weights._load_mode = real
print(open_(load(sys.argv[1])).submit(ask(1, 2)).wait(30).finish_reason)
"""
    if not sys.platform.startswith("linux"):
        pytest.skip("the abort net is checked on Linux only")
    done = run_python(code, tiny_gguf)
    assert done.stdout.split() == ["True", "length"], done.stderr


@pytest.mark.parametrize("how", ["pass", "sys.exit(3)", "raise SystemExit(3)"])
def test_leaving_python_while_generating_is_quiet(how: str, tiny_gguf: Path) -> None:
    code = f"""
e = open_(load(sys.argv[1]), n_ctx=4096)
g = e.submit(ask(1, 2, 3, max_tokens=None))
next(iter(g)); g = e.submit(ask(1, 2, 3, max_tokens=None))
print("leaving")
{how}
"""
    done = run_python(code, tiny_gguf)
    assert (done.stdout, done.stderr) == ("leaving\n", "")
    assert done.returncode == (0 if how == "pass" else 3)


def test_nothing_is_written_to_the_terminal(tiny_gguf: Path) -> None:
    done = run_python("open_(load(sys.argv[1])).submit(ask(1, 2)).wait(30)", tiny_gguf)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize(
    "bad",
    [
        {"n_ctx": 0},
        {"n_ctx": 1.5},
        {"n_seq_max": 0},
        {"n_batch": -1},
        {"n_ubatch": 4096},
        {"n_threads": 0},
        {"type_k": "q9"},
        {"flash_attn": "maybe"},
        {"pooling": "max"},
    ],
)
def test_an_impossible_context_option_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(bad))):
        ContextSettings(**bad)


def test_a_context_that_llama_cpp_refuses_is_an_error(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    from llamanb.errors import ModelLoadError

    with pytest.raises(ModelLoadError, match="context"):
        open_engine(tiny, type_v="q4_0", flash_attn="off")
    assert text_of(open_engine(tiny).submit(request([1, 2], max_tokens=3)))


def test_the_demo_talks_after_all_this(demo: LoadedModel, open_engine: OpenEngine) -> None:
    assert "scatters" in text_of(open_engine(demo).submit(ask("Why is the sky blue?", demo)))


def test_the_process_is_the_one_that_loaded() -> None:
    engine.check_process()
    assert os.getpid() > 0
