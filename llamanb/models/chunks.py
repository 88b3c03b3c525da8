"""A chat completion on its way, as OpenAI dictionaries."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any, Protocol, Self

from llamanb.chat_layer import ChatEvent, Finished
from llamanb.chat_layer.openai import CompletionWriter
from llamanb.models.reply import ReplyModel, ReplyStream, reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from types import TracebackType

    from llamanb.engine import Vocabulary
    from llamanb.engine.values import TokenLogprob
    from llamanb.models.chat_options import ChatOptions

__all__ = [
    "AsyncChunkStream",
    "ChatModel",
    "ChunkStream",
    "Completing",
    "logprob_entry",
    "start_completion",
]


class ChatModel(ReplyModel, Protocol):
    """What a completion needs of a model beside what a reply needs."""

    @property
    def vocab(self) -> Vocabulary:
        """The tokens, with their bytes."""

    @property
    def name(self) -> str:
        """What the answer calls it."""

    @property
    def fingerprint(self) -> str:
        """What tells its file from others."""


class Completing:
    """A reply and the writer of its dictionaries. Stages: made → all chunks written."""

    def __init__(self, model: ChatModel, stream: ReplyStream, options: ChatOptions) -> None:
        self.reply = stream
        self._pieces = model.vocab.pieces
        self._n_logprobs = 0
        self._writer = CompletionWriter(
            id=f"chatcmpl-{secrets.token_hex(12)}",
            model=options.model or model.name,
            created=int(time.time()),
            system_fingerprint=f"fp_{model.fingerprint}",
            include_usage=options.include_usage,
        )

    @property
    def completion(self) -> dict[str, Any]:
        """The whole answer so far."""
        return self._writer.completion()

    def chunks(self, event: ChatEvent) -> list[dict[str, Any]]:
        """Give the chunks of one event; raise the error that ended the reply, if one did."""
        if isinstance(event, Finished):
            self.reply.generation.raise_for_error()
        new = self.reply.logprobs[self._n_logprobs :]
        self._n_logprobs += len(new)
        return self._writer.chunk(event, [logprob_entry(one, self._pieces) for one in new])


class ChunkStream:
    """The chunks of a chat completion. Stages: open → exhausted or closed.

    Iterate over it, or call ``next()``; ``close()`` stops the generation, and so does
    leaving a ``with`` block. ``completion`` is the whole so far, at any time.
    """

    def __init__(self, made: Completing) -> None:
        self._made = made
        self._chunks = (chunk for event in made.reply for chunk in made.chunks(event))
        self._is_closed = False

    @property
    def completion(self) -> dict[str, Any]:
        """The ``chat.completion`` of what has been read so far."""
        return self._made.completion

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self

    def __next__(self) -> dict[str, Any]:
        if self._is_closed:
            raise StopIteration
        return next(self._chunks)

    def read(self) -> dict[str, Any]:
        """Read to the end and give the whole ``chat.completion``."""
        for _ in self:
            pass
        return self.completion

    def close(self) -> None:
        """Stop generating; harmless when repeated."""
        self._is_closed = True
        self._made.reply.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncChunkStream:
    """The same for an event loop: ``async for``, ``async with`` and ``aclose()``."""

    def __init__(self, made: Completing) -> None:
        self._made = made
        self._chunks = self._written()

    @property
    def completion(self) -> dict[str, Any]:
        """The ``chat.completion`` of what has been read so far."""
        return self._made.completion

    async def _written(self) -> AsyncIterator[dict[str, Any]]:
        async for event in self._made.reply:
            for chunk in self._made.chunks(event):
                yield chunk

    def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        return self._chunks

    async def read(self) -> dict[str, Any]:
        """Read to the end and give the whole ``chat.completion``."""
        async for _ in self:
            pass
        return self.completion

    async def aclose(self) -> None:
        """Stop generating; harmless when repeated."""
        self._made.reply.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


def start_completion(model: ChatModel, messages: list[Any], options: ChatOptions) -> Completing:
    """Begin to answer ``messages``.

    Raises
    ------
    TemplateError, OptionError, GrammarError, ContextLengthError
        Before anything is computed.
    """
    return Completing(model, reply(model, messages, **options.reply), options)


def logprob_entry(logprob: TokenLogprob, pieces: list[bytes]) -> dict[str, Any]:
    """Give one token's log-probability in OpenAI's shape."""
    likeliest = ((token, text, value) for token, text, value in logprob.top)
    return {
        **_token(logprob.token, logprob.text, logprob.logprob, pieces),
        "top_logprobs": [_token(*one, pieces) for one in likeliest],
    }


def _token(token: int, text: str, logprob: float, pieces: list[bytes]) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(pieces[token])}
