"""The kernel's one list of models: load, find, evict, unload."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, cast

from llamanb import engine
from llamanb.errors import ModelBusyError, ModelClosedError, OptionError, UnknownModelError
from llamanb.models.admission import Desk, MemorySource
from llamanb.models.finding import Finder
from llamanb.models.model import Model
from llamanb.models.plan import LoadRequest, read_bytes, read_seconds
from llamanb.models.probe import check_by_loading
from llamanb.models.registry import Entry, Registry
from llamanb.models.residence import EngineRoom, Residence, Stores
from llamanb.models.sources import suggest
from llamanb.models.table import ModelTable, row_of
from llamanb.models.timer import ExpiryThread
from llamanb.settings import read_environment

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from llamanb.models.plan import LoadPlan
    from llamanb.settings import FlashAttention, KvType, Pooling

__all__ = ["ModelManager"]

UNSET: Any = object()


class ModelManager(Mapping[str, Model]):
    """Every model of this kernel by name; shows as a table.

    Loading the same file with the same options gives the same :class:`Model`;
    other options give another context over the same weights. Idle models are
    evicted after their ``ttl``, and least recently used first when memory is
    short; pinned and busy ones never.

    Examples
    --------
    >>> llamanb.models["demo"].generate("Hello", max_tokens=5)
    >>> llamanb.models.configure(max_memory="50%", ttl="30m")
    """

    def __init__(
        self,
        *,
        room: EngineRoom | None = None,
        memory: MemorySource | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._room = room or cast("EngineRoom", engine)
        self._finder = Finder(check_by_loading if room is None else None)
        self._clock = clock
        self._registry = Registry()
        self._default: str | None = None
        self._ttl_s: float | None = None
        self._desk = Desk(
            Stores(), memory or MemorySource(), self._idle_first, self._count_others_resident
        )
        self._timer = ExpiryThread(self.expire, self._next_expiry)
        self.configure(max_memory="80%")

    # ---- loading -----------------------------------------------------------------------

    def load(
        self,
        model: str | os.PathLike[str] | Model | None = None,
        *,
        name: str | None = None,
        n_ctx: int | None = None,
        n_seq_max: int | None = None,
        n_threads: int | None = None,
        n_threads_batch: int | None = None,
        n_batch: int = 2048,
        n_ubatch: int = 512,
        kv_unified: bool = False,
        n_gpu_layers: int = -1,
        split_mode: str = "layer",
        main_gpu: int = 0,
        devices: None = None,
        use_mmap: bool = True,
        use_mlock: bool = False,
        flash_attn: FlashAttention = "auto",
        type_k: KvType = "f16",
        type_v: KvType = "f16",
        embedding: bool | None = None,
        pooling: Pooling | None = None,
        chat_template: str | None = None,
        mmproj: None = None,
        lora: None = None,
        ttl: float | str | None = None,
        pin: bool | None = None,
        revision: str | None = None,
        token: str | None = None,
        progress: bool = True,
        timeout: float | None = None,
        reload: bool = False,
        trust: Literal["check", "trusted"] = "check",
    ) -> Model:
        """Give a model, loaded if it is not resident yet.

        Parameters
        ----------
        model : path, alias, ``"demo"``, ``"org/repo:QUANT"``, ``"org/repo/file.gguf"`` or
            the name of a downloaded file; None gives the default model.
        name : what to call it; the file's name otherwise.
        n_ctx : tokens per sequence; 4,096 or less by default (training, memory).
        n_seq_max : requests answered at the same time; 4, or fewer if memory is short.
        ttl : seconds (or ``"30m"``) without a request after which it is evicted.
        pin : never evict it.
        timeout : seconds that loading may take.
        reload : load it anew although it is resident.
        trust : ``"trusted"`` skips the trial load of a file that is new here.

        Raises
        ------
        ModelNotFoundError, ModelFileError, HubError, OptionError
            The file, or an option, is not usable.
        InsufficientMemoryError
            Names the largest ``n_ctx`` that would fit.
        ModelLoadError, ModelLoadTimeout, ModelBusyError
            Nothing new stays in memory.
        """
        options = {key: value for key, value in locals().items() if key not in ("self", "model")}
        self._room.check_process()
        if isinstance(model, Model):
            return model
        spec = self._default_spec() if model is None else model
        return self._load(LoadRequest.read(spec, options))

    def _load(self, request: LoadRequest) -> Model:
        while True:
            entry = self._find_or_add(request)
            try:
                self._open(entry, request)
            except ModelClosedError:
                # another thread's load of it failed, or it was unloaded meanwhile
                self._registry.remove(entry)
                continue
            if not entry.model.is_embedding:
                self._default = entry.model.name
            return entry.model

    def _find_or_add(self, request: LoadRequest) -> Entry:
        resident = {entry.model.name: entry.model.path for entry in self._registry.entries()}
        plan = self._finder.plan(request, resident)
        entry = self._registry.find(plan)
        if entry is not None and request.reload:
            entry.residence.reload(plan)
        while entry is None:
            self._remove_rival(plan)
            entry = self._registry.add(plan, lambda name: self._make(name, plan))
        self._apply(entry, request)
        return entry

    def _open(self, entry: Entry, request: LoadRequest) -> None:
        try:
            entry.residence.open(
                timeout_s=request.timeout_s, started=request.started, progress=request.progress
            )
        except BaseException:
            if not entry.residence.was_ever_open:
                self._forget(entry)
            raise
        self._timer.wake()

    def _remove_rival(self, plan: LoadPlan) -> None:
        rival = self._registry.rival(plan)
        if rival is not None:
            self._close(rival, force=False)

    def _make(self, name: str, plan: LoadPlan) -> Entry:
        residence = Residence(plan, self._room, self._desk.admit, self._clock)
        model = Model(name, residence, self._close_model)
        return Entry(model=model, residence=residence)

    def _apply(self, entry: Entry, request: LoadRequest) -> None:
        if request.ttl_s is not None:
            entry.ttl_s = request.ttl_s
        if request.pin is not None:
            entry.is_pinned = request.pin

    # ---- letting go --------------------------------------------------------------------

    def unload(self, name: str | Model | None = None, *, force: bool = False) -> None:
        """Give the memory of a model back and forget it; without a name, of every model.

        Raises
        ------
        UnknownModelError
            If there is no such model.
        ModelBusyError
            If one is answering a request and ``force`` is False; idle ones are unloaded.
        """
        if name is not None:
            self._close(self._entry(name), force=force)
            return
        busy: ModelBusyError | None = None
        for entry in self._registry.entries():
            try:
                self._close(entry, force=force)
            except ModelBusyError as error:
                busy = error
        if busy is not None:
            raise busy

    def _close_model(self, model: Model, force: bool) -> None:  # noqa: FBT001  # a callback
        entry = self._registry.get(model.name)
        if entry is not None and entry.model is model:
            self._close(entry, force=force)

    def _close(self, entry: Entry, *, force: bool) -> None:
        entry.residence.close(force=force)
        self._forget(entry)

    def _forget(self, entry: Entry) -> None:
        """Take an entry out of the table; nobody can open it again."""
        entry.residence.close(force=True)
        self._registry.remove(entry)
        if self._default == entry.model.name:
            self._default = None

    def evict(self, name: str | Model) -> bool:
        """Give the memory of an idle model back; its next use loads it again.

        Returns
        -------
        False if it is busy, or was not in memory.
        """
        return self._entry(name).residence.evict()

    # ---- rules -------------------------------------------------------------------------

    def configure(
        self,
        *,
        max_memory: float | str | None = UNSET,
        max_models: int | None = UNSET,
        ttl: float | str | None = UNSET,
    ) -> None:
        """Set what all models may take, and how long an idle one stays.

        Parameters
        ----------
        max_memory : bytes, ``"8GiB"``, or a share of all memory such as ``"80%"``.
        max_models : how many may be resident; None for any number.
        ttl : seconds or ``"30m"`` for models that were loaded without one; None for ever.

        Raises
        ------
        OptionError
            If a value cannot be read.
        """
        limits = self._desk.limits
        if max_memory is not UNSET:
            total = self._desk.total_bytes()
            n_bytes = None if max_memory is None else read_bytes("max_memory", max_memory, total)
            limits = replace(limits, max_memory_bytes=n_bytes)
        if max_models is not UNSET:
            limits = replace(limits, max_models=_checked_count(max_models))
        if ttl is not UNSET:
            self._ttl_s = read_seconds("ttl", ttl)
        self._desk.limits = limits
        self._timer.wake()

    def pin(self, name: str | Model) -> None:
        """Never evict that model."""
        self._entry(name).is_pinned = True

    def unpin(self, name: str | Model) -> None:
        """Let that model be evicted again when it is idle."""
        self._entry(name).is_pinned = False
        self._timer.wake()

    def alias(self, name: str, target: str | os.PathLike[str] | None) -> None:
        """Let ``load(name)`` mean ``load(target)``; None takes the alias away."""
        self._finder.set_alias(name, target)

    @property
    def aliases(self) -> dict[str, str]:
        """Every alias and what it means."""
        return dict(self._finder.aliases)

    @property
    def default(self) -> Model:
        """The model used when none is named: the last one loaded or chosen.

        Without any, ``LLAMANB_MODEL`` or else the bundled demo model is loaded.
        Assign a model or its name to choose another.
        """
        entry = self._registry.get(self._default) if self._default is not None else None
        return entry.model if entry is not None else self.load()

    @default.setter
    def default(self, model: str | Model) -> None:
        self._default = self._entry(model).model.name

    def _default_spec(self) -> str:
        """Name what ``load()`` loads: the default, else any writer, else the demo."""
        writers = [entry for entry in self._registry.entries() if not entry.model.is_embedding]
        chosen = [entry for entry in writers if entry.model.name == self._default] or writers[-1:]
        if chosen:
            return chosen[0].model.path
        return read_environment().model or "demo"

    # ---- evicting ----------------------------------------------------------------------

    def expire(self) -> list[str]:
        """Evict every model whose time without a request has run out; give their names.

        The thread ``llamanb-models`` calls this at the right moments.
        """
        due = [entry for entry in self._registry.entries() if self._seconds_left(entry) == 0.0]
        return [entry.model.name for entry in due if entry.residence.evict()]

    def _seconds_left(self, entry: Entry) -> float | None:
        ttl_s = self._ttl_s if entry.ttl_s is None else entry.ttl_s
        if ttl_s is None or entry.is_pinned or not entry.is_resident:
            return None
        if entry.residence.leases:
            return ttl_s
        return max(0.0, ttl_s - entry.residence.idle_s)

    def _next_expiry(self) -> float | None:
        waits = [self._seconds_left(entry) for entry in self._registry.entries()]
        return min((wait for wait in waits if wait is not None), default=None)

    def _idle_first(self, wanted: Residence) -> list[Residence]:
        """Give what may be evicted for ``wanted``, the longest unused first."""
        idle = [
            entry.residence
            for entry in self._registry.entries()
            if entry.residence is not wanted
            and not entry.is_pinned
            and entry.residence.state == "idle"
        ]
        return sorted(idle, key=lambda residence: residence.last_used)

    def _count_others_resident(self, wanted: Residence) -> int:
        others = (entry for entry in self._registry.entries() if entry.residence is not wanted)
        return sum(entry.residence.state in ("idle", "busy", "loading") for entry in others)

    # ---- looking -----------------------------------------------------------------------

    def _entry(self, name: str | Model) -> Entry:
        key = name.name if isinstance(name, Model) else name
        entry = self._registry.get(key)
        if entry is None:
            names = self._registry.names()
            near = suggest(str(key), names)
            shown = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names)}"
            hint = shown if names else "none is loaded; llamanb.load(...) loads one"
            raise UnknownModelError(
                f"no model is called {key!r}; {hint}", name=str(key), resident=names
            )
        return entry

    def __getitem__(self, name: str) -> Model:
        return self._entry(name).model

    def __iter__(self) -> Iterator[str]:
        return iter(self._registry.names())

    def __len__(self) -> int:
        return len(self._registry.names())

    def __bool__(self) -> bool:
        return True

    def ps(self) -> ModelTable:
        """Give the table of models: memory, contexts, state, time to live, speed."""
        return ModelTable(
            row_of(entry, default=self._default, ttl_s=self._ttl_s)
            for entry in self._registry.entries()
        )

    def __repr__(self) -> str:
        return repr(self.ps())

    def _repr_html_(self) -> str:
        return self.ps()._repr_html_()

    def close(self) -> None:
        """Cancel everything, unload every model and end the thread."""
        self.unload(force=True)
        self._timer.stop()


def _checked_count(count: int | None) -> int | None:
    if count is not None and (type(count) is not int or count < 1):
        raise OptionError(f"max_models={count!r} is not possible: it must be at least 1, or None")
    return count
