"""Answers as OpenAI's server-sent events, or as one body; pure, from events alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamanb.chat_layer import Finished, ReasoningDelta, TextDelta
from llamanb.chat_layer.openai import CompletionWriter, usage_of
from llamanb.servers.event_source import frame
from llamanb.servers.openai.responses import (
    merged,
    text_choice,
    text_completion,
    text_logprobs,
    with_function_call,
)
from llamanb.servers.problems import openai_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llamanb.servers.asked import Told
    from llamanb.servers.openai.responses import Head
    from llamanb.servers.problems import Problem

__all__ = ["ChatWriter", "TextWriter"]

DONE = "[DONE]"


class _Writer:
    """What both kinds of completions have. Stages: ``begin`` → ``write`` … → ``end``.

    Without a stream: ``write`` … → ``whole``.
    """

    ping = b": ping\n\n"
    chunk_kind: str

    def __init__(self, head: Head, *, include_usage: bool) -> None:
        self._head, self._include_usage = head, include_usage
        self._finished = [Finished(reason="cancelled")] * head.n_choices

    def end(self) -> list[bytes]:
        """Give the usage, if it was asked for, and the mark of the end."""
        if not self._include_usage:
            return [frame(DONE)]
        usage = usage_of(merged(self._finished, self._head.n))
        return [frame(self._head.over(self.chunk_kind, choices=[], usage=usage)), frame(DONE)]

    def fail(self, problem: Problem) -> list[bytes]:
        """Give the error in place of the rest."""
        return [frame(openai_error(problem)), frame(DONE)]


class ChatWriter(_Writer):
    """Writes the choices of a chat completion, each as its own events come.

    Parameters
    ----------
    include_usage : end a stream with the usage of all choices.
    is_legacy : say ``function_call`` for a tool call.
    hides_reasoning : leave reasoning out.
    """

    chunk_kind = "chat.completion.chunk"

    def __init__(
        self,
        head: Head,
        *,
        include_usage: bool = False,
        is_legacy: bool = False,
        hides_reasoning: bool = False,
    ) -> None:
        super().__init__(head, include_usage=include_usage)
        self._is_legacy, self._hides_reasoning = is_legacy, hides_reasoning
        self._choices = [
            CompletionWriter(
                id=head.id,
                model=head.model,
                created=head.created,
                system_fingerprint=head.system_fingerprint,
                include_usage=include_usage,
                index=index,
            )
            for index in range(head.n_choices)
        ]

    def begin(self) -> list[bytes]:
        """Say who speaks, in every choice."""
        return self._frames([chunk for one in self._choices for chunk in one.begin()])

    def write(self, told: Told) -> list[bytes]:
        """Give the chunks of one event."""
        if self._hides_reasoning and isinstance(told.event, ReasoningDelta):
            return []
        if isinstance(told.event, Finished):
            self._finished[told.index] = told.event
        chunks = self._choices[told.index].chunk(told.event, told.logprobs)
        return self._frames([chunk for chunk in chunks if chunk["choices"]])

    def whole(self) -> dict[str, Any]:
        """Give the ``chat.completion`` with all choices."""
        bodies = [one.completion() for one in self._choices]
        body = bodies[0]
        body["choices"] = [choice for one in bodies for choice in one["choices"]]
        if len(bodies) > 1:
            body["usage"] = usage_of(merged(self._finished, self._head.n))
            body.pop("timings", None)
        return with_function_call(body) if self._is_legacy else body

    def _frames(self, chunks: Sequence[dict[str, Any]]) -> list[bytes]:
        told = map(with_function_call, chunks) if self._is_legacy else chunks
        return [frame(chunk) for chunk in told]


class TextWriter(_Writer):
    """Writes the choices of a plain completion.

    Parameters
    ----------
    echo : the prompt of each choice, which comes before its text; () for none.
    """

    chunk_kind = "text_completion"

    def __init__(
        self, head: Head, *, include_usage: bool = False, echo: Sequence[str] = ()
    ) -> None:
        super().__init__(head, include_usage=include_usage)
        self._echo = list(echo)
        self._texts: list[list[str]] = [[text] for text in echo or [""] * head.n_choices]
        self._lengths = [len(parts[0]) for parts in self._texts]
        self._logprobs: list[list[dict[str, Any]]] = [[] for _ in self._texts]
        self._n_written = [0] * head.n_choices

    def begin(self) -> list[bytes]:
        """Give the prompts, if they are to be echoed."""
        return [self._chunk(index, text) for index, text in enumerate(self._echo)]

    def write(self, told: Told) -> list[bytes]:
        """Give the chunk of one event."""
        self._logprobs[told.index] += told.logprobs
        match told.event:
            case TextDelta(text=text):
                self._texts[told.index].append(text)
                return [self._chunk(told.index, text)]
            case Finished() as finished:
                self._finished[told.index] = finished
                return [self._chunk(told.index, "", finished)]
            case _:
                return []

    def whole(self) -> dict[str, Any]:
        """Give the ``text_completion`` with all choices."""
        choices = [
            text_choice(
                index,
                "".join(parts),
                self._finished[index],
                self._legacy(self._logprobs[index], len(parts[0])),
            )
            for index, parts in enumerate(self._texts)
        ]
        return text_completion(self._head, choices, self._finished)

    def _chunk(self, index: int, text: str, finished: Finished | None = None) -> bytes:
        new = self._logprobs[index][self._n_written[index] :]
        self._n_written[index] += len(new)
        logprobs = self._legacy(new, self._lengths[index])
        self._lengths[index] += sum(len(entry["token"]) for entry in new)
        body = text_completion(self._head, [text_choice(index, text, finished, logprobs)])
        return frame({**body, "usage": None} if self._include_usage else body)

    @staticmethod
    def _legacy(entries: Sequence[dict[str, Any]], offset: int) -> dict[str, Any] | None:
        return text_logprobs(entries, offset) if entries else None
