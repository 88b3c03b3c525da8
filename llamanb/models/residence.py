"""One model's place in memory: opened when needed, evicted when idle, leased in use."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol

from llamanb.engine import FinalRecord
from llamanb.errors import ModelBusyError, ModelClosedError, ModelLoadTimeout
from llamanb.models.plan import check_kind
from llamanb.models.preflight import ModelKind, check_unchanged
from llamanb.models.progress import Progress, load_bar
from llamanb.models.shared import SharedStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llamanb.engine import (
        EmbeddingEngine,
        EngineRequest,
        Generation,
        LoadedModel,
        Piece,
        RerankEngine,
        TextEngine,
    )
    from llamanb.models.plan import LoadPlan
    from llamanb.models.shared import Hold
    from llamanb.settings import ContextSettings

__all__ = ["EngineRoom", "Residence", "State", "Stores"]

State = Literal["loading", "idle", "busy", "evicted", "closed"]


class EngineRoom(Protocol):
    """What is needed of :mod:`llamanb.engine`, which satisfies it as a module."""

    def load_weights(self, path: str, settings: Any, **options: Any) -> LoadedModel:
        """Put weights into memory."""

    def open_engine(self, loaded: LoadedModel, settings: ContextSettings) -> TextEngine:
        """Make a context that writes."""

    def open_embedding_engine(
        self, loaded: LoadedModel, settings: ContextSettings
    ) -> EmbeddingEngine:
        """Make a context that turns texts into vectors."""

    def open_rerank_engine(self, loaded: LoadedModel, settings: ContextSettings) -> RerankEngine:
        """Make a context that tells how well documents answer a query."""

    def check_process(self) -> None:
        """Raise ForkedProcessError in a child made by os.fork."""


class Stores:
    """The weights and contexts that all models of a manager share."""

    def __init__(self) -> None:
        self.weights: SharedStore[LoadedModel] = SharedStore(_close, _is_open)
        self.contexts: SharedStore[Any] = SharedStore(_close, _is_alive)

    def total_bytes(self) -> int:
        """Sum what is resident or being loaded, in bytes."""
        return self.weights.total_bytes() + self.contexts.total_bytes()


def _close(thing: Any) -> None:
    thing.close()


def _is_open(loaded: LoadedModel) -> bool:
    return not loaded.closed


def _is_alive(engine: Any) -> bool:
    return engine.status().state in ("ready", "busy")


class Admission(Protocol):
    """Decides whether a context may be opened, and makes room for it."""

    def __call__(self, residence: Residence, kind: Kind) -> Admitted:
        """Reserve weights and context, or raise InsufficientMemoryError."""


Kind = ModelKind
Admitted = tuple["Hold[LoadedModel]", "Hold[Any]", "ContextSettings"]


class Residence:
    """Stages: new → open ⇄ evicted → closed.

    ``_gate`` is held while contexts are opened or given back, which may take long;
    ``_use`` guards the count of leases and is never held for long. The engine's
    thread takes only ``_use``.
    """

    def __init__(
        self,
        name: str,
        plan: LoadPlan,
        room: EngineRoom,
        admit: Admission,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.plan, self._room, self._admit, self._clock = plan, room, admit, clock
        self._gate = threading.RLock()
        self._use = threading.Lock()
        self._leases = 0
        self._is_loading = False
        self._is_closed = False
        self._weights: Hold[LoadedModel] | None = None
        self._contexts: dict[Kind, Hold[Any]] = {}
        self._running: set[Generation] = set()
        self.last_used = clock()
        self.was_ever_open = False

    # ---- what it is now --------------------------------------------------------------

    @property
    def state(self) -> State:
        """What it is doing, without waiting for anything."""
        if self._is_closed:
            return "closed"
        if self._is_loading:
            return "loading"
        if self._weights is None:
            return "evicted"
        return "busy" if self._leases else "idle"

    @property
    def leases(self) -> int:
        """How many requests and others use it at this moment."""
        return self._leases

    @property
    def idle_s(self) -> float:
        """Seconds since the last request began or ended; 0 while one runs."""
        return 0.0 if self._leases else max(0.0, self._clock() - self.last_used)

    def holds(self) -> list[Hold[Any]]:
        """Give the shared things it claims now."""
        held = [self._weights, *list(self._contexts.values())]
        return [hold for hold in held if hold is not None]

    def context(self, kind: Kind = "text") -> Any | None:
        """Give the open context of a kind, without opening one."""
        hold = self._contexts.get(kind)
        return None if hold is None else hold.value

    # ---- leases ------------------------------------------------------------------------

    @contextmanager
    def lease(self) -> Iterator[None]:
        """Keep the model from being evicted inside the block."""
        self._begin()
        try:
            yield
        finally:
            self._end()

    def _begin(self) -> None:
        self._room.check_process()
        with self._use:
            if self._is_closed:
                raise ModelClosedError(
                    f"model {self.name!r} was closed or unloaded; "
                    f"load it again: llamanb.load({self.plan.header.path!r})"
                )
            self._leases += 1
            self.last_used = self._clock()

    def _end(self, generation: Generation | None = None) -> None:
        with self._use:
            if generation is not None:
                self._running.discard(generation)
            self._leases -= 1
            self.last_used = self._clock()

    # ---- use ---------------------------------------------------------------------------

    def weights(self) -> LoadedModel:
        """Give the weights, loaded again if they were evicted. Call within a lease."""
        if self._weights is None or self._weights.value is None:
            self.open()
        hold = self._weights
        if hold is None or hold.value is None:
            raise ModelClosedError(f"model {self.name!r} was unloaded meanwhile")
        return hold.value

    def engine(self, kind: Kind) -> Any:
        """Give the context of a kind, opened if needed. Call within a lease."""
        context = self.context(kind)
        if context is None or not _is_alive(context):
            self.open(kind)
            context = self.context(kind)
        if context is None:
            raise ModelClosedError(f"model {self.name!r} was unloaded meanwhile")
        return context

    def submit(self, request: EngineRequest) -> Generation:
        """Start a request; the model is leased until it ends."""
        self._begin()
        try:
            generation: Generation = self.engine("text").submit(request)
        except BaseException:
            self._end()
            raise
        with self._use:
            self._running.add(generation)

        def watch(value: Piece | FinalRecord) -> None:
            if isinstance(value, FinalRecord):
                self._end(generation)

        generation.subscribe(watch, reads=False)
        return generation

    # ---- opening -----------------------------------------------------------------------

    def open(
        self,
        kind: Kind | None = None,
        *,
        timeout_s: float | None = None,
        started: float | None = None,
        progress: Progress = False,
    ) -> None:
        """Load the weights and make the context, as far as they are not there.

        ``timeout_s`` counts seconds from ``started`` (``time.monotonic()``), or now.

        Raises
        ------
        InsufficientMemoryError, ModelLoadError, ModelLoadTimeout, ModelClosedError
            Nothing stays in memory that was not there before.
        """
        began = time.monotonic() if started is None else started
        deadline = None if timeout_s is None else began + timeout_s
        left = _left(deadline)
        if not self._gate.acquire(timeout=-1 if left is None else left):
            raise self._too_late(timeout_s)
        try:
            self._open_gated(kind or self.main_kind, deadline, progress=progress)
        except TimeoutError:
            raise self._too_late(timeout_s) from None
        finally:
            self._is_loading = False
            self._gate.release()

    @property
    def main_kind(self) -> Kind:
        """The kind of context that is opened when the model is loaded."""
        return self.plan.kind

    def _too_late(self, timeout_s: float | None) -> ModelLoadTimeout:
        shown = timeout_s or 0.0
        kept = "nothing was kept" if self._weights is None else "it stays in memory as it was"
        return ModelLoadTimeout(
            f"loading {self.plan.header.path} took longer than {shown:g} s; {kept}, "
            "try again with a larger timeout",
            timeout_s=shown,
        )

    def _open_gated(self, kind: Kind, deadline: float | None, *, progress: Progress) -> None:
        if self._is_closed:
            raise ModelClosedError(f"model {self.name!r} was unloaded meanwhile")
        context = self.context(kind)
        if context is not None and _is_alive(context):
            return
        check_kind(self.name, self.plan, kind)
        self._is_loading = self._weights is None
        weights, hold, settings = self._admit(self, kind)
        try:
            loaded = weights.open(self._loader(deadline, progress=progress), _left(deadline))
            hold.open(lambda: self._make_context(kind, loaded, settings), _left(deadline))
        except BaseException:
            hold.release()
            weights.release()
            raise
        self._keep(kind, weights, hold)

    def _loader(self, deadline: float | None, *, progress: Progress) -> Callable[[], LoadedModel]:
        def load() -> LoadedModel:
            plan = self.plan
            check_unchanged(plan.header, plan.identity)
            with load_bar(self.name, progress=progress) as show:
                return self._room.load_weights(
                    plan.header.path,
                    plan.request.weights,
                    on_progress=show,
                    timeout_s=_left(deadline),
                )

        return load

    def _make_context(self, kind: Kind, loaded: LoadedModel, settings: ContextSettings) -> Any:
        if kind == "text":
            return self._room.open_engine(loaded, settings)
        if kind == "rerank":
            return self._room.open_rerank_engine(loaded, settings)
        return self._room.open_embedding_engine(loaded, settings)

    def _keep(self, kind: Kind, weights: Hold[LoadedModel], hold: Hold[Any]) -> None:
        dead, self._contexts[kind] = self._contexts.get(kind), hold
        old, self._weights = self._weights, weights
        self.was_ever_open = True
        self.last_used = self._clock()
        _release([outdated for outdated in (dead, old) if outdated is not None])

    # ---- leaving -----------------------------------------------------------------------

    def evict(self) -> bool:
        """Give the memory back if nobody uses it; the next use loads it again."""
        if not self._gate.acquire(blocking=False):
            return False
        try:
            taken = self._take_holds(force=False)
            _release(taken)
            return bool(taken)
        except ModelBusyError:
            return False
        finally:
            self._gate.release()

    def reload(self, plan: LoadPlan, *, seconds_left: float | None = None) -> None:
        """Give the memory back and follow another plan from the next use on.

        Raises
        ------
        ModelBusyError
            If a request runs.
        ModelLoadTimeout
            If there is no time left to load it again; it stays in memory.
        """
        if seconds_left is not None and seconds_left <= 0:
            raise self._too_late(plan.request.timeout_s)
        with self._gate:
            _release(self._take_holds(force=False))
            self.plan = plan

    def close(self, *, force: bool) -> None:
        """Give the memory back for good.

        Raises
        ------
        ModelBusyError
            If a request runs and ``force`` is False.
        """
        with self._use:
            if not force:
                self._refuse_if_busy()
            self._is_closed = True
            running = list(self._running)
        for generation in running:
            generation.cancel()
        with self._gate:
            _release(self._take_holds(force=True))

    def _refuse_if_busy(self) -> None:
        """Call with ``_use`` held, so that no request begins in between."""
        # one that is done counts as over although the engine's thread has not said so yet
        n_busy = self._leases - sum(generation.done for generation in self._running)
        if n_busy:
            raise ModelBusyError(
                f"model {self.name!r} is answering {n_busy} request(s); "
                "wait for them, cancel them, or use force=True"
            )

    def _take_holds(self, *, force: bool) -> list[Hold[Any]]:
        """Take the claims away, contexts first."""
        with self._use:
            if not force:
                self._refuse_if_busy()
            contexts, self._contexts = list(self._contexts.values()), {}
            weights, self._weights = self._weights, None
        return [*contexts, *([weights] if weights is not None else [])]


def _release(holds: list[Hold[Any]]) -> None:
    for hold in holds:
        hold.release()


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
