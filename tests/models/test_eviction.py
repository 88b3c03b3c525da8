"""Which models leave memory, when, and how the table shows it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from llamanb.errors import (
    InsufficientMemoryError,
    ModelBusyError,
    OptionError,
)
from llamanb.models import ModelManager
from llamanb.models.admission import MemorySource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from llamanb.engine.values import EngineRequest
    from tests.models.fakes import FakeClock, FakeRoom

    MakeFile = Callable[[str], Path]
    RequestOf = Callable[[str], EngineRequest]


# ---- time to live ------------------------------------------------------------------------


def test_idle_model_is_evicted_after_its_ttl(
    fake: ModelManager, room: FakeRoom, clock: FakeClock, make_file: MakeFile
) -> None:
    fake.load(make_file("a"), ttl="5m")
    clock.advance(299)
    assert fake.expire() == []
    clock.advance(1)
    assert fake.expire() == ["a"]
    assert room.resident == []
    assert fake.ps()[0].state == "evicted"


def test_ttl_counts_from_the_end_of_the_last_request(
    fake: ModelManager,
    room: FakeRoom,
    clock: FakeClock,
    make_file: MakeFile,
    request_of: RequestOf,
) -> None:
    model = fake.load(make_file("a"), ttl=10)
    model.submit(request_of("hi"))
    clock.advance(60)
    assert fake.expire() == []
    room.engines[0].finish_all()
    clock.advance(9)
    assert fake.expire() == []
    clock.advance(1)
    assert fake.expire() == ["a"]


def test_evicted_handle_loads_again_on_use(
    fake: ModelManager,
    room: FakeRoom,
    make_file: MakeFile,
    request_of: RequestOf,
) -> None:
    model = fake.load(make_file("a"))
    assert fake.evict("a")
    model.submit(request_of("hi"))
    assert model.state == "busy"
    assert len(room.weights) == 2


def test_same_load_brings_an_evicted_model_back(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile
) -> None:
    model = fake.load(make_file("a"))
    fake.evict("a")
    assert fake.load(make_file("a"), name="a").state == "idle"
    assert len(room.resident) == 1
    assert model.name in fake


def test_pinned_model_outlives_its_ttl(
    fake: ModelManager, clock: FakeClock, make_file: MakeFile
) -> None:
    fake.load(make_file("a"), ttl=10, pin=True)
    clock.advance(100)
    assert fake.expire() == []
    fake.unpin("a")
    assert fake.expire() == ["a"]


def test_managers_ttl_holds_for_models_without_their_own(
    fake: ModelManager, clock: FakeClock, make_file: MakeFile
) -> None:
    fake.load(make_file("a"))
    fake.load(make_file("b"), ttl="1h")
    fake.configure(ttl=30)
    clock.advance(31)
    assert fake.expire() == ["a"]


def test_thread_evicts_by_itself(room: FakeRoom, make_file: MakeFile) -> None:
    closed = threading.Event()
    manager = ModelManager(room=room)
    model = manager.load(make_file("a"), ttl=0.05)
    room.weights[0].close = closed.set  # type: ignore[method-assign]  # tells the test
    assert closed.wait(10)
    assert model.state == "evicted"
    assert any(thread.name == "llamanb-models" for thread in threading.enumerate())
    manager.close()


def test_leased_model_is_not_evicted(fake: ModelManager, make_file: MakeFile) -> None:
    model = fake.load(make_file("a"))
    with model.lease():
        assert not fake.evict("a")
    assert fake.evict("a")


# ---- limits ------------------------------------------------------------------------------


def test_least_recently_used_leaves_for_a_new_model(
    fake: ModelManager,
    room: FakeRoom,
    clock: FakeClock,
    make_file: MakeFile,
    request_of: RequestOf,
) -> None:
    fake.configure(max_models=2)
    first = fake.load(make_file("a"))
    clock.advance(1)
    fake.load(make_file("b"))
    clock.advance(1)
    first.submit(request_of("hi"))
    room.engines[0].finish_all()
    fake.load(make_file("c"))
    assert {row.name: row.state for row in fake.ps()} == {"a": "idle", "b": "evicted", "c": "idle"}


def test_pinned_and_busy_models_stay_whatever_comes(
    fake: ModelManager, make_file: MakeFile, request_of: RequestOf
) -> None:
    fake.configure(max_models=2)
    fake.load(make_file("a"), pin=True)
    fake.load(make_file("b")).submit(request_of("hi"))
    with pytest.raises(ModelBusyError, match="busy or pinned"):
        fake.load(make_file("c"))
    assert {row.state for row in fake.ps()} == {"idle", "busy"}


def test_memory_limit_evicts_what_is_idle(
    fake: ModelManager, clock: FakeClock, make_file: MakeFile
) -> None:
    fake.load(make_file("a"))
    one_model = fake.ps()[0].memory_bytes
    fake.configure(max_memory=int(one_model * 2.5))
    clock.advance(1)
    fake.load(make_file("b"))
    fake.load(make_file("c"))
    assert {row.name: row.state for row in fake.ps()} == {"a": "evicted", "b": "idle", "c": "idle"}


def test_too_large_context_names_one_that_fits(fake: ModelManager, make_file: MakeFile) -> None:
    with pytest.raises(InsufficientMemoryError, match="largest n_ctx that fits is") as caught:
        fake.load(make_file("a"), n_ctx=1 << 24)
    error = caught.value
    assert error.needed_bytes > error.available_bytes
    model = fake.load(make_file("a"), n_ctx=error.largest_n_ctx)
    assert model.n_ctx == error.largest_n_ctx


def test_nothing_is_evicted_for_a_model_that_cannot_fit(
    fake: ModelManager, make_file: MakeFile
) -> None:
    fake.load(make_file("a"))
    with pytest.raises(InsufficientMemoryError):
        fake.load(make_file("b"), n_ctx=1 << 24)
    assert fake.ps()[0].state == "idle"
    assert list(fake) == ["a"]


def test_machine_without_memory_refuses(room: FakeRoom, make_file: MakeFile) -> None:
    memory = MemorySource(available=lambda: 1000, total=lambda: 1000)
    manager = ModelManager(room=room, memory=memory)
    with pytest.raises(InsufficientMemoryError, match="no n_ctx fits"):
        manager.load(make_file("a"))


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param({"max_memory": "lots"}, id="text"),
        pytest.param({"max_memory": 0}, id="nothing"),
        pytest.param({"max_models": 0}, id="no model"),
        pytest.param({"max_models": True}, id="bool"),
    ],
)
def test_impossible_limit_is_refused(fake: ModelManager, limits: dict[str, object]) -> None:
    with pytest.raises(OptionError, match="not possible"):
        fake.configure(**limits)  # type: ignore[arg-type]  # wrong on purpose


# ---- the table ---------------------------------------------------------------------------


def test_table_shows_every_column(fake: ModelManager, make_file: MakeFile) -> None:
    fake.load(make_file("a"), ttl=600)
    fake.load(make_file("b"), pin=True)
    shown = repr(fake.ps())
    for word in ("name", "memory", "contexts", "refs", "idle", "10 min", "pinned", "b *"):
        assert word in shown


def test_table_fits_a_cell_and_keeps_the_end_of_a_path(
    fake: ModelManager, make_file: MakeFile, tmp_path: Path
) -> None:
    folder = tmp_path / "a-long-folder-name" / "and-another-one-below-it"
    folder.mkdir(parents=True)
    path = make_file("granite-350m").rename(folder / "granite-350m.gguf")
    fake.load(path)
    lines = repr(fake.ps()).splitlines()
    assert max(map(len, lines)) <= 100
    assert "tok/s" in lines[0]
    assert lines[1].endswith("…/granite-350m.gguf")
    assert fake.ps()[0].path == str(path)


def test_html_table_has_the_whole_path_in_a_title(fake: ModelManager, make_file: MakeFile) -> None:
    path = make_file("a" * 30)
    fake.load(path)
    shown = fake._repr_html_()
    assert f'title="{path}"' in shown
    assert f">{path}<" not in shown


def test_table_escapes_names_in_html(fake: ModelManager, make_file: MakeFile) -> None:
    fake.load(make_file("a"), name="<script>")
    shown = fake._repr_html_()
    assert "&lt;script&gt;" in shown
    assert "<script>" not in shown


def test_demo_is_labelled_a_toy(fake: ModelManager) -> None:
    fake.load("demo")
    assert "demo (toy)" in repr(fake)


def test_empty_table_says_what_to_do(fake: ModelManager) -> None:
    assert "llamanb.load" in repr(fake.ps())
    assert "llamanb.load" in fake.ps()._repr_html_()
