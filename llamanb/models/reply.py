"""One reply: build the prompt, generate, parse, as one stream of events."""

from __future__ import annotations

from contextlib import aclosing, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

from llamanb.chat_layer import (
    ChatEvent,
    ChatMessage,
    ChatPrompt,
    Finished,
    MessageParts,
    StreamParser,
    build,
)
from llamanb.engine.values import EngineRequest, FinalRecord
from llamanb.errors import LlamanbError
from llamanb.models.event_stream import EventStream
from llamanb.models.options import DEFAULT_SAMPLING
from llamanb.models.requests import read_answer_tokens
from llamanb.models.tokens import PromptVocabulary, preserved_ids, prompt_tokens, special_tokens

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Callable,
        Generator,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from llamanb.engine import Generation
    from llamanb.engine.values import ModelInfo, Piece, TokenLogprob
    from llamanb.models.requests import AnswerTokens
    from llamanb.settings import SamplingSettings

__all__ = ["DEFAULT_SAMPLING", "Prepared", "ReplyModel", "ReplyStream", "prepare", "reply"]


class ReplyModel(Protocol):
    """What is needed of a model (``llamanb.models.Model`` has it)."""

    @property
    def chat_template(self) -> str | None:
        """The model's own template."""

    @property
    def info(self) -> ModelInfo:
        """What the weights are; the texts of bos and eos are needed."""

    @property
    def vocab(self) -> PromptVocabulary:
        """The tokens."""

    def submit(self, request: EngineRequest) -> Generation:
        """Start a request."""


class ReplyStream(EventStream):
    """A reply on its way. Stages: made → iterated once, by ``for`` or ``async for`` → over.

    Gives :data:`ChatEvent` values and ends with exactly one ``Finished``, also
    after ``cancel`` and after an error. Leaving the loop early cancels the reply.

    Attributes
    ----------
    prompt : what the model was given.
    generation : the engine's side of it.
    finished : the last event; None while the reply goes on.
    logprobs : of the tokens read so far, if they were asked for.
    """

    READ_AGAIN = "a reply can be iterated once; read its .message instead"

    def __init__(
        self,
        prompt: ChatPrompt,
        generation: Generation,
        *,
        on_finish: Callable[[ReplyStream], None] | None = None,
    ) -> None:
        super().__init__()
        self.prompt = prompt
        self.generation = generation
        self.finished: Finished | None = None
        self._parser = StreamParser(prompt)
        self._on_finish = on_finish
        self._parts = MessageParts()
        self._reasoning_tokens = 0
        self.logprobs: list[TokenLogprob] = []

    @property
    def message(self) -> ChatMessage:
        """The assistant's message, as far as it has been read."""
        return self._parts.message

    def cancel(self) -> None:
        """Stop the reply soon, from any thread; what there is stays."""
        self.generation.cancel()

    def close(self) -> None:
        """Cancel the reply if it goes on, and settle its message."""
        self.generation.cancel()
        self._settle()

    def _read(self) -> Iterator[ChatEvent]:
        try:
            with closing(_survivors(self.generation)) as pieces:
                for piece in pieces:
                    yield from self._events_of(piece)
            yield from self._last_events()
        finally:
            self.close()

    async def _read_async(self) -> AsyncIterator[ChatEvent]:
        try:
            async with aclosing(_survivors_async(self.generation)) as pieces:
                async for piece in pieces:
                    for event in self._events_of(piece):
                        yield event
            for event in self._last_events():
                yield event
        finally:
            self.close()

    def _events_of(self, piece: Piece) -> list[ChatEvent]:
        with self._lock:
            if self.finished is not None:  # closed from another thread: its message is settled
                return []
            self.logprobs += piece.logprobs
            was_reasoning = self._parser.is_reasoning
            events = self._parser.feed(piece.text)
            if was_reasoning or self._parser.is_reasoning:
                self._reasoning_tokens += len(piece.tokens)
            return self._noted(events)

    def _last_events(self) -> list[ChatEvent]:
        """Give what was held back, and how it ended."""
        with self._lock:
            events = self._noted(self._parser.finish())
            return [*events, self._settle()]

    def _noted(self, events: list[ChatEvent]) -> list[ChatEvent]:
        for event in events:
            self._parts.add(event)
        return events

    def _settle(self) -> Finished:
        with self._lock:
            if self.finished is not None:
                return self.finished
            self._noted(self._parser.finish())
            finished = self.finished = self._summary(self.generation.record)
            if self._on_finish is not None:  # before another thread sees that it is over
                self._on_finish(self)
        return finished

    def _summary(self, record: FinalRecord | None) -> Finished:
        if record is None:
            given = len(self.generation.request.answer_tokens)
            count = max(0, self.generation.n_tokens - given)
            return Finished(reason="cancelled", usage={"completion_tokens": count})
        stop = record.stop_string
        has_called = record.finish_reason == "stop" and self._parts.has_whole_calls
        return Finished(
            reason="tool_calls" if has_called else record.finish_reason,
            usage=self._usage(record),
            timings=_timings(record),
            stop_string=None if stop in self.prompt.additional_stops else stop,
            seed=record.seed,
            error=record.error,
            error_type=record.error_type,
        )

    def _usage(self, record: FinalRecord) -> dict[str, int]:
        usage = {
            "prompt_tokens": record.usage.prompt_tokens,
            "completion_tokens": record.usage.completion_tokens,
            "total_tokens": record.usage.total_tokens,
            "cached_tokens": record.usage.cached_tokens,
        }
        if self.prompt.syntax.thinking_ends:
            usage["reasoning_tokens"] = self._reasoning_tokens
        return usage


def _timings(record: FinalRecord) -> dict[str, float]:
    timings = record.timings
    return {
        "queued_s": timings.queued_s,
        "prompt_s": timings.prompt_s,
        "generation_s": timings.generation_s,
        "tokens_per_s": timings.tokens_per_s,
    }


def _survivors(generation: Generation) -> Generator[Piece]:
    """Give the pieces; an error that ends the generation is in its record."""
    try:
        yield from generation
    except LlamanbError:
        if generation.record is None:
            raise


async def _survivors_async(generation: Generation) -> AsyncGenerator[Piece]:
    """Give the pieces; an error that ends the generation is in its record."""
    try:
        async for piece in generation:
            yield piece
    except LlamanbError:
        if generation.record is None:
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A reply that is ready to be asked for, once or several times."""

    prompt: ChatPrompt
    request: EngineRequest

    @property
    def n_prompt_tokens(self) -> int:
        """How many tokens the prompt has."""
        return len(self.request.prompt_tokens)

    def submit(
        self,
        model: ReplyModel,
        *,
        seed: int | None = None,
        on_finish: Callable[[ReplyStream], None] | None = None,
    ) -> ReplyStream:
        """Let ``model`` answer; ``seed`` is used instead of the one prepared.

        Raises
        ------
        ContextLengthError, QueueFullError, GrammarError
        """
        request = self.request
        if seed is not None:
            request = replace(request, sampling=replace(request.sampling, seed=seed))
        return ReplyStream(self.prompt, model.submit(request), on_finish=on_finish)


def reply(
    model: ReplyModel,
    messages: Iterable[Mapping[str, Any]],
    *,
    on_finish: Callable[[ReplyStream], None] | None = None,
    **options: Any,
) -> ReplyStream:
    """Let ``model`` answer ``messages``.

    Parameters
    ----------
    model : a resident model.
    messages : OpenAI dictionaries.
    on_finish : called once, when the message is complete or given up.
    **options : those of :func:`prepare`
        ``tools``, ``tool_choice``, ``json_schema``, ``enable_thinking``, ``sampling`` …

    Raises
    ------
    TemplateError, OptionError
        If the prompt cannot be built.
    ContextLengthError
        If it does not fit.

    Examples
    --------
    >>> for event in reply(model, [{"role": "user", "content": "Hello"}]):
    ...     print(event)
    """
    return prepare(model, messages, **options).submit(model, on_finish=on_finish)


def prepare(
    model: ReplyModel,
    messages: Iterable[Mapping[str, Any]],
    *,
    tools: Sequence[Mapping[str, Any]] | None = None,
    tool_choice: str | Mapping[str, Any] = "auto",
    parallel_tool_calls: bool | None = None,
    json_schema: Mapping[str, Any] | None = None,
    regex: str | None = None,
    choices: Sequence[str] | None = None,
    enable_thinking: bool | None = None,
    reasoning_format: Literal["auto", "none"] = "auto",
    chat_template: str | None = None,
    sampling: SamplingSettings | None = None,
    chat_template_kwargs: Mapping[str, Any] | None = None,
    continue_final_message: bool = False,
    affinity: str | None = None,
    answer_tokens: AnswerTokens = (),
) -> Prepared:
    """Build the prompt and the request for an answer to ``messages``.

    Parameters
    ----------
    model : a resident model.
    messages : OpenAI dictionaries.
    tools : OpenAI tool definitions, shown to the model by its template.
    tool_choice : ``"none"``, ``"auto"``, ``"required"`` or one tool, by its name or as
        OpenAI's dictionary; the last two are enforced by a grammar.
    parallel_tool_calls : whether one reply may hold several calls; None is what the
        model's family can.
    json_schema, regex, choices : what an answer must match, if it is no call: a JSON
        Schema, a regular expression, or one of some texts; enforced by a grammar.
    enable_thinking : whether to reason first; None leaves it to the template.
    reasoning_format : ``"none"`` leaves reasoning and its tags in the content.
    chat_template : instead of the model's own.
    sampling : how to choose tokens; at most 2,048 of them by default.
    chat_template_kwargs : further variables for the template.
    continue_final_message : go on writing the last message, an assistant's.
    affinity : a name for the conversation, whose cached prefix is preferred.
    answer_tokens : ids with which the answer begins, or the log-probabilities of an
        earlier answer's tokens: they are part of the message, but are not generated.

    Raises
    ------
    TemplateError, OptionError
        If the prompt cannot be built.
    """
    given, known = read_answer_tokens(answer_tokens)
    prompt = build(
        chat_template or model.chat_template,
        messages,
        tools=tools,
        tool_choice=tool_choice,
        parallel_tool_calls=parallel_tool_calls,
        json_schema=json_schema,
        regex=regex,
        choices=choices,
        enable_thinking=enable_thinking,
        reasoning_format=reasoning_format,
        chat_template_kwargs=chat_template_kwargs,
        continue_final_message=continue_final_message,
        bos_token=model.info.bos_token,
        eos_token=model.info.eos_token,
        special_tokens=special_tokens(model.vocab),
    )
    request = _request(prompt, model.vocab, sampling or DEFAULT_SAMPLING, affinity)
    request = replace(request, answer_tokens=given, answer_logprobs=known)
    return Prepared(prompt=prompt, request=request)


def _request(
    prompt: ChatPrompt,
    vocabulary: PromptVocabulary,
    sampling: SamplingSettings,
    affinity: str | None,
) -> EngineRequest:
    more = tuple(stop for stop in prompt.additional_stops if stop not in sampling.stop)
    return EngineRequest(
        prompt_tokens=prompt_tokens(prompt, vocabulary),
        sampling=replace(sampling, stop=(*sampling.stop, *more)),
        constraint=prompt.constraint(),
        preserved_tokens=preserved_ids(prompt.preserved_tokens, vocabulary),
        affinity=affinity,
    )
