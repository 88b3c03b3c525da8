"""Two threads at the same moment: nothing is lost, freed twice or waited for in vain."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from llamanb import engine
from llamanb.engine.compute import ComputeThread, compute_thread
from llamanb.engine.context import NativeContext
from llamanb.errors import (
    EngineError,
    ModelClosedError,
    ModelLoadError,
    ModelLoadTimeout,
)
from llamanb.settings import ContextSettings, WeightSettings

from .conftest import request, text_of
from .test_life import run_python

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llamanb.engine import Engine, LoadedModel

    from .conftest import OpenEngine

linux_only = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the abort net is checked on Linux only"
)


class Gate:
    """Holds the decodes of one engine until it is opened."""

    def __init__(self, held: Engine) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()
        self._decode = held._context.decode
        held._context.decode = self._wait  # type: ignore[method-assign]  # fault injection

    def _wait(self) -> int:
        self.reached.set()
        assert self.opened.wait(30)
        return self._decode()


@pytest.fixture
def own_tiny(tiny_gguf: Path) -> Iterator[LoadedModel]:
    """Give weights that the test may close."""
    loaded = engine.load_weights(str(tiny_gguf), WeightSettings())
    yield loaded
    loaded.close()


@pytest.fixture
def hasty_switches() -> Iterator[None]:
    """Let threads take turns after every few bytecodes."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class IdleEngine:
    """An engine that never has work."""

    def has_work(self) -> bool:
        """Tell that there is none."""
        return False

    def step(self) -> None:
        """Do nothing."""

    def fail(self, error: BaseException) -> None:
        """Do nothing."""

    def died(self, message: str) -> None:
        """Do nothing."""

    def moved(self, thread: ComputeThread) -> None:
        """Do nothing."""

    def interrupt(self) -> None:
        """Do nothing."""


# ---- submitting while closing ------------------------------------------------------------


def test_a_request_that_comes_while_closing_leaves_the_step_alone(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    opened = open_engine(tiny)
    gate = Gate(opened)
    running = opened.submit(request([1, 2, 3], temperature=1.0, max_tokens=None))
    assert gate.reached.wait(30)
    closer = threading.Thread(target=opened.close)
    opened._refuse_if_over = closer.start  # type: ignore[method-assign]  # closed right after the check
    enqueue = opened._scheduler.enqueue

    def late_enqueue(run: Any) -> None:
        while opened.status().state != "closed":
            pass
        enqueue(run)

    opened._scheduler.enqueue = late_enqueue  # type: ignore[method-assign]  # the other order
    with pytest.raises(ModelClosedError):
        opened.submit(request([4]))
    assert not running.done  # only the compute thread may end what it works on
    gate.opened.set()
    closer.join(30)
    assert running.wait(30).finish_reason == "cancelled"


def test_closing_from_two_threads_waits_in_both(tiny: LoadedModel, open_engine: OpenEngine) -> None:
    opened = open_engine(tiny)
    gate = Gate(opened)
    opened.submit(request([1, 2, 3]))
    assert gate.reached.wait(30)
    first = threading.Thread(target=opened.close)
    first.start()
    while opened.status().state != "closed":
        pass
    with pytest.raises(TimeoutError):
        opened.close(timeout_s=0.1)
    gate.opened.set()
    opened.close()
    assert opened._context._pointer is None
    first.join(30)


def test_a_close_that_took_too_long_can_be_repeated(own_tiny: LoadedModel) -> None:
    held, other = (
        engine.open_engine(own_tiny, ContextSettings(n_ctx=64, n_threads=1)) for _ in range(2)
    )
    gate = Gate(held)
    held.submit(request([1, 2, 3]))
    assert gate.reached.wait(30)
    with pytest.raises(TimeoutError):
        own_tiny.close(timeout_s=0.1)
    gate.opened.set()
    own_tiny.close()
    assert own_tiny.closed
    assert held._context._pointer is other._context._pointer is None


# ---- opening while closing ---------------------------------------------------------------


def test_weights_closed_while_a_context_is_made_take_it_with_them(
    own_tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    closer = threading.Thread(target=own_tiny.close)
    equip = NativeContext._equip

    def closing_meanwhile(self: NativeContext, *arguments: Any) -> None:
        equip(self, *arguments)
        closer.start()
        closer.join(0.3)  # the weights cannot be freed before this command ends

    monkeypatch.setattr(NativeContext, "_equip", closing_meanwhile)
    opened = engine.open_engine(own_tiny, ContextSettings(n_ctx=64, n_threads=1))
    closer.join(30)
    assert (own_tiny.closed, opened.status().state) == (True, "closed")
    with pytest.raises(ModelClosedError):
        opened.submit(request([1]))


def test_engines_added_from_many_threads_are_all_kept(hasty_switches: None) -> None:
    thread = ComputeThread()

    def add_and_remove() -> None:
        for _ in range(200):
            passing = IdleEngine()
            thread.add(passing)
            thread.remove(passing)
        thread.add(IdleEngine())

    adders = [threading.Thread(target=add_and_remove) for _ in range(4)]
    for adder in adders:
        adder.start()
    for adder in adders:
        adder.join(30)
    assert len(thread._engines) == 4
    assert thread.close()


def test_embedding_from_many_threads_counts_back_to_zero(
    load: Any, embedding_gguf: Path, hasty_switches: None
) -> None:
    vectors = engine.open_embedding_engine(load(embedding_gguf), ContextSettings(n_threads=1))

    def embed_often() -> None:
        for _ in range(40):
            vectors.embed([])

    threads = [threading.Thread(target=embed_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not vectors.busy
    vectors.close()


# ---- callbacks on the compute thread -----------------------------------------------------


@pytest.mark.parametrize("what", ["engine", "weights"])
def test_closing_in_a_callback_frees_after_the_step(what: str, own_tiny: LoadedModel) -> None:
    opened = engine.open_engine(own_tiny, ContextSettings(n_ctx=512, n_threads=1))
    gate, called = Gate(opened), threading.Event()
    was_freed: list[bool] = []

    def close(_value: object) -> None:
        if not was_freed:
            (opened if what == "engine" else own_tiny).close()
            was_freed.append(opened._context._pointer is None)
            called.set()

    generation = opened.submit(request([1, 2, 3], max_tokens=None, temperature=1.0))
    generation.subscribe(close)
    gate.opened.set()
    assert generation.wait(30).finish_reason == "cancelled"
    assert called.wait(30)
    opened.close()
    assert was_freed == [False]
    assert opened._context._pointer is None


def test_a_callback_that_exits_ends_its_own_request_only(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    opened = open_engine(tiny)

    def leave(_value: object) -> None:
        raise SystemExit(1)

    bad = opened.submit(request([1, 2, 3], max_tokens=None))
    bad.subscribe(leave)
    assert bad.wait(30).finish_reason == "cancelled"
    assert text_of(opened.submit(request([1, 2, 3])))


def test_a_callback_that_waits_is_told_instead_of_hanging(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    opened = open_engine(tiny)
    said: list[str] = []

    def wait(_value: object) -> None:
        if not said:
            said.append("")
            with pytest.raises(EngineError, match="callback") as caught:
                generation.wait(5)
            said.append(str(caught.value))

    generation = opened.submit(request([1, 2, 3]))
    generation.subscribe(wait)
    assert generation.wait(30).finish_reason == "length"
    assert len(said) == 2


# ---- loading -----------------------------------------------------------------------------


def test_an_error_in_the_progress_callback_reaches_the_caller(tiny_gguf: Path) -> None:
    def fail(_fraction: float) -> None:
        raise ZeroDivisionError("my progress bar")

    with pytest.raises(ZeroDivisionError, match="my progress bar"):
        engine.load_weights(str(tiny_gguf), WeightSettings(), on_progress=fail)


def test_a_load_given_up_while_its_vocabulary_is_read_keeps_nothing(
    tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llamanb.engine import weights

    made: list[LoadedModel] = []
    fingerprint = weights._fingerprint

    def slow_fingerprint(path: str) -> str:
        threading.Event().wait(0.3)
        return fingerprint(path)

    def remember(self: LoadedModel, *arguments: Any) -> None:
        made.append(self)
        init(self, *arguments)

    init = weights.LoadedModel.__init__
    monkeypatch.setattr(weights, "_fingerprint", slow_fingerprint)
    monkeypatch.setattr(weights.LoadedModel, "__init__", remember)
    with pytest.raises(ModelLoadTimeout):
        engine.load_weights(str(tiny_gguf), WeightSettings(), timeout_s=0.15)
    assert [model.closed for model in made] == [True]


# ---- when native code aborts -------------------------------------------------------------

ABORTS = """
import ctypes, time
from llamanb.engine.abort_net import _mapped_ggml_base
m = load(sys.argv[1]); e = open_(m)
ggml = ctypes.CDLL(_mapped_ggml_base())
"""


@linux_only
def test_an_abort_moves_waiting_commands_and_other_contexts_on(tiny_gguf: Path) -> None:
    code = """
vectors = engine.open_embedding_engine(m, ContextSettings(n_threads=1))
begun, go = threading.Event(), threading.Event()
def abort():
    begun.set(); go.wait(10); ggml.ggml_abort(b"here.c", 1, b"on purpose")
e._context.decode = abort
dying = e.submit(ask(1, 2, 3)); begun.wait(10)
threading.Timer(0.2, go.set).start()
print(open_(m).submit(ask(1, 2)).wait(10).finish_reason)
print(dying.wait(10).error_type, vectors.embed([[1, 2, 3]]).shape[0], vectors.status().state)
m.close(); print(m.closed)
"""
    done = run_python(ABORTS + code, tiny_gguf)
    assert done.stdout.split() == ["length", "EngineDead", "1", "ready", "True"], done.stderr


@linux_only
def test_an_abort_while_embedding_kills_that_context_only(tiny_gguf: Path) -> None:
    code = """
vectors = engine.open_embedding_engine(m, ContextSettings(n_threads=1))
vectors._context.decode = lambda: ggml.ggml_abort(b"here.c", 1, b"on purpose")
for _ in range(2):
    try:
        vectors.embed([[1]])
    except EngineDead:
        print(vectors.status().state)
print(e.submit(ask(1, 2)).wait(10).finish_reason)
m.close(); print(m.closed)
"""
    done = run_python(ABORTS + code, tiny_gguf)
    assert done.stdout.split() == ["dead", "dead", "length", "True"], done.stderr


@linux_only
def test_two_threads_of_one_computation_may_abort_at_once(tiny_gguf: Path) -> None:
    code = """
libc = ctypes.CDLL(None); address = ctypes.cast(ggml.ggml_abort, ctypes.c_void_p)
def abort():
    for _ in range(2):
        libc.pthread_create(ctypes.byref(ctypes.c_ulong()), None, address, ctypes.c_char_p(b"here.c"))
    threading.Event().wait()
e._context.decode = abort
print(e.submit(ask(1, 2, 3)).wait(10).error_type)
threading.Event().wait(0.3)
print(open_(m).submit(ask(1, 2)).wait(10).finish_reason)
"""
    done = run_python(ABORTS + code, tiny_gguf)
    assert done.stdout.split() == ["EngineDead", "length"], done.stderr


@linux_only
def test_an_abort_of_somebody_elses_thread_is_not_taken_for_ours(tiny_gguf: Path) -> None:
    code = """
begun = threading.Event()
def stay():
    begun.set(); threading.Event().wait()
e._context.decode = stay
e.submit(ask(1, 2, 3)); begun.wait(10)
ggml.ggml_abort(b"here.c", 1, b"not ours")
"""
    done = run_python(ABORTS + code, tiny_gguf)
    assert done.returncode < 0
    assert "not ours" in done.stderr


# ---- children made by os.fork ------------------------------------------------------------


def test_a_forked_child_neither_waits_for_ever_nor_complains_at_its_end(tiny_gguf: Path) -> None:
    code = """
e = open_(load(sys.argv[1]), n_ctx=4096)
g = e.submit(ask(1, 2, 3, max_tokens=None))
child = os.fork()
if child == 0:
    for wait in (g.wait, lambda: next(iter(g)), lambda: e.submit(ask(1))):
        try:
            wait()
        except ForkedProcessError:
            continue
        os._exit(3)
    sys.exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
g.cancel()
"""
    done = run_python(code, tiny_gguf)
    assert (done.stdout, done.stderr) == ("7\n", "")


# ---- the worker itself -------------------------------------------------------------------


def test_a_worker_that_stops_by_a_bug_leaves_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from llamanb.engine.worker import NativeWorker
    from llamanb.errors import EngineDead

    class Buggy(NativeWorker):
        def _work(self) -> None:
            raise MemoryError

    stopped = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _arguments: stopped.set())
    worker = Buggy("buggy")
    worker.call(lambda: None)
    assert stopped.wait(10)
    with pytest.raises(EngineDead, match="MemoryError"):
        worker.call(lambda: None)


def test_a_step_that_failed_half_way_leaves_no_stale_memory(
    tiny: LoadedModel, open_engine: OpenEngine
) -> None:
    opened = open_engine(tiny, n_seq_max=1)
    expected = text_of(opened.submit(request([1, 2, 3, 4])))
    commit, broken = opened._scheduler._commit, [True]

    def failing(chunks: Any) -> None:
        if broken:
            broken.pop()
            raise MemoryError
        commit(chunks)

    opened._scheduler._commit = failing  # type: ignore[method-assign]  # fault injection
    assert opened.submit(request([9, 8, 7])).wait(30).finish_reason == "error"
    assert text_of(opened.submit(request([1, 2, 3, 4]))) == expected


def test_loading_after_all_this_still_works(tiny_gguf: Path) -> None:
    assert compute_thread().usable
    with pytest.raises(ModelLoadError):
        engine.load_weights("/nowhere/x.gguf", WeightSettings())
    engine.load_weights(str(tiny_gguf), WeightSettings()).close()
