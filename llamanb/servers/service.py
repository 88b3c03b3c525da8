"""What one server answers with: its models, settings and log."""

from __future__ import annotations

import secrets
import time
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread

from llamanb.errors import QueueFullError
from llamanb.models.reply import prepare
from llamanb.models.text_reply import prepare_text
from llamanb.servers.answer import Answer
from llamanb.settings import SamplingSettings
from llamanb.settings.checks import MAX_N_CTX

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from llamanb.models import Model
    from llamanb.models.reply import Prepared, ReplyStream
    from llamanb.servers.asked import Asked
    from llamanb.servers.request_log import LogEntry, RequestLog
    from llamanb.servers.served_models import ServedModels
    from llamanb.settings import ServerSettings

__all__ = ["Service", "entry_of"]

T = TypeVar("T")
MAX_THREADS = 8
SEEDS = 1 << 32


def entry_of(request: Request) -> LogEntry:
    """Give the log entry of a request."""
    entry: LogEntry = request.state.entry
    return entry


class Service:
    """Stages: made → answers on the server's event loop → stopped.

    Attributes
    ----------
    started : when it was made, in seconds since 1970.
    """

    def __init__(self, settings: ServerSettings, models: ServedModels, log: RequestLog) -> None:
        self.settings, self.models, self.log = settings, models, log
        self.started = time.time()
        self._open: set[Answer] = set()
        self._limiter: anyio.CapacityLimiter | None = None
        self._is_stopping = False

    # ---- for routes --------------------------------------------------------------------

    async def begin(self, request: Request, asked: Asked) -> Answer:
        """Build the prompt, off the event loop, and queue what is asked for.

        Raises
        ------
        Refusal
            404 if there is no such model.
        QueueFullError
            If too many requests wait already.
        LlamanbError
            Whatever is wrong with the request; nothing was computed.
        """
        begun: list[Answer] = []
        try:
            return await self.run(self._begin, asked, entry_of(request), begun)
        except BaseException:  # cancelled while a thread began it: nobody will read it
            for answer in begun:
                answer.close()
            raise

    async def count(self, request: Request, asked: Asked) -> int:
        """Count the tokens of the prompt, as the usage of the answer would report them."""
        return sum(one.n_prompt_tokens for one in await self.prepare(request, asked))

    async def prepare(self, request: Request, asked: Asked) -> list[Prepared]:
        """Build the prompts, as ``begin`` would, and compute nothing."""
        _, prepared = await self.run(self._prepare, asked, entry_of(request))
        return prepared

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Do blocking work on one of a few threads."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(MAX_THREADS)
        return await anyio.to_thread.run_sync(partial(function, *arguments), limiter=self._limiter)

    def sampling_of(self, **options: Any) -> SamplingSettings:
        """Read sampling options on top of the server's own; those that are None are left out.

        Raises
        ------
        OptionError
        """
        given = {name: value for name, value in options.items() if value is not None}
        base = self.settings.sampling
        given.setdefault("max_tokens", self.settings.max_tokens or base.max_tokens)
        longest = given["max_tokens"]
        if isinstance(longest, int) and longest > MAX_N_CTX:
            given["max_tokens"] = MAX_N_CTX
        return SamplingSettings.from_options(base, **given)

    # ---- for the server ----------------------------------------------------------------

    @property
    def queue(self) -> tuple[int, int]:
        """How many requests run and wait at this moment, without waiting for anything."""
        figures = [model.perf() for model in self.models.all]
        return (
            sum(one.get("running", 0) for one in figures),
            sum(one.get("waiting", 0) for one in figures),
        )

    def stop(self) -> None:
        """Cancel every answer, and begin no other; their clients are told."""
        self._is_stopping = True
        for answer in list(self._open):
            answer.stop()

    # ---- on a thread -------------------------------------------------------------------

    def _begin(self, asked: Asked, entry: LogEntry, begun: list[Answer]) -> Answer:
        model, prepared = self._prepare(asked, entry)
        self._refuse_if_full(model)
        entry.prompt_tokens = sum(one.n_prompt_tokens for one in prepared)
        answer = Answer(
            model,
            asked.model or self.models.name_of(model),
            prepared,
            _submitted(model, prepared, asked.n),
            entry=entry,
            log=self.log,
            strip_thinking=self.settings.strip_thinking,
        )
        answer.on_close = self._open.discard
        self._open.add(answer)
        begun.append(answer)
        if self._is_stopping:
            answer.stop()
        return answer

    def _prepare(self, asked: Asked, entry: LogEntry) -> tuple[Model, list[Prepared]]:
        model = self.models.find(asked.model)
        entry.model = model.name
        options = dict(asked.options)
        if "sampling" not in options:
            options["sampling"] = self.sampling_of()
        if asked.prompts:
            return model, [prepare_text(model, prompt, **options) for prompt in asked.prompts]
        options.setdefault("chat_template", self.settings.chat_template)
        if options.get("enable_thinking") is None:
            options["enable_thinking"] = self.settings.enable_thinking
        return model, [prepare(model, asked.messages, **options)]

    def _refuse_if_full(self, model: Model) -> None:
        waiting = model.perf().get("waiting", 0)
        if waiting >= self.settings.queue_limit:
            raise QueueFullError(f"{waiting} requests wait already; try again later")


def _submitted(model: Model, prepared: list[Prepared], n: int) -> list[ReplyStream]:
    """Ask for ``n`` answers to each prompt; those of the first prompt come first."""
    streams: list[ReplyStream] = []
    try:
        for one in prepared:
            seeds = _seeds(one.request.sampling.seed, n)
            streams.extend(one.submit(model, seed=seed) for seed in seeds)
    except BaseException:
        for stream in streams:
            stream.close()
        raise
    return streams


def _seeds(seed: int | None, n: int) -> list[int | None]:
    """Give each of ``n`` answers a seed of its own, known if the first one is."""
    if n == 1:
        return [seed]
    first = secrets.randbelow(SEEDS) if seed is None else seed
    return [(first + index) % SEEDS for index in range(n)]
