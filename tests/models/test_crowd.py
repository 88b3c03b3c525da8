"""Many threads at the manager at once: nothing is left behind, nobody waits for ever."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from llamanb.errors import LlamanbError
from llamanb.models.shared import SharedStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from llamanb.models import ModelManager
    from tests.models.fakes import FakeRoom

    MakeFile = Callable[[str], Path]

OPERATIONS = 1500


def _random_operations(manager: ModelManager, path: Path, seed: int) -> int:
    dice, done = random.Random(seed), 0  # noqa: S311  # a game, not a secret
    for _ in range(OPERATIONS):
        name = dice.choice(("a", "b", "c"))
        try:
            match dice.randrange(5):
                case 0 | 1:
                    manager.load(path, name=name, n_ctx=dice.choice((64, 128)), n_seq_max=1)
                case 2:
                    with manager[name].lease():
                        assert manager[name].n_ctx in (64, 128)
                case 3:
                    manager.evict(name)
                case _:
                    manager.unload(name, force=dice.random() < 0.5)
            done += 1
        except LlamanbError:
            continue
    return done


def test_random_operations_of_five_threads_leave_nothing(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile
) -> None:
    path = make_file("a")
    with ThreadPoolExecutor(5) as pool:
        runs = [pool.submit(_random_operations, fake, path, seed) for seed in range(5)]
        assert all(run.result(timeout=50) > OPERATIONS / 10 for run in runs)
    fake.unload(force=True)
    assert room.resident == []
    assert all(engine.state == "closed" for engine in room.engines)
    assert fake._desk._stores.total_bytes() == 0


def _store() -> tuple[SharedStore[list[str]], list[list[str]]]:
    closed: list[list[str]] = []
    return SharedStore(closed.append, is_alive=lambda thing: "dead" not in thing), closed


def test_thing_is_made_once_and_closed_by_the_last_holder() -> None:
    store, closed = _store()
    first, second = store.reserve("key", 10), store.reserve("key", 10)
    made = first.open(lambda: ["thing"])
    assert second.open(lambda: ["other"]) is made
    assert store.total_bytes() == 10
    first.release()
    first.release()
    assert closed == []
    second.release()
    assert closed == [["thing"]]
    assert store.holders("key") == 0


def test_failed_making_is_tried_by_the_next_holder() -> None:
    store, _ = _store()
    first, second = store.reserve("key", 1), store.reserve("key", 1)

    def fail() -> list[str]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        first.open(fail)
    assert second.open(lambda: ["thing"]) == ["thing"]


def test_dead_thing_is_not_given_to_new_holders() -> None:
    store, closed = _store()
    old = store.reserve("key", 1)
    old.open(lambda: ["dead"])
    new = store.reserve("key", 1)
    assert new.open(lambda: ["thing"]) == ["thing"]
    old.release()
    assert closed == [["dead"]]
    assert store.holders("key") == 1


def test_waiting_for_another_maker_can_time_out() -> None:
    store, _ = _store()
    first, second = store.reserve("key", 1), store.reserve("key", 1)
    go_on, started = threading.Event(), threading.Event()

    def slowly() -> list[str]:
        started.set()
        go_on.wait(20)
        return ["thing"]

    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(first.open, slowly)
        assert started.wait(10)
        with pytest.raises(TimeoutError):
            second.open(lambda: ["other"], timeout_s=0.01)
        go_on.set()
        assert making.result(10) == ["thing"]
