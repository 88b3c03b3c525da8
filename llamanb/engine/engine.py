"""One generation context and its life: requests in, generations out.

The work is done by :class:`~llamanb.engine.scheduler.Scheduler` on the compute
thread; this class is what clients on other threads hold.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Literal, Protocol

from llamanb.engine.compute import ComputeThread, compute_thread
from llamanb.engine.constraint import GrammarCompiler
from llamanb.engine.context import NativeContext
from llamanb.engine.generation import Generation
from llamanb.engine.native import check_process
from llamanb.engine.scheduler import Scheduler
from llamanb.engine.sequences import Run
from llamanb.engine.text import TextStitcher
from llamanb.engine.values import EngineRequest, EngineStatus
from llamanb.errors import ContextLengthError, EngineDead, ModelClosedError, OptionError
from llamanb.settings import MAX_SEED, ContextSettings

if TYPE_CHECKING:
    from llamanb.engine.weights import LoadedModel

__all__ = ["Engine", "TextEngine", "open_engine"]


class TextEngine(Protocol):
    """What the rooms above need of an engine, wherever it runs."""

    n_ctx: int
    n_seq_max: int

    @property
    def busy(self) -> bool:
        """Whether a request runs or waits."""

    def submit(self, request: EngineRequest) -> Generation:
        """Start a request."""

    def status(self) -> EngineStatus:
        """Give a snapshot."""

    def close(self, timeout_s: float = 5.0) -> None:
        """End everything and give the memory back."""


def open_engine(loaded: LoadedModel, settings: ContextSettings) -> Engine:
    """Make a generation context over loaded weights.

    Raises
    ------
    ModelLoadError
        If llama.cpp refuses the settings.
    EngineDead, ModelClosedError, ForkedProcessError
    """
    thread = compute_thread()
    context = thread.call(lambda: NativeContext(loaded, settings))
    engine = Engine(loaded, context, settings)
    thread.add(engine)
    loaded.add_context(engine)
    return engine


class Engine:
    """Stages: ready ⇄ busy → closed, or dead once native code aborted in a step.

    Attributes
    ----------
    n_ctx : tokens that one sequence can hold, prompt and answer together.
    n_seq_max : requests that run at the same time; more wait in order.
    """

    def __init__(
        self, loaded: LoadedModel, context: NativeContext, settings: ContextSettings
    ) -> None:
        self._loaded, self._context = loaded, context
        self._grammars = GrammarCompiler(loaded.vocabulary)
        self.n_ctx, self.n_seq_max = context.n_ctx, settings.n_seq_max
        self._scheduler = Scheduler(
            loaded, context, settings.n_seq_max, unified=settings.kv_unified
        )
        self._over: Literal["", "dead", "closed"] = ""
        self._death = ""
        self._thread = compute_thread()

    # ---- for clients, from any thread --------------------------------------------

    def submit(self, request: EngineRequest) -> Generation:
        """Check a request here and now, and queue it.

        Raises
        ------
        OptionError, GrammarError
            Token ids, sampling options or the constraint cannot work.
        ContextLengthError
            The prompt leaves no room for an answer.
        QueueFullError, EngineDead, ModelClosedError, ForkedProcessError
        """
        check_process()
        self._refuse_if_over()
        run = self._prepare(request)
        self._scheduler.enqueue(run)
        if self._over:  # closed meanwhile: nobody will step it any more
            self._scheduler.end_all("error", self._over_error())
        self._thread.wake()
        return run.generation

    @property
    def busy(self) -> bool:
        """Whether a request runs or waits."""
        return self._scheduler.n_waiting > 0 or self._scheduler.n_running > 0

    def status(self) -> EngineStatus:
        """Give a snapshot."""
        state: Literal["ready", "busy"] = "busy" if self.busy else "ready"
        return EngineStatus(
            state=self._over or state,
            n_ctx=self.n_ctx,
            n_seq_max=self.n_seq_max,
            running=self._scheduler.n_running,
            waiting=self._scheduler.n_waiting,
            used=self._scheduler.used,
            tokens_per_s=self._scheduler.pace.tokens_per_s,
        )

    def close(self, timeout_s: float = 5.0) -> None:
        """Cancel everything and free the context; harmless when repeated.

        Raises
        ------
        TimeoutError
            If the compute thread did not come back within ``timeout_s`` seconds.
        """
        if self._over:
            return
        self._over = "closed"
        self.interrupt()
        self._thread.remove(self)
        if self._thread.usable:
            self._thread.call(self._free, timeout_s)
        self._loaded.remove_context(self)

    # ---- checking ------------------------------------------------------------------

    def _prepare(self, request: EngineRequest) -> Run:
        self._loaded.vocabulary.check(request.prompt_tokens)
        self._check_length(request)
        sampling = request.sampling
        seed = secrets.randbelow(MAX_SEED) if sampling.seed is None else sampling.seed
        constraint = request.constraint
        return Run(
            generation=Generation(request, self._on_cancel),
            tokens=list(request.prompt_tokens),
            n_prompt=len(request.prompt_tokens),
            seed=seed,
            n_limit=self._limit(request),
            stitcher=TextStitcher(sampling.stop),
            constraint=None if constraint is None else self._grammars.compile(constraint),
        )

    def _check_length(self, request: EngineRequest) -> None:
        n_prompt = len(request.prompt_tokens)
        if n_prompt == 0:
            raise OptionError("the prompt is empty: it has no tokens to continue from")
        if n_prompt >= self.n_ctx:
            raise ContextLengthError(
                f"the prompt has {n_prompt} tokens, but a sequence holds {self.n_ctx} and at "
                f"least one must be left for the answer; shorten it or load with a larger n_ctx",
                n_prompt=n_prompt,
                n_ctx=self.n_ctx,
            )

    def _limit(self, request: EngineRequest) -> int:
        room = self.n_ctx - len(request.prompt_tokens)
        asked = request.sampling.max_tokens
        return room if asked is None else min(asked, room)

    def _on_cancel(self) -> None:
        decoding = self._scheduler.decoding
        if decoding and all(run.generation.cancelled for run in decoding):
            self._context.interrupt()
        self._thread.wake()

    def _refuse_if_over(self) -> None:
        if self._over:
            raise self._over_error()

    def _over_error(self) -> EngineDead | ModelClosedError:
        if self._over == "dead":
            return EngineDead(
                f"native code aborted ({self._death}); the kernel and other models live on, "
                "load this model again to go on with it"
            )
        return ModelClosedError(f"{self._loaded.path} was unloaded; load it again")

    # ---- for the compute thread -------------------------------------------------------

    def has_work(self) -> bool:
        """Tell whether a step would do something."""
        return not self._over and self.busy

    def step(self) -> None:
        """Move every request forward by one decode."""
        self._context.allow()
        self._scheduler.step()

    def interrupt(self) -> None:
        """Make a step in progress return soon."""
        self._context.interrupt()

    def fail(self, error: BaseException) -> None:
        """End every request with ``error`` and go on."""
        self._scheduler.end_all("error", error)

    def died(self, message: str) -> None:
        """Native code aborted in a step: end every request, never step again."""
        self._over, self._death = "dead", message
        self._scheduler.abandon(self._over_error())

    def moved(self, thread: ComputeThread) -> None:
        """Use ``thread`` from now on."""
        self._thread = thread

    def _free(self) -> None:
        self._scheduler.end_all("cancelled")
        self._context.free()
