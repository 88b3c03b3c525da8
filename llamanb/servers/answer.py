"""One request's answer on its way, whichever dialect it will be written in."""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from llamanb.chat_layer import Finished, ReasoningDelta
from llamanb.models.chunks import logprob_entry
from llamanb.servers.asked import Told
from llamanb.servers.problems import Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from starlette.requests import Request
    from starlette.types import Receive

    from llamanb.chat_layer import ChatEvent
    from llamanb.models import Model
    from llamanb.models.reply import Prepared, ReplyStream
    from llamanb.servers.request_log import LogEntry, RequestLog

__all__ = ["Answer", "WholeWriter", "cancelled_on_disconnect"]

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class WholeWriter(Protocol[T_co]):
    """What turns the events of an answer into one body."""

    def write(self, told: Told) -> Iterable[object]:
        """Note one event."""

    def whole(self) -> T_co:
        """Give the body."""


class Answer:
    """The reply, or replies, to one request. Stages: begun → read once → closed.

    Attributes
    ----------
    id_seed : 24 random hexadecimal digits, for the ids of a dialect.
    model_name : the name that the client used, else the model's.
    created : seconds since 1970.
    prepared : what the model is given; several prompts only of plain completions.
    streams : one reply for each choice asked for, prompt by prompt.
    """

    def __init__(
        self,
        model: Model,
        model_name: str,
        prepared: Sequence[Prepared],
        streams: Sequence[ReplyStream],
        *,
        entry: LogEntry,
        log: RequestLog,
        strip_thinking: bool = False,
    ) -> None:
        self.model, self.model_name, self.prepared = model, model_name, tuple(prepared)
        self.streams = list(streams)
        self.id_seed = secrets.token_hex(12)
        self.created = int(time.time())
        self._entry, self._log = entry, log
        self._strips = strip_thinking
        self._n_logprobs = [0] * len(self.streams)
        self._is_stopping = False
        self.on_close: Callable[[Answer], None] | None = None

    # ---- what it is --------------------------------------------------------------------

    @property
    def n_prompt_tokens(self) -> int:
        """How many tokens the prompt has, or all prompts together."""
        return sum(one.n_prompt_tokens for one in self.prepared)

    @property
    def max_tokens(self) -> int | None:
        """How many tokens were asked for at most; None for as many as fit."""
        return self.prepared[0].request.sampling.max_tokens

    @property
    def fingerprint(self) -> str:
        """What tells this model's file from others."""
        return f"fp_{self.model.fingerprint}"

    # ---- reading -----------------------------------------------------------------------

    async def __aiter__(self) -> AsyncIterator[Told]:
        """Give the events of all replies as they come; each ends with ``Finished``.

        Raises
        ------
        LlamanbError
            What ended a reply early.
        Refusal
            503 if the server is being stopped.
        """
        if len(self.streams) == 1:
            async for event in self.streams[0]:
                if not self._hides(0, event):
                    yield self._told(0, event)
        else:
            async for index, event in _merged(self.streams):
                if not self._hides(index, event):
                    yield self._told(index, event)

    async def whole(self, request: Request, writer: WholeWriter[T]) -> T:
        """Read to the end and give the body; cancelled as soon as the client goes."""
        try:
            async with cancelled_on_disconnect(request.receive, self.cancel):
                async for told in self:
                    for _ in writer.write(told):
                        pass
        finally:
            self.close()
        return writer.whole()

    def cancel(self) -> None:
        """Stop generating; the events so far, and ``Finished``, still come."""
        for stream in self.streams:
            stream.cancel()

    def stop(self) -> None:
        """Stop because the server does; reading raises."""
        self._is_stopping = True
        self.cancel()

    def close(self) -> None:
        """Stop generating and settle; harmless when repeated."""
        for stream in self.streams:
            stream.close()
        if self.on_close is not None:
            self.on_close(self)

    # ---- noting ------------------------------------------------------------------------

    def _hides(self, index: int, event: ChatEvent) -> bool:
        if not self._strips or not isinstance(event, ReasoningDelta):
            return False
        self._new_logprobs(index)  # these tokens are not to be told either
        return True

    def _told(self, index: int, event: ChatEvent) -> Told:
        if self._entry.first_token_s is None:
            self._entry.first_token_s = self._entry.age_s
            self._log.tell(self._entry)
        if isinstance(event, Finished):
            self._note(index, event)
        return Told(index=index, event=event, logprobs=self._new_logprobs(index))

    def _new_logprobs(self, index: int) -> list[dict[str, object]]:
        stream = self.streams[index]
        new = stream.logprobs[self._n_logprobs[index] :]
        if not new:
            return []
        self._n_logprobs[index] += len(new)
        pieces = self.model.vocab.pieces
        return [logprob_entry(one, pieces) for one in new]

    def _note(self, index: int, finished: Finished) -> None:
        self._entry.count(finished)
        self._log.add(finished)
        if finished.reason == "cancelled":
            self._entry.state = "cancelled"
            if self._is_stopping:
                raise Refusal("the server is being stopped", status=503, kind="server_error")
        self.streams[index].generation.raise_for_error()


@asynccontextmanager
async def cancelled_on_disconnect(
    receive: Receive, cancel: Callable[[], None]
) -> AsyncIterator[None]:
    """Call ``cancel`` once the client goes away inside the block."""
    watch = asyncio.ensure_future(_call_when_gone(receive, cancel))
    try:
        yield
    finally:
        watch.cancel()


async def _call_when_gone(receive: Receive, cancel: Callable[[], None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    cancel()


async def _merged(streams: Sequence[ReplyStream]) -> AsyncIterator[tuple[int, ChatEvent]]:
    """Give the events of several replies as they come."""
    arrived: asyncio.Queue[tuple[int, ChatEvent | BaseException | None]] = asyncio.Queue()
    tasks = [
        asyncio.ensure_future(_collect(index, stream, arrived))
        for index, stream in enumerate(streams)
    ]
    try:
        for _ in tasks:
            while True:
                index, event = await arrived.get()
                if event is None:
                    break
                if isinstance(event, BaseException):
                    raise event
                yield index, event
    finally:
        for task in tasks:
            task.cancel()


async def _collect(
    index: int,
    stream: ReplyStream,
    arrived: asyncio.Queue[tuple[int, ChatEvent | BaseException | None]],
) -> None:
    try:
        async for event in stream:
            arrived.put_nowait((index, event))
    except Exception as error:  # noqa: BLE001  # raised where the events are read
        arrived.put_nowait((index, error))
    arrived.put_nowait((index, None))
