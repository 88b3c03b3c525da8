"""One generation context and its life: requests in, generations out.

The work is done by :class:`~llamanb.engine.scheduler.Scheduler` on the compute
thread; this class is what clients on other threads hold.
"""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING, Literal, Protocol

from llamanb.engine.answer import begin_answer
from llamanb.engine.compute import ComputeThread, adopt, compute_thread
from llamanb.engine.context import NativeContext
from llamanb.engine.generation import Generation
from llamanb.engine.native import check_process
from llamanb.engine.scheduler import Scheduler
from llamanb.engine.sequences import Run
from llamanb.engine.text import TextStitcher
from llamanb.engine.triggers import TriggerWatch
from llamanb.engine.values import EngineRequest, EngineStatus
from llamanb.errors import (
    ContextLengthError,
    EngineDead,
    ModelClosedError,
    ModelLoadError,
    OptionError,
)
from llamanb.settings import MAX_SEED, ContextSettings

if TYPE_CHECKING:
    from llamanb.engine.weights import LoadedModel
    from llamanb.engine.worker import Call
    from llamanb.settings import Constraint

__all__ = ["Engine", "TextEngine", "open_engine"]

LARGEST_BIAS = 1e6


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
    _refuse_without_text(loaded)
    engine = compute_thread().call(lambda: _make(loaded, settings))
    adopt(engine)
    return engine


def _make(loaded: LoadedModel, settings: ContextSettings) -> Engine:
    """Make and register in one command, so that the weights cannot be freed between."""
    context = NativeContext(loaded, settings)
    try:
        engine = Engine(loaded, context, settings)
    except BaseException:
        context.free()
        raise
    loaded.add_context(engine)
    return engine


def _refuse_without_text(loaded: LoadedModel) -> None:
    if loaded.info.has_encoder and loaded.info.has_decoder:
        raise ModelLoadError(
            f"{loaded.path} is an encoder-decoder model ({loaded.info.architecture}); "
            "only models that continue their own text can generate here"
        )
    if not loaded.info.has_decoder:
        raise _no_text(loaded)


def _no_text(loaded: LoadedModel) -> ModelLoadError:
    return ModelLoadError(
        f"{loaded.path} ({loaded.info.architecture}) cannot generate text: it keeps no memory "
        "of a sequence; an embedding model gives vectors with embed()"
    )


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
        if not context.has_memory:
            raise _no_text(loaded)
        self._loaded, self._context = loaded, context
        self._grammars = loaded.vocabulary.grammars
        self.n_ctx, self.n_seq_max = context.n_ctx, settings.n_seq_max
        self._scheduler = Scheduler(
            loaded, context, settings.n_seq_max, unified=settings.kv_unified
        )
        self._over: Literal["", "dead", "closed"] = ""
        self._death = ""
        self._thread = compute_thread()
        self._closing = threading.Lock()
        self._freeing: Call[None] | None = None

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
        try:
            self._enqueue(run)
        except BaseException:  # an interrupt: nobody will ever hold this generation
            run.generation.cancel()
            raise
        return run.generation

    def _enqueue(self, run: Run) -> None:
        self._scheduler.enqueue(run)
        if self._over and self._scheduler.withdraw(run):
            raise self._over_error()  # closed meanwhile: nobody would step it any more
        self._thread.wake()

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
            answering=self._scheduler.answering,
            n_decodes=self._scheduler.n_decodes,
            n_parts=self._scheduler.n_parts,
            most_used=self._scheduler.most_used,
        )

    def close(self, timeout_s: float = 5.0) -> None:
        """Cancel everything and free the context; harmless when repeated.

        Raises
        ------
        TimeoutError
            If the compute thread did not come back within ``timeout_s`` seconds.
        """
        with self._closing:
            if self._over == "dead":
                return
            if self._freeing is None:
                self._over = "closed"
                self.interrupt()
                self._freeing = compute_thread().submit(self._free)
        compute_thread().finish(self._freeing, timeout_s)

    # ---- checking ------------------------------------------------------------------

    def _prepare(self, request: EngineRequest) -> Run:
        self._loaded.vocabulary.check(request.prompt_tokens)
        self._loaded.vocabulary.check(request.answer_tokens)
        self._check_length(request)
        self._check_bias(request)
        sampling = request.sampling
        seed = secrets.randbelow(MAX_SEED) if sampling.seed is None else sampling.seed
        constraint = request.constraint
        run = Run(
            generation=Generation(request, self._on_cancel),
            tokens=list(request.prompt_tokens),
            n_prompt=len(request.prompt_tokens),
            seed=seed,
            n_limit=self._limit(request),
            stitcher=TextStitcher(sampling.stop),
            constraint=None if constraint is None else self._grammars.compile(constraint),
            watch=self._watch(constraint),
        )
        begin_answer(run, self._loaded.vocabulary)
        return run

    def _watch(self, constraint: Constraint | None) -> TriggerWatch | None:
        if constraint is None or constraint.trigger is None:
            return None
        return TriggerWatch(constraint.trigger, self._loaded.vocabulary)

    def _check_length(self, request: EngineRequest) -> None:
        if not request.prompt_tokens:
            raise OptionError("the prompt is empty: it has no tokens to continue from")
        n_prompt = len(request.prompt_tokens) + len(request.answer_tokens)
        if n_prompt >= self.n_ctx:
            raise ContextLengthError(
                f"the prompt has {n_prompt} tokens, but a sequence holds {self.n_ctx} and at "
                f"least one must be left for the answer; shorten it or load with a larger n_ctx",
                n_prompt=n_prompt,
                n_ctx=self.n_ctx,
            )

    def _check_bias(self, request: EngineRequest) -> None:
        for token, bias in request.sampling.logit_bias:
            self._loaded.vocabulary.check([token])
            if bias > LARGEST_BIAS:
                raise OptionError(
                    f"a logit bias of {bias:g} is too large: at most {LARGEST_BIAS:g}"
                )

    def _limit(self, request: EngineRequest) -> int:
        room = self.n_ctx - len(request.prompt_tokens) - len(request.answer_tokens)
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
        if not self._over:  # looked up after allow(): close() sets it before it interrupts
            self._scheduler.step()

    def interrupt(self) -> None:
        """Make a step in progress return soon."""
        self._context.interrupt()

    def fail(self, error: BaseException) -> None:
        """End every request with ``error`` and go on."""
        self._scheduler.end_all("error", error)
        self._scheduler.resync()

    def died(self, message: str) -> None:
        """Native code aborted in a step: end every request, never step again."""
        self._over, self._death = "dead", message
        self._scheduler.abandon(self._over_error())

    def moved(self, thread: ComputeThread) -> None:
        """Use ``thread`` from now on."""
        self._thread = thread

    def _free(self) -> None:
        self._thread.remove(self)
        self._scheduler.end_all("cancelled")
        self._context.free()
        self._loaded.remove_context(self)
