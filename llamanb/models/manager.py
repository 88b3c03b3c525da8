"""The kernel's one list of models: load, find, evict, unload."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, cast

from llamanb import engine
from llamanb.errors import ModelBusyError, ModelClosedError, OptionError
from llamanb.models.admission import Desk, MemorySource
from llamanb.models.finding import Finder
from llamanb.models.model import Model
from llamanb.models.options import changed, checks_names
from llamanb.models.plan import LoadRequest, read_bytes, read_count, read_seconds
from llamanb.models.probe import check_by_loading
from llamanb.models.registry import Entry, Registry
from llamanb.models.residence import EngineRoom, Residence, Stores
from llamanb.models.table import ModelTable, row_of
from llamanb.models.timer import ExpiryThread
from llamanb.settings import read_environment

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from llamanb.models.plan import LoadPlan
    from llamanb.models.progress import Progress
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
            Stores(),
            memory or MemorySource(),
            self._registry.idle_first,
            self._registry.count_resident,
        )
        self._timer = ExpiryThread(self.expire, self._next_expiry)
        self.configure(max_memory="80%")

    # ---- loading -----------------------------------------------------------------------

    @checks_names
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
        progress: Progress = True,
        timeout: float | str | None = None,
        reload: bool = False,
        trust: Literal["check", "trusted"] = "check",
    ) -> Model:
        """Give a model, loaded if the same file is not resident with the same options.

        Parameters
        ----------
        model : path, alias, ``"demo"``, ``"org/repo:QUANT"``, ``"org/repo/file.gguf"`` or
            the name of a downloaded file; None gives the default model.
        name : what to call it; the file's name otherwise.
        n_ctx : tokens per sequence, prompt and answer together; None chooses what the
            model was trained on and memory allows, at most 4,096.
        n_seq_max : requests answered side by side; None: 4, or fewer if memory is short.
        n_threads, n_threads_batch : threads that write, and that read prompts; None
            leaves one core to the kernel.
        n_batch, n_ubatch : tokens of a prompt read in one step, logical and physical.
        kv_unified : let all sequences share one cache of tokens.
        n_gpu_layers, split_mode, main_gpu : layers on a GPU (-1: all), how several share
            them (``"layer"``, ``"row"``, ``"none"``), and the number of the first GPU.
        use_mmap, use_mlock : map the file instead of reading it; keep it from the swap.
        flash_attn : ``"auto"``, ``"on"`` or ``"off"``.
        type_k, type_v : numbers of the cache; ``"q8_0"`` takes half of ``"f16"``.
        embedding, pooling : True for vectors instead of text (None: as the file says);
            ``"mean"``, ``"cls"``, ``"last"``, ``"rank"`` or ``"none"``.
        chat_template : Jinja text instead of the file's own template.
        ttl : seconds (or ``"30m"``) without a request after which it is evicted.
        pin : True: never evict it.
        revision, token : branch or commit, and access token, of a hub model.
        progress : show a bar if it takes long, or a function of the part loaded, 0.0 to 1.0.
        timeout : seconds (or ``"2m"``) that loading may take; None for any time.
        reload : load it anew although it is resident.
        trust : ``"trusted"`` skips the trial load of a file that is new here.
        devices, mmproj, lora : not available yet.

        Raises
        ------
        ModelNotFoundError, ModelFileError, HubError, OptionError
            The file, or an option, is not usable.
        InsufficientMemoryError
            Names the largest ``n_ctx`` that would fit.
        ModelLoadError, ModelLoadTimeout, ModelBusyError
            Nothing new stays in memory.

        Examples
        --------
        >>> model = llamanb.load("demo", n_ctx=1024, ttl="30m")
        >>> model.generate("The sky is", max_tokens=8)
        """
        self._room.check_process()
        options = {k: v for k, v in dict(locals()).items() if k not in ("self", "model")}
        given = [option for option in changed(ModelManager.load, options) if option != "progress"]
        if isinstance(model, Model):
            return self._passed_through(model, given)
        entry = self._registry.writer(self._default) if model is None and not given else None
        if entry is not None:
            entry.residence.open(progress=progress)
            return entry.model
        spec = self._default_spec() if model is None else model
        return self._load(LoadRequest.read(spec, options))

    def _passed_through(self, model: Model, given: list[str]) -> Model:
        if given:
            raise OptionError(
                f"{model.name!r} is loaded already; to change {given[0]}= load its file: "
                f"llamanb.load({model.path!r}, {given[0]}=…)"
            )
        return self._registry.wanted(model).model

    def _load(self, request: LoadRequest) -> Model:
        while True:
            entry = self._find_or_add(request)
            try:
                self._open(entry, request)
            except ModelClosedError:
                # another thread's load of it failed, or it was unloaded meanwhile
                self._registry.remove(entry)
                continue
            if entry.model.can_write:
                self._default = entry.model.name
            return entry.model

    def _find_or_add(self, request: LoadRequest) -> Entry:
        resident = {entry.model.name: entry.model.path for entry in self._registry.entries()}
        plan = self._finder.plan(request, resident)
        entry = self._registry.find(plan)
        if entry is not None and request.reload:
            entry.residence.reload(plan, seconds_left=request.seconds_left)
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
        except BaseException as error:
            if not entry.residence.was_ever_open:
                self._forget(entry)
            elif entry.model.state == "evicted":
                name = entry.model.name
                error.add_note(f"{name!r} is out of memory now; its next use loads it again")
            raise
        self._timer.wake()

    def _remove_rival(self, plan: LoadPlan) -> None:
        rival = self._registry.rival(plan)
        if rival is not None:
            self._close(rival, force=False)

    def _make(self, name: str, plan: LoadPlan) -> Entry:
        residence = Residence(name, plan, self._room, self._desk.admit, self._clock)
        model = Model(residence, self._close_model)
        return Entry(model=model, residence=residence)

    def _apply(self, entry: Entry, request: LoadRequest) -> None:
        if request.ttl_s is not None:
            entry.ttl_s = request.ttl_s
        if request.pin is not None:
            entry.is_pinned = request.pin

    # ---- letting go --------------------------------------------------------------------

    @checks_names
    def unload(self, name: str | Model | None = None, *, force: bool = False) -> None:
        """Give the memory of a model back and forget it; without a name, of every model.

        Raises
        ------
        UnknownModelError
            If there is no such model.
        ModelBusyError
            If one is answering a request and ``force`` is False; idle ones are unloaded.
        """
        if isinstance(name, Model):
            self._close_model(name, force)
            return
        if name is not None:
            self._close(self._registry.wanted(name), force=force)
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
        return self._registry.wanted(name).residence.evict()

    # ---- rules -------------------------------------------------------------------------

    @checks_names
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
            limits = replace(limits, max_models=read_count("max_models", max_models))
        if ttl is not UNSET:
            self._ttl_s = read_seconds("ttl", ttl)
        self._desk.limits = limits
        self._timer.wake()

    def pin(self, name: str | Model) -> None:
        """Never evict that model."""
        self._registry.wanted(name).is_pinned = True

    def unpin(self, name: str | Model) -> None:
        """Let that model be evicted again when it is idle."""
        self._registry.wanted(name).is_pinned = False
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
        self._default = self._registry.wanted(model).model.name

    def _default_spec(self) -> str:
        """Name what ``load()`` loads: the default, else any writer, else the demo."""
        entry = self._registry.writer(self._default)
        return entry.model.path if entry is not None else read_environment().model or "demo"

    # ---- evicting ----------------------------------------------------------------------

    def expire(self) -> list[str]:
        """Evict every model whose time without a request has run out; give their names.

        The thread ``llamanb-models`` calls this at the right moments.
        """
        entries = self._registry.entries()
        due = [entry for entry in entries if entry.seconds_left(self._ttl_s) == 0.0]
        return [entry.model.name for entry in due if entry.residence.evict()]

    def _next_expiry(self) -> float | None:
        waits = [entry.seconds_left(self._ttl_s) for entry in self._registry.entries()]
        return min((wait for wait in waits if wait is not None), default=None)

    # ---- looking -----------------------------------------------------------------------

    def __getitem__(self, name: str) -> Model:
        return self._registry.wanted(name).model

    def __iter__(self) -> Iterator[str]:
        return iter(self._registry.names())

    def __len__(self) -> int:
        return len(self._registry.names())

    def __bool__(self) -> bool:
        return True

    @checks_names
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
