"""What generating gives: the text, and how it came about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamanb.engine.values import FinalRecord, Timings, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from types import TracebackType

    from llamanb.engine import Generation
    from llamanb.engine.values import FinishReason, TokenLogprob

__all__ = ["AsyncTextStream", "Completion", "TextStream"]


class Completion(str):
    """The generated text, which is a ``str``, with the facts about it.

    Attributes
    ----------
    finish_reason : ``"stop"``, ``"length"``, ``"cancelled"`` or ``"error"``.
    usage : token counts (``prompt_tokens``, ``completion_tokens``, ``cached_tokens``).
    timings : seconds of each stage and ``tokens_per_s``.
    tokens : ids of the generated tokens.
    logprobs : one entry per token, if ``logprobs=`` was given.
    seed : the seed that was used; the same one gives the same text again.
    stop_string : the stop string that ended it, if one did.
    """

    __slots__ = (
        "finish_reason",
        "logprobs",
        "seed",
        "stop_string",
        "timings",
        "tokens",
        "usage",
    )
    finish_reason: FinishReason
    usage: Usage
    timings: Timings
    tokens: tuple[int, ...]
    logprobs: tuple[TokenLogprob, ...]
    seed: int
    stop_string: str | None

    @classmethod
    def of(cls, generation: Generation) -> Completion:
        """Make one of a generation; of one still running, what there is so far."""
        completion = cls(generation.text)
        record = generation.record or FinalRecord(
            finish_reason="cancelled", usage=Usage(), timings=Timings()
        )
        completion.finish_reason = record.finish_reason
        completion.usage, completion.timings = record.usage, record.timings
        completion.tokens, completion.logprobs = generation.tokens, generation.logprobs
        completion.seed, completion.stop_string = record.seed, record.stop_string
        return completion

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (str(self), {name: getattr(self, name) for name in self.__slots__})

    def _repr_markdown_(self) -> None:
        """Show as a string: a model's raw text is not trusted as Markdown."""


def _restore(text: str, facts: dict[str, Any]) -> Completion:
    completion = Completion(text)
    for name, value in facts.items():
        setattr(completion, name, value)
    return completion


class TextStream:
    """The pieces of a text while it is generated. Stages: open → exhausted or closed.

    Iterate over it, or call ``next()``; ``close()`` stops the generation, and so does
    leaving a ``with`` block. ``completion`` is the text so far, at any time.
    """

    def __init__(self, generation: Generation) -> None:
        self._generation = generation
        self._pieces = (piece.text for piece in generation if piece.text)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return next(self._pieces)

    @property
    def completion(self) -> Completion:
        """The whole text so far and how it ended, if it has."""
        return Completion.of(self._generation)

    def __repr__(self) -> str:
        return _stream_repr(self, "for text in stream: print(text, end='')")

    def close(self) -> None:
        """Stop generating; harmless when repeated."""
        self._generation.cancel()
        self._pieces.close()

    def __enter__(self) -> TextStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _stream_repr(stream: TextStream | AsyncTextStream, use: str) -> str:
    count = len(stream.completion.tokens)
    return f"<{type(stream).__name__}: {count} tokens so far; to read it: {use}>"


class AsyncTextStream:
    """The same for an event loop: ``async for``, ``async with`` and ``aclose()``."""

    def __init__(self, generation: Generation) -> None:
        self._generation = generation
        self._pieces = self._texts()

    async def _texts(self) -> AsyncIterator[str]:
        try:
            async for piece in self._generation:
                if piece.text:
                    yield piece.text
        finally:
            self._generation.cancel()

    def __aiter__(self) -> AsyncIterator[str]:
        return self._pieces

    @property
    def completion(self) -> Completion:
        """The whole text so far and how it ended, if it has."""
        return Completion.of(self._generation)

    def __repr__(self) -> str:
        return _stream_repr(self, "async for text in stream: print(text, end='')")

    async def aclose(self) -> None:
        """Stop generating; harmless when repeated."""
        self._generation.cancel()

    async def __aenter__(self) -> AsyncTextStream:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
