"""Chat events in, OpenAI dictionaries out: ``chat.completion`` and its chunks.

The shapes are those of https://platform.openai.com/docs/api-reference/chat, with
what llama-server adds: ``reasoning_content`` and ``timings``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.events import (
    ChatEvent,
    Finished,
    ReasoningDelta,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallStart,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CompletionWriter", "finish_reason_of", "timings_of", "usage_of"]

# OpenAI has no word for an answer that was given up: it is as incomplete as a cut one.
_FINISH_REASONS = {"cancelled": "length", "error": "length"}
_MS_PER_S = 1000.0


class CompletionWriter:
    """Writes one answer as OpenAI dictionaries.

    Stages: ``chunk`` with every event → ``completion`` for the whole, at any time.
    A caller that streams sends what ``chunk`` gives; one that does not ignores it.

    Parameters
    ----------
    id, model, created, system_fingerprint : the same in every dictionary;
        ``created`` is in seconds since 1970.
    include_usage : end the chunks with one that has the usage and no choice.
    index : the number of this choice, when several answer one request.

    Examples
    --------
    >>> writer = CompletionWriter(id="chatcmpl-1", model="demo", created=0)
    >>> chunks = writer.chunk(TextDelta(text="Hello")) + writer.chunk(Finished(reason="stop"))
    >>> [chunk["choices"][0]["delta"] for chunk in chunks]
    [{'role': 'assistant'}, {'content': 'Hello'}, {}]
    >>> writer.completion()["choices"][0]["message"]
    {'role': 'assistant', 'content': 'Hello'}
    """

    def __init__(
        self,
        *,
        id: str,
        model: str,
        created: int,
        system_fingerprint: str | None = None,
        include_usage: bool = False,
        index: int = 0,
    ) -> None:
        self._head = {"id": id, "created": created, "model": model}
        if system_fingerprint is not None:
            self._head["system_fingerprint"] = system_fingerprint
        self._include_usage = include_usage
        self._index = index
        self._is_begun = False
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[_Call] = []
        self._logprobs: list[dict[str, Any]] = []
        self._n_written = 0  # of the logprobs, in chunks
        self._finished: Finished | None = None

    # ---- streaming ---------------------------------------------------------------------

    def begin(self) -> list[dict[str, Any]]:
        """Give the chunk that says who speaks; nothing if it was given already."""
        if self._is_begun:
            return []
        self._is_begun = True
        return [self._chunk({"role": "assistant"})]

    def chunk(
        self, event: ChatEvent, logprobs: Sequence[dict[str, Any]] = ()
    ) -> list[dict[str, Any]]:
        """Give the chunks that tell of one event; often one, sometimes none.

        ``logprobs`` are OpenAI's dictionaries of the tokens behind this event.
        """
        delta = self._delta(event)
        chunks = [] if delta is None else self.begin()
        self._logprobs += logprobs
        if delta is None:
            return []
        if isinstance(event, Finished):
            return [*chunks, *self._last_chunks(event)]
        return [*chunks, self._chunk(delta)]

    def _delta(self, event: ChatEvent) -> dict[str, Any] | None:
        """Note what an event adds and give it as a delta; None if it adds nothing."""
        delta: dict[str, Any] | None = None
        match event:
            case TextDelta(text=text):
                self._content.append(text)
                delta = {"content": text}
            case ReasoningDelta(text=text):
                self._reasoning.append(text)
                delta = {"reasoning_content": text}
            case ToolCallStart():
                self._calls.append(_Call(event))
                delta = {"tool_calls": [{"index": event.index, **self._calls[-1].written()}]}
            case ToolArgumentsDelta(index=index, text=text):
                self._calls[-1].arguments.append(text)
                delta = {"tool_calls": [{"index": index, "function": {"arguments": text}}]}
            case Finished():
                self._finished, delta = event, {}
        return delta

    def _last_chunks(self, finished: Finished) -> list[dict[str, Any]]:
        last = self._chunk({}, finish_reason=finish_reason_of(finished))
        if finished.timings:
            last["timings"] = timings_of(finished)
        if not self._include_usage:
            return [last]
        return [last, self._headed("chat.completion.chunk", choices=[], usage=usage_of(finished))]

    def _chunk(self, delta: dict[str, Any], *, finish_reason: str | None = None) -> dict[str, Any]:
        logprobs = self._logprobs[self._n_written :]
        self._n_written += len(logprobs)
        choice = {"index": self._index, "delta": delta, "finish_reason": finish_reason}
        choice["logprobs"] = {"content": logprobs} if logprobs else None
        usage = {"usage": None} if self._include_usage else {}
        return self._headed("chat.completion.chunk", choices=[choice], **usage)

    # ---- the whole ---------------------------------------------------------------------

    def completion(self) -> dict[str, Any]:
        """Give the whole answer as far as it has been told, as ``chat.completion``."""
        finished = self._finished or Finished(reason="cancelled")
        choice = {
            "index": self._index,
            "message": self._message(),
            "finish_reason": finish_reason_of(finished),
            "logprobs": {"content": list(self._logprobs)} if self._logprobs else None,
        }
        whole = self._headed("chat.completion", choices=[choice], usage=usage_of(finished))
        if finished.timings:
            whole["timings"] = timings_of(finished)
        return whole

    def _message(self) -> dict[str, Any]:
        content = "".join(self._content)
        message: dict[str, Any] = {"role": "assistant", "content": content}
        if self._calls:
            message["content"] = content or None
            message["tool_calls"] = [call.written() for call in self._calls]
        if self._reasoning:
            message["reasoning_content"] = "".join(self._reasoning)
        return message

    def _headed(self, kind: str, **rest: Any) -> dict[str, Any]:
        return {"object": kind, **self._head, **rest}


class _Call:
    """One tool call, as far as it has been told."""

    def __init__(self, start: ToolCallStart) -> None:
        self.id, self.name = start.id, start.name
        self.arguments: list[str] = []

    def written(self) -> dict[str, Any]:
        function = {"name": self.name, "arguments": "".join(self.arguments)}
        return {"id": self.id, "type": "function", "function": function}


def finish_reason_of(finished: Finished) -> str:
    """Give OpenAI's word for how an answer ended."""
    return _FINISH_REASONS.get(finished.reason, finished.reason)


def usage_of(finished: Finished) -> dict[str, Any]:
    """Give the token counts in OpenAI's words."""
    counts = finished.usage
    prompt, completion = counts.get("prompt_tokens", 0), counts.get("completion_tokens", 0)
    usage: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": counts.get("cached_tokens", 0)},
    }
    if "reasoning_tokens" in counts:
        details = {"reasoning_tokens": counts["reasoning_tokens"]}
        usage["completion_tokens_details"] = details
    return usage


def timings_of(finished: Finished) -> dict[str, float]:
    """Give speed in llama-server's words; milliseconds, tokens per second."""
    counts, seconds = finished.usage, finished.timings
    cached = counts.get("cached_tokens", 0)
    return {
        "cache_n": cached,
        **_stage("prompt", counts.get("prompt_tokens", 0) - cached, seconds.get("prompt_s", 0.0)),
        **_stage("predicted", counts.get("completion_tokens", 0), seconds.get("generation_s", 0.0)),
    }


def _stage(name: str, n_tokens: int, seconds: float) -> dict[str, float]:
    return {
        f"{name}_n": n_tokens,
        f"{name}_ms": seconds * _MS_PER_S,
        f"{name}_per_token_ms": seconds * _MS_PER_S / n_tokens if n_tokens else 0.0,
        f"{name}_per_second": n_tokens / seconds if seconds else 0.0,
    }
