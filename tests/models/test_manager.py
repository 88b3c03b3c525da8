"""Which models are resident: identity, names, leases, eviction, all without native code."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from llamanb.errors import (
    ModelBusyError,
    ModelClosedError,
    ModelLoadError,
    ModelLoadTimeout,
    OptionError,
    UnknownModelError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from llamanb.engine.values import EngineRequest
    from llamanb.models import ModelManager
    from tests.models.fakes import FakeRoom

    MakeFile = Callable[[str], Path]
    RequestOf = Callable[[str], EngineRequest]


# ---- identity ----------------------------------------------------------------------------


def test_same_file_and_options_give_the_same_model(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile
) -> None:
    path = make_file("a")
    assert fake.load(path) is fake.load(str(path), progress=False)
    assert len(room.weights) == 1


def test_two_names_share_weights_and_context(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile
) -> None:
    path = make_file("a")
    first, second = fake.load(path), fake.load(path, name="other")
    assert first is not second
    assert len(room.weights) == len(room.engines) == 1
    first.unload()
    assert room.resident == [str(path)]
    second.unload()
    assert room.resident == []


def test_a_link_to_the_file_shares_its_weights(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile, tmp_path: Path
) -> None:
    path = make_file("a")
    (tmp_path / "link.gguf").symlink_to(path)
    fake.load(path)
    fake.load(tmp_path / "link.gguf", name="link")
    assert len(room.weights) == 1


def test_other_context_options_share_the_weights_only(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile
) -> None:
    path = make_file("a")
    fake.load(path, n_ctx=64)
    fake.load(path, n_ctx=128)
    assert (len(room.weights), len(room.engines)) == (1, 2)
    assert list(fake) == ["a", "a-2"]


def test_other_weight_options_load_again(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile
) -> None:
    path = make_file("a")
    fake.load(path)
    fake.load(path, use_mmap=False)
    assert len(room.weights) == 2


def test_changed_file_replaces_the_old_model(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile
) -> None:
    path = make_file("a")
    old = fake.load(path)
    os.utime(path, ns=(1, 1))
    new = fake.load(path)
    assert new is not old
    assert list(fake) == ["a"]
    assert len(room.resident) == 1


def test_a_name_given_twice_means_the_newer_model(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile
) -> None:
    fake.load(make_file("a"), name="x")
    fake.load(make_file("b"), name="x")
    assert [path.rpartition("/")[2] for path in room.resident] == ["b.gguf"]
    assert fake["x"].path.endswith("b.gguf")


def test_reload_keeps_the_object_and_loads_anew(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile
) -> None:
    path = make_file("a")
    model = fake.load(path)
    assert fake.load(path, reload=True) is model
    assert len(room.weights) == 2
    assert len(room.resident) == 1


def test_failed_reload_says_so_and_the_handle_stays_usable(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile, request_of: RequestOf
) -> None:
    path = make_file("a")
    model, room.failures = fake.load(path), 1
    with pytest.raises(ModelLoadError) as caught:
        fake.load(path, reload=True)
    assert caught.value.__notes__ == ["'a' is out of memory now; its next use loads it again"]
    assert model.state == "evicted"
    model.submit(request_of("hi"))
    assert model.state == "busy"


def test_reload_without_time_leaves_the_model_where_it_is(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile
) -> None:
    model = fake.load(make_file("a"))
    with pytest.raises(ModelLoadTimeout, match="stays in memory as it was"):
        fake.load(model.path, timeout=1e-6, reload=True)
    assert model.state == "idle"
    assert len(room.weights) == 1


def test_options_for_a_loaded_model_are_refused(fake: ModelManager, make_file: MakeFile) -> None:
    model = fake.load(make_file("a"))
    with pytest.raises(OptionError, match=r"'a' is loaded already; to change n_ctx= load its file"):
        fake.load(model, n_ctx=64)


def test_load_of_nothing_gives_the_default_with_its_options(
    fake: ModelManager, make_file: MakeFile
) -> None:
    model = fake.load(make_file("a"), n_ctx=64)
    fake.evict(model)
    assert fake.load() is model
    assert model.state == "idle"


def test_a_model_passes_through_load(fake: ModelManager, make_file: MakeFile) -> None:
    model = fake.load(make_file("a"))
    assert fake.load(model) is model


def test_one_file_from_two_threads_loads_once(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile
) -> None:
    path = make_file("a")
    room.hold = threading.Event()
    with ThreadPoolExecutor(4) as pool:
        loads = [pool.submit(fake.load, path) for _ in range(4)]
        assert room.started.acquire(timeout=10)
        room.hold.set()
        models = {load.result(timeout=20) for load in loads}
    assert len(models) == len(room.weights) == 1


def test_loading_one_does_not_block_the_table_or_another(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile
) -> None:
    ready = fake.load(make_file("ready"))
    room.started.acquire()
    room.hold = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        loads = [pool.submit(fake.load, make_file(name)) for name in ("a", "b")]
        assert room.started.acquire(timeout=10)
        assert room.started.acquire(timeout=10)
        assert {row.state for row in fake.ps()} == {"idle", "loading"}
        assert ready.n_ctx == 128
        room.hold.set()
        assert {load.result(timeout=20).name for load in loads} == {"a", "b"}


# ---- names -------------------------------------------------------------------------------


def test_unknown_name_suggests_a_near_one(fake: ModelManager, make_file: MakeFile) -> None:
    fake.load(make_file("granite"))
    with pytest.raises(UnknownModelError, match="did you mean 'granite'") as caught:
        fake["granit"]
    assert caught.value.resident == ("granite",)
    assert fake.get("granit") is None


def test_manager_is_a_mapping_of_models(fake: ModelManager, make_file: MakeFile) -> None:
    model = fake.load(make_file("a"))
    assert dict(fake) == {"a": model}
    assert "a" in fake
    assert len(fake) == 1


def test_default_is_the_last_loaded_unless_chosen(fake: ModelManager, make_file: MakeFile) -> None:
    first, second = fake.load(make_file("a")), fake.load(make_file("b"))
    assert fake.default is second
    fake.default = first
    assert fake.default is first
    first.unload()
    assert fake.default is second


def test_resident_name_and_alias_stand_for_their_file(
    fake: ModelManager, make_file: MakeFile
) -> None:
    path = make_file("a")
    model = fake.load(path, name="mine")
    fake.alias("work", path)
    assert fake.load("mine", name="mine") is model
    assert fake.load("work") is model
    fake.alias("work", None)
    assert fake.aliases == {}


def test_environment_names_the_default(
    fake: ModelManager, make_file: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMANB_MODEL", str(make_file("chosen")))
    assert fake.default.name == "chosen"


def test_demo_is_the_default_when_nothing_is_loaded(
    fake: ModelManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LLAMANB_MODEL", raising=False)
    assert fake.default.is_toy
    assert fake.default.name == "demo"


# ---- leases and unloading ----------------------------------------------------------------


def test_busy_model_is_not_unloaded(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile, request_of: RequestOf
) -> None:
    model = fake.load(make_file("a"))
    generation = model.submit(request_of("hi"))
    assert model.busy
    with pytest.raises(ModelBusyError, match="answering 1 request"):
        fake.unload("a")
    room.engines[0].finish_all()
    assert generation.done
    fake.unload("a")
    assert len(fake) == 0


def test_forced_unload_cancels_what_runs(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile, request_of: RequestOf
) -> None:
    model = fake.load(make_file("a"))
    generation = model.submit(request_of("hi"))
    fake.unload("a", force=True)
    assert generation.record is not None
    assert generation.record.finish_reason == "cancelled"
    assert room.resident == []


def test_unload_without_a_name_empties_the_table(fake: ModelManager, make_file: MakeFile) -> None:
    fake.load(make_file("a"))
    fake.load(make_file("b"))
    fake.unload()
    assert len(fake.ps()) == 0


def test_unload_all_keeps_the_busy_one_and_says_so(
    fake: ModelManager, make_file: MakeFile, request_of: RequestOf
) -> None:
    fake.load(make_file("a")).submit(request_of("hi"))
    fake.load(make_file("b"))
    with pytest.raises(ModelBusyError):
        fake.unload()
    assert list(fake) == ["a"]


def test_unloaded_handle_raises_and_says_how_to_go_on(
    fake: ModelManager, make_file: MakeFile, request_of: RequestOf
) -> None:
    model = fake.load(make_file("a"))
    fake.unload("a")
    with pytest.raises(ModelClosedError, match=r"llamanb\.load\('.*a\.gguf'\)"):
        model.submit(request_of("hi"))


def test_close_is_harmless_twice_and_as_context_manager(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile
) -> None:
    with fake.load(make_file("a")) as model:
        pass
    model.close()
    assert room.resident == []


def test_closed_model_is_called_by_its_own_name(
    fake: ModelManager, make_file: MakeFile, request_of: RequestOf
) -> None:
    with fake.load(make_file("a"), name="z") as model:
        pass
    with pytest.raises(ModelClosedError, match="model 'z' was closed"):
        model.submit(request_of("hi"))
    with pytest.raises(ModelClosedError, match="model 'z' was closed"):
        fake.load(model)


def test_unloading_an_old_handle_does_not_touch_its_successor(
    fake: ModelManager, make_file: MakeFile
) -> None:
    old = fake.load(make_file("a"))
    fake.unload(old)
    new = fake.load(make_file("a"))
    fake.unload(old)
    assert new.state == "idle"
    with pytest.raises(ModelClosedError):
        fake.pin(old)


def test_closing_an_old_handle_does_not_touch_its_successor(
    fake: ModelManager, make_file: MakeFile
) -> None:
    old = fake.load(make_file("a"))
    old.close()
    new = fake.load(make_file("a"))
    old.close()
    assert new.state == "idle"


def test_dead_engine_is_replaced_on_next_use(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile, request_of: RequestOf
) -> None:
    model = fake.load(make_file("a"))
    room.engines[0].state = "dead"
    model.submit(request_of("hi"))
    assert len(room.engines) == 2
    assert len(room.weights) == 1
