"""The manager under any order of load, use, evict, expire, unload and close."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from llamanb.engine.values import EngineRequest
from llamanb.errors import (
    InsufficientMemoryError,
    ModelBusyError,
    ModelClosedError,
    ModelLoadError,
)
from llamanb.models import ModelManager
from llamanb.models.admission import MemorySource
from tests.models.fakes import FakeClock, FakeRoom
from tests.models.gguf_bytes import Recipe

if TYPE_CHECKING:
    from llamanb.engine import Generation
    from llamanb.models import Model
    from llamanb.models.shared import Hold

MIB = 1 << 20
INDEX = st.integers(0, 5)
NAMES = st.sampled_from(["one", "two", "three"])
REFUSALS = (InsufficientMemoryError, ModelBusyError, ModelLoadError)
REQUEST = EngineRequest(prompt_tokens=(104, 105))


class ManagerMachine(RuleBasedStateMachine):
    """Two files, three names, two sizes of context, and memory for about three models."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.room, self.clock = FakeRoom(), FakeClock()
        memory = MemorySource(available=lambda: 5 * MIB, total=lambda: 8 * MIB)
        self.manager = ModelManager(room=self.room, memory=memory, clock=self.clock)
        self.manager._timer.stop()
        self.models: list[Model] = []
        self.running: list[tuple[Model, Generation]] = []
        for name in ("a", "b"):
            Path(self.folder.name, f"{name}.gguf").write_bytes(Recipe().encode())

    def teardown(self) -> None:
        self.manager.close()
        assert self.room.resident == []
        assert self.manager._desk._stores.total_bytes() == 0
        self.folder.cleanup()

    # ---- what users do ---------------------------------------------------------------------

    @rule(
        file=st.sampled_from("ab"),
        name=st.none() | NAMES,
        n_ctx=st.sampled_from([64, 128]),
        pin=st.none() | st.booleans(),
        ttl=st.none() | st.just(10),
        reload=st.booleans(),
        fails=st.integers(0, 5).map(lambda number: number == 0),
        uses=st.booleans(),
    )
    def load(
        self,
        *,
        file: str,
        name: str | None,
        n_ctx: int,
        pin: bool | None,
        ttl: int | None,
        reload: bool,
        fails: bool,
        uses: bool,
    ) -> None:
        self.room.failures = int(fails)
        path = Path(self.folder.name, f"{file}.gguf")
        with suppress(*REFUSALS):
            model = self.manager.load(path, name=name, n_ctx=n_ctx, pin=pin, ttl=ttl, reload=reload)
            assert self.manager[model.name] is model
            assert model.state in ("idle", "busy")
            if model not in self.models:
                self.models.append(model)
            if uses:
                self.running.append((model, model.submit(REQUEST)))
        self.room.failures = 0

    def _pick(self, index: int) -> Model:
        return list(self.manager.values())[index % len(self.manager)]

    @precondition(lambda self: len(self.manager) > 0)
    @rule(index=INDEX)
    def use(self, index: int) -> None:
        model = self._pick(index)
        with suppress(*REFUSALS):
            self.running.append((model, model.submit(REQUEST)))

    @precondition(lambda self: len(self.models) > 0)
    @rule(index=INDEX)
    def use_an_old_handle(self, index: int) -> None:
        model = self.models[index % len(self.models)]
        if model.state == "closed":
            with pytest.raises(ModelClosedError):
                model.submit(REQUEST)

    @rule()
    def answer(self) -> None:
        for engine in self.room.engines:
            engine.finish_all()

    @precondition(lambda self: len(self.manager) > 0)
    @rule(index=INDEX, force=st.booleans())
    def unload(self, *, index: int, force: bool) -> None:
        model = self._pick(index)
        was_busy = model.busy
        try:
            self.manager.unload(model.name, force=force)
        except ModelBusyError:
            assert was_busy
            assert not force
        else:
            assert model.name not in self.manager
            assert force or not was_busy

    @precondition(lambda self: len(self.manager) > 1)
    @rule(index=INDEX)
    def close(self, index: int) -> None:
        model = self._pick(index)
        model.close()
        assert model.state == "closed"

    @precondition(lambda self: len(self.manager) > 0)
    @rule(index=INDEX)
    def evict(self, index: int) -> None:
        model = self._pick(index)
        was_busy = model.busy
        assert not (self.manager.evict(model) and was_busy)

    @precondition(lambda self: len(self.manager) > 0)
    @rule(index=INDEX, is_pinned=st.booleans())
    def pin(self, *, index: int, is_pinned: bool) -> None:
        (self.manager.pin if is_pinned else self.manager.unpin)(self._pick(index))

    @rule(seconds=st.integers(1, 20))
    def wait(self, seconds: int) -> None:
        pinned = {row.name for row in self.manager.ps() if row.is_pinned}
        self.clock.advance(seconds)
        assert pinned.isdisjoint(self.manager.expire())

    @rule(count=st.none() | st.integers(1, 3))
    def limit(self, count: int | None) -> None:
        self.manager.configure(max_models=count)

    # ---- what always holds -----------------------------------------------------------------

    def _claims(self) -> list[Hold[object]]:
        return [
            hold for entry in self.manager._registry.entries() for hold in entry.residence.holds()
        ]

    @invariant()
    def every_name_is_that_of_its_model(self) -> None:
        names = list(self.manager)
        assert len(names) == len(set(names))
        assert all(self.manager[name].name == name for name in names)

    @invariant()
    def busy_models_are_resident(self) -> None:
        self.running = [pair for pair in self.running if not pair[1].done]
        for model, _ in self.running:
            assert model.state == "busy"
            assert self.manager[model.name] is model
            assert model.engine.status().state == "ready"
            assert not model._residence.weights().closed

    @invariant()
    def every_request_is_one_lease(self) -> None:
        for model in self.models:
            running = sum(model is other for other, generation in self.running)
            assert model._residence.leases == running

    @invariant()
    def memory_is_the_sum_of_what_is_held(self) -> None:
        held = {hold.key: hold.n_bytes for hold in self._claims()}
        assert self.manager._desk._stores.total_bytes() == sum(held.values())

    @invariant()
    def shared_things_know_their_holders(self) -> None:
        claims = self._claims()
        for hold in claims:
            assert hold.holders == sum(other.key == hold.key for other in claims)

    @invariant()
    def nothing_is_loaded_that_nobody_holds(self) -> None:
        entries = self.manager._registry.entries()
        weights = {e.residence.plan.weights_key for e in entries if e.residence.holds()}
        assert len(self.room.resident) == len(weights)


ManagerMachine.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
TestManagerInAnyOrder = ManagerMachine.TestCase
