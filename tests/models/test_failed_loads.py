"""Loads that fail: what is told and what stays behind, all without native code."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from llamanb.errors import (
    ModelLoadError,
    ModelLoadTimeout,
    OptionError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from llamanb.engine.values import EngineRequest
    from llamanb.models import ModelManager
    from tests.models.fakes import FakeRoom

    MakeFile = Callable[[str], Path]
    RequestOf = Callable[[str], EngineRequest]


def test_failed_load_leaves_nothing_behind(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile
) -> None:
    room.failures = 1
    with pytest.raises(ModelLoadError):
        fake.load(make_file("a"))
    assert len(fake) == 0
    assert fake.load(make_file("a")).state == "idle"


def test_failing_engine_gives_the_weights_back(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ModelLoadError("no context")

    monkeypatch.setattr(room, "open_engine", refuse)
    with pytest.raises(ModelLoadError):
        fake.load(make_file("a"))
    assert room.resident == []
    assert fake._desk._stores.total_bytes() == 0


def test_waiting_load_goes_on_when_the_first_one_fails(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile
) -> None:
    path = make_file("a")
    room.hold, room.failures = threading.Event(), 1
    with ThreadPoolExecutor(2) as pool:
        loads = [pool.submit(fake.load, path) for _ in range(2)]
        assert room.started.acquire(timeout=10)
        room.hold.set()
        outcomes = [load.exception(timeout=20) for load in loads]
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ModelLoadError", "NoneType"]
    assert list(fake) == ["a"]


def test_timeout_names_the_file_and_keeps_nothing(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile
) -> None:
    room.hold = threading.Event()
    with pytest.raises(ModelLoadTimeout, match=r"a\.gguf took longer than 0.02 s") as caught:
        fake.load(make_file("a"), timeout=0.02)
    assert caught.value.timeout_s == 0.02
    assert len(fake) == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param({"n_ctx": 0}, "n_ctx=0", id="n_ctx"),
        pytest.param({"n_ctx": "many"}, "n_ctx='many'", id="text"),
        pytest.param({"n_seq_max": 0}, "n_seq_max=0", id="n_seq_max"),
        pytest.param({"type_k": "q9"}, "type_k='q9'", id="type_k"),
        pytest.param({"flash_attn": "perhaps"}, "flash_attn", id="flash_attn"),
        pytest.param({"use_mmap": 1}, "use_mmap=1", id="use_mmap"),
        pytest.param({"ttl": "soon"}, "ttl='soon'", id="ttl"),
        pytest.param({"ttl": -1}, "ttl=-1", id="negative ttl"),
        pytest.param({"timeout": 0}, "timeout=0", id="timeout"),
        pytest.param({"timeout": float("nan")}, "timeout=nan", id="nan"),
        pytest.param({"timeout": float("inf")}, "timeout=inf", id="infinite"),
        pytest.param({"name": " "}, "name=' '", id="name"),
        pytest.param({"embedding": "yes"}, "embedding='yes'", id="embedding"),
        pytest.param({"mmproj": "x.gguf"}, "not available yet", id="mmproj"),
        pytest.param({"lora": "x.gguf"}, "not available yet", id="lora"),
        pytest.param({"devices": ["gpu"]}, "not available yet", id="devices"),
    ],
)
def test_impossible_option_is_named(
    fake: ModelManager, make_file: MakeFile, options: dict[str, object], told: str
) -> None:
    with pytest.raises(OptionError, match=told):
        fake.load(make_file("a"), **options)  # type: ignore[arg-type]  # wrong on purpose
    assert len(fake) == 0


def test_misspelt_option_is_told_and_corrected(fake: ModelManager) -> None:
    with pytest.raises(OptionError, match=r"^unknown option 'n_cxt'; did you mean 'n_ctx'\?$"):
        fake.load("demo", n_cxt=64)  # type: ignore[call-arg]  # wrong on purpose
    with pytest.raises(OptionError, match=r"known are: name, n_ctx, .* help"):
        fake.load("demo", zzz=1)  # type: ignore[call-arg]  # wrong on purpose
    with pytest.raises(OptionError, match=r"by name, as in load\(model, n_ctx=…\)"):
        fake.load("demo", 512)  # type: ignore[arg-type, call-arg]  # wrong on purpose
