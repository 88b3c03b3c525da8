"""What changes between two steps: files, names, requests that end, models that go."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from llamanb.engine.values import FinalRecord, Timings, Usage
from llamanb.errors import ModelClosedError, ModelFileError, ModelNotFoundError
from tests.conversation.fakes import INFO
from tests.models.fakes import FakeVocabulary
from tests.models.gguf_bytes import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from llamanb.engine.values import EngineRequest
    from llamanb.models import ModelManager
    from tests.models.fakes import FakeRoom

    MakeFile = Callable[[str], Path]
    RequestOf = Callable[[str], EngineRequest]


def test_evicted_model_whose_file_was_replaced_is_not_loaded_unchecked(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile
) -> None:
    path = make_file("a")
    model = fake.load(path)
    fake.evict("a")
    path.write_bytes(Recipe().encode() + b"more")
    with pytest.raises(ModelFileError, match="replaced or changed"):
        _ = model.n_ctx
    assert room.resident == []
    assert fake.load(path).n_ctx
    path.unlink()
    fake.evict("a")
    with pytest.raises(ModelNotFoundError, match="not found"):
        _ = fake["a"].n_ctx


def test_alias_that_looks_like_a_hub_model_follows_its_target(
    fake: ModelManager, make_file: MakeFile
) -> None:
    fake.alias("my/best", make_file("a"))
    assert fake.load("my/best").name == "a"
    fake.alias("my/best", make_file("b"))
    assert fake.load("my/best").name == "b"


def test_request_that_is_done_does_not_keep_its_model_busy(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile, request_of: RequestOf
) -> None:
    model = fake.load(make_file("a"))
    generation = model.submit(request_of("x"))
    ended = FinalRecord(finish_reason="stop", usage=Usage(), timings=Timings())
    generation._record = ended  # as a reader sees it before the engine has told the model
    model.unload()
    assert room.resident == []


def test_model_that_goes_while_it_opens_says_so(
    fake: ModelManager, make_file: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fake.load(make_file("a"))
    fake.evict("a")
    monkeypatch.setattr(model._residence, "open", lambda _kind: None)
    with pytest.raises(ModelClosedError, match="unloaded meanwhile"):
        _ = model.engine


def test_counted_messages_have_the_bos_token_that_replies_have(
    fake: ModelManager, room: FakeRoom, make_file: MakeFile
) -> None:
    class WithBos(FakeVocabulary):
        bos = 1

        def tokenize(self, text: str, *, add_special: bool = True, **options: bool) -> list[int]:
            return [1] * add_special + super().tokenize(text, **options)

    model = fake.load(make_file("a"), chat_template="{{ messages[0].content }}")
    room.weights[-1].vocabulary = WithBos()
    model._info = INFO
    assert model.count_tokens([{"role": "user", "content": "four"}]) == 5


def test_load_works_under_a_tracer(fake: ModelManager, make_file: MakeFile) -> None:
    def trace(*_: Any) -> Any:
        return trace

    before, path = sys.gettrace(), make_file("a")
    sys.settrace(trace)
    try:
        assert fake.load(path, n_ctx=64).name == "a"
    finally:
        sys.settrace(before)
