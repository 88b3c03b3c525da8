"""A model of this kernel as a provider of chatlas."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from chatlas import Provider

from llamanb.chat_layer import Finished
from llamanb.conversation.tool_use import MAX_ROUNDS
from llamanb.errors import ModelClosedError
from llamanb.integrations.chatlas.answers import Answer, content_of
from llamanb.integrations.chatlas.messages import messages_of, rounds_before, with_instruction
from llamanb.integrations.chatlas.tools import schema_of
from llamanb.models.chat_options import read_chat_options
from llamanb.models.chunks import logprob_entry
from llamanb.models.kernel import manager
from llamanb.models.reply import prepare
from llamanb.models.typed import target_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from chatlas import AssistantTurn, Turn
    from chatlas.types import Content, ModelInfo
    from pydantic import BaseModel

    from llamanb.chat_layer import ChatEvent
    from llamanb.models import Model
    from llamanb.models.reply import Prepared, ReplyStream

__all__ = ["EventChunks", "LocalProvider"]

STANDARD_NAMES = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
    "max_tokens": "max_tokens",
    "log_probs": "logprobs",
    "stop_sequences": "stop",
}


class EventChunks:
    """The events of a reply, for ``for`` or ``async for``; an error of the engine is raised.

    Leaving the loop early, or ``close``, stops the generation.
    """

    def __init__(self, reply: ReplyStream, model: Model) -> None:
        self._reply, self._model = reply, model

    def __iter__(self) -> Iterator[ChatEvent]:
        for event in self._reply:
            yield self._checked(event) if isinstance(event, Finished) else event

    async def __aiter__(self) -> AsyncIterator[ChatEvent]:
        async for event in self._reply:
            yield self._checked(event) if isinstance(event, Finished) else event

    def close(self) -> None:
        """Stop generating; harmless when repeated."""
        self._reply.close()

    def _checked(self, finished: Finished) -> Finished:
        self._reply.generation.raise_for_error()
        if finished.reason == "cancelled":
            raise ModelClosedError("the answer was cut short: its chat or its model was closed")
        entries = [logprob_entry(one, self._model.vocab.pieces) for one in self._reply.logprobs]
        total = finished.usage.get("total_tokens", 0)
        is_full = finished.reason == "length" and total >= self._model.n_ctx
        return replace(finished, extra={"is_full": is_full, "logprobs": entries or None})


class LocalProvider(Provider[Answer, "ChatEvent", Answer, Any]):
    """Answers by a model of this kernel; nothing goes over HTTP. Open → closed.

    Parameters
    ----------
    model : who answers.
    name : what the chat calls it.
    options : of ``create_chat_completion``, for every request that does not say otherwise.
    """

    def __init__(self, model: Model, *, name: str | None, options: Mapping[str, Any]) -> None:
        super().__init__(name="llamanb", model=name or model.name)
        read_chat_options(options)  # mistakes are told now
        self.local = model
        self._options = dict(options)
        self._running: set[ReplyStream] = set()
        self._changing = threading.Lock()
        self._is_closed = False

    # ---- asking ----------------------------------------------------------------------

    def chat_perform(
        self,
        *,
        stream: bool,
        turns: list[Turn],
        tools: Mapping[str, Any],
        data_model: type[BaseModel] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Ask; give the events of the answer if ``stream``, else all of it."""
        chunks = self._begin(self._prepared(turns, tools, data_model, kwargs))
        if stream:
            return chunks
        answer = Answer()
        try:
            for event in chunks:
                answer.add(event)
        finally:
            chunks.close()
        return answer

    async def chat_perform_async(
        self,
        *,
        stream: bool,
        turns: list[Turn],
        tools: Mapping[str, Any],
        data_model: type[BaseModel] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Do the same without blocking the event loop."""
        prepared = await asyncio.to_thread(self._prepared, turns, tools, data_model, kwargs)
        chunks = self._begin(prepared)
        if stream:
            return chunks
        answer = Answer()
        try:
            async for event in chunks:
                answer.add(event)
        finally:
            chunks.close()
        return answer

    def _prepared(
        self,
        turns: Sequence[Turn],
        tools: Mapping[str, Any],
        data_model: type[BaseModel] | None,
        options: Mapping[str, Any] | None,
    ) -> Prepared:
        """Build the prompt; the model is resident afterwards."""
        self._check_open()
        wanted = read_chat_options({**self._options, **(options or {})}).reply
        if tools:
            wanted["tools"] = [schema_of(tool) for tool in tools.values()]
        messages = messages_of(turns)
        if data_model is not None:
            target = target_of(data_model)
            wanted["json_schema"] = target.schema
            messages = with_instruction(messages, target.description)
        wanted["tool_choice"] = _choice(wanted.get("tool_choice", "auto"), rounds_before(turns))
        return prepare(self.local, messages, **wanted)

    def _begin(self, prepared: Prepared) -> EventChunks:
        reply = prepared.submit(self.local, on_finish=self._running.discard)
        with self._changing:
            if not self._is_closed and reply.finished is None:
                self._running.add(reply)
        if self._is_closed:
            reply.close()
        return EventChunks(reply, self.local)

    # ---- reading the answer ----------------------------------------------------------

    def stream_content(
        self, chunk: ChatEvent, completion: Answer | None, turns: Sequence[Turn] = ()
    ) -> Sequence[Content]:
        """Give what an event adds to what the reader sees."""
        del completion, turns
        return content_of(chunk)

    def stream_merge_chunks(self, completion: Answer | None, chunk: ChatEvent) -> Answer:
        """Note an event."""
        answer = completion or Answer()
        answer.add(chunk)
        return answer

    def stream_turn(
        self,
        completion: Answer,
        has_data_model: bool,  # noqa: FBT001  # chatlas' own signature
        turns: Sequence[Turn] = (),
    ) -> AssistantTurn[Any]:
        """Give the whole answer."""
        del turns
        return completion.turn(is_typed=has_data_model)

    value_turn = stream_turn

    def value_tokens(self, completion: Any) -> tuple[int, int, int] | None:
        """Give the tokens of an answer: read, written, kept from before."""
        return completion.tokens if isinstance(completion, Answer) else None

    def value_cost(self, completion: Any, tokens: tuple[int, int, int] | None = None) -> float:
        """Give what an answer costs: nothing."""
        del completion, tokens
        return 0.0

    # ---- around it -------------------------------------------------------------------

    def token_count(
        self,
        turns: list[Turn],
        *,
        tools: Mapping[str, Any],
        data_model: type[BaseModel] | None,
    ) -> int:
        """Count the tokens of the prompt, by the model's own template and tokenizer."""
        return self._prepared(turns, tools, data_model, None).n_prompt_tokens

    async def token_count_async(
        self,
        turns: list[Turn],
        *,
        tools: Mapping[str, Any],
        data_model: type[BaseModel] | None,
    ) -> int:
        """Do the same without blocking the event loop."""
        return (
            await asyncio.to_thread(self._prepared, turns, tools, data_model, None)
        ).n_prompt_tokens

    def translate_model_params(self, params: Any) -> Any:
        """Give chatlas' names of sampling options as ours."""
        return {STANDARD_NAMES[name]: value for name, value in params.items()}

    def supported_model_params(self) -> set[Any]:
        """Name the options of ``set_model_params``: all."""
        return set(STANDARD_NAMES)

    def list_models(self) -> list[ModelInfo]:
        """List the models of this kernel that write."""
        return [
            {"id": name, "size": model.header.tensor_bytes}
            for name, model in manager().items()
            if model.can_write
        ]

    def close(self) -> None:
        """Stop what is being answered, and answer nothing more; harmless when repeated."""
        with self._changing:
            self._is_closed = True
            running = tuple(self._running)
        for reply in running:
            reply.close()

    async def close_async(self) -> None:
        """Do the same; nothing of it waits."""
        self.close()

    def _check_open(self) -> None:
        if self._is_closed:
            raise ModelClosedError("this chat is closed; make another one with llamanb.chat")


def _choice(wanted: Any, n_rounds: int) -> Any:
    """Give the tool choice after so many rounds: nothing is required twice."""
    if n_rounds == 0:
        return wanted
    return "none" if n_rounds >= MAX_ROUNDS or wanted == "none" else "auto"
