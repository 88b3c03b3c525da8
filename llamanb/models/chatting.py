"""Chats with one model, without a session: prompts, OpenAI dictionaries, typed answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from llamanb.errors import OptionError
from llamanb.models.chat_options import (
    check_reasoning_format,
    read_chat_options,
    read_tools,
    shows_chat_options,
)
from llamanb.models.constraints import json_schema_of
from llamanb.models.options import checks_names
from llamanb.models.requests import message_list, prompt_tokens
from llamanb.models.tokens import special_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from llamanb.chat_layer import ChatMessage, ChatPrompt
    from llamanb.engine import EngineRequest, Generation, Vocabulary
    from llamanb.engine.values import ModelInfo
    from llamanb.models.chunks import AsyncChunkStream, ChunkStream

__all__ = ["Chatting"]


class Chatting:
    """The part of :class:`~llamanb.models.Model` that knows chat templates."""

    if TYPE_CHECKING:  # in Model itself

        @property
        def name(self) -> str:
            """What it is called."""

        @property
        def chat_template(self) -> str | None:
            """Its own template."""

        @property
        def fingerprint(self) -> str:
            """What tells its file from others."""

        @property
        def info(self) -> ModelInfo:
            """What the weights are."""

        @property
        def vocab(self) -> Vocabulary:
            """Its tokens."""

        def submit(self, request: EngineRequest) -> Generation:
            """Start a request."""

    @checks_names
    def chat_build(
        self,
        messages: Iterable[Mapping[str, Any]],
        *,
        tools: Sequence[Any] | None = None,
        tool_choice: str | Mapping[str, Any] = "auto",
        json_schema: Any = None,
        regex: str | None = None,
        choices: Sequence[str] | None = None,
        add_generation_prompt: bool = True,
        enable_thinking: bool | None = None,
        reasoning_format: Literal["auto", "none"] = "auto",
        parallel_tool_calls: bool | None = None,
        chat_template: str | None = None,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        continue_final_message: bool = False,
    ) -> ChatPrompt:
        """Render messages, and say how to constrain and read what the model answers.

        Parameters
        ----------
        messages : OpenAI dictionaries.
        tools : OpenAI tool definitions, or functions made tools by ``llamanb.tool``.
        tool_choice : ``"none"``, ``"auto"``, ``"required"``, or one tool: its name, or
            OpenAI's dictionary for it.
        json_schema : what an answer must match, if it is no call: a dictionary, JSON
            text, or a type that pydantic can describe.
        regex, choices : the same as a regular expression, or as some texts of which it
            is one.
        enable_thinking : whether to reason first; None leaves it to the template.
        reasoning_format : ``"none"`` leaves reasoning and its tags in the content.
        parallel_tool_calls : whether one answer may hold several calls; None is what
            the model's family can.
        chat_template : instead of the model's own.
        chat_template_kwargs : further variables for the template.
        continue_final_message : go on writing the last message, an assistant's.

        Raises
        ------
        TemplateError, OptionError
            If the messages cannot be rendered, or what is asked is impossible.

        Examples
        --------
        >>> prompt = model.chat_build(messages, tools=[get_weather], tool_choice="required")
        >>> text = model.generate(prompt, **prompt.sampling())
        >>> prompt.parse(text).tool_calls[0].args
        {'city': 'Oslo'}
        """
        from llamanb.chat_layer import build

        check_reasoning_format(reasoning_format)
        return build(
            chat_template or self.chat_template,
            message_list(messages),
            tools=read_tools(tools),
            tool_choice=tool_choice,
            json_schema=None if json_schema is None else json_schema_of(json_schema),
            regex=regex,
            choices=choices,
            add_generation_prompt=add_generation_prompt,
            enable_thinking=enable_thinking,
            reasoning_format=reasoning_format,
            parallel_tool_calls=parallel_tool_calls,
            chat_template_kwargs=chat_template_kwargs,
            continue_final_message=continue_final_message,
            bos_token=self.info.bos_token,
            eos_token=self.info.eos_token,
            special_tokens=special_tokens(self.vocab),
        )

    def chat_parse(self, text: str, prompt: ChatPrompt, *, is_partial: bool = False) -> ChatMessage:
        """Take an answer apart: content, reasoning and tool calls.

        Never fails and loses no text; ``is_partial`` says that more may come.
        """
        return prompt.parse(text, is_partial=is_partial)

    # ---- OpenAI dictionaries -------------------------------------------------------------

    @overload
    def create_chat_completion(
        self,
        messages: Iterable[Mapping[str, Any]],
        *,
        stream: Literal[False] = ...,
        **options: Any,
    ) -> dict[str, Any]: ...
    @overload
    def create_chat_completion(
        self,
        messages: Iterable[Mapping[str, Any]],
        *,
        stream: Literal[True],
        **options: Any,
    ) -> ChunkStream: ...
    @shows_chat_options
    def create_chat_completion(
        self,
        messages: Iterable[Mapping[str, Any]],
        *,
        stream: bool = False,
        **options: Any,
    ) -> dict[str, Any] | ChunkStream:
        """Answer messages and give OpenAI's ``chat.completion`` dictionary.

        Parameters
        ----------
        messages : OpenAI dictionaries.
        stream : give the ``chat.completion.chunk`` dictionaries one by one instead;
            closing the stream stops the generation.
        **options : what OpenAI's request takes, and what ``generate`` samples with
            ``tools``, ``tool_choice``, ``parallel_tool_calls`` and ``enable_thinking`` as in
            :meth:`chat_build`; ``response_format`` a dictionary (``json_object`` or
            ``json_schema``) or a type; ``max_tokens`` (2,048 unless given; or
            ``max_completion_tokens``), ``stop``, ``seed``, ``temperature`` …;
            ``logprobs=True`` with ``top_logprobs``; ``stream_options={"include_usage": True}``;
            ``model``, the name that the answer is to carry.

        Raises
        ------
        OptionError, TemplateError, GrammarError, ContextLengthError
            Before anything is computed.

        Examples
        --------
        >>> answer = model.create_chat_completion([{"role": "user", "content": "Hello"}])
        >>> answer["choices"][0]["message"]["content"]
        'Hello! How can I help?'
        """
        from llamanb.models.chunks import ChunkStream, start_completion

        chunks = ChunkStream(
            start_completion(self, message_list(messages), read_chat_options(options))
        )
        return chunks if stream else chunks.read()

    @overload
    async def acreate_chat_completion(
        self,
        messages: Iterable[Mapping[str, Any]],
        *,
        stream: Literal[False] = ...,
        **options: Any,
    ) -> dict[str, Any]: ...
    @overload
    async def acreate_chat_completion(
        self,
        messages: Iterable[Mapping[str, Any]],
        *,
        stream: Literal[True],
        **options: Any,
    ) -> AsyncChunkStream: ...
    @shows_chat_options
    async def acreate_chat_completion(
        self,
        messages: Iterable[Mapping[str, Any]],
        *,
        stream: bool = False,
        **options: Any,
    ) -> dict[str, Any] | AsyncChunkStream:
        """Do the same without blocking the event loop; a stream is read by ``async for``."""
        from llamanb.models.chunks import AsyncChunkStream, start_completion

        chunks = AsyncChunkStream(
            start_completion(self, message_list(messages), read_chat_options(options))
        )
        return chunks if stream else await chunks.read()

    # ---- typed answers -------------------------------------------------------------------

    @shows_chat_options
    def extract(
        self,
        text: str,
        data_model: Any,
        *,
        instructions: str | None = None,
        **options: Any,
    ) -> Any:
        """Read a text and give what it says as a value of a Python type.

        The model is shown the type's JSON Schema, held to it by a grammar, and its
        answer is checked by pydantic.

        Parameters
        ----------
        text : what to read.
        data_model : a pydantic model, dataclass, TypedDict, Enum, ``Literal[…]``,
            ``list[M]`` … of which a value is wanted.
        instructions : what to look for, if the type's own words do not say.
        **options : as for :meth:`create_chat_completion`
            The likeliest tokens are taken (``temperature=0``) and nothing is reasoned
            about first (``enable_thinking=False``), unless you say otherwise.

        Raises
        ------
        ExtractionError
            If ``max_tokens`` ran out before the answer was complete, or it does not pass
            a check that a grammar cannot express; the error has the text.
        OptionError
            If the type cannot be described in JSON.

        Examples
        --------
        >>> class City(pydantic.BaseModel):
        ...     name: str
        ...     country: str
        >>> model.extract("I spent May in Oslo, in Norway.", City)
        City(name='Oslo', country='Norway')
        """
        from llamanb.models.extraction import begin_extraction, read_extraction
        from llamanb.models.reply import reply

        target, messages, read = begin_extraction(text, data_model, instructions, options)
        stream = reply(self, messages, **read.reply)
        for _ in stream:
            pass
        return read_extraction(target, stream)

    @shows_chat_options
    async def aextract(
        self,
        text: str,
        data_model: Any,
        *,
        instructions: str | None = None,
        **options: Any,
    ) -> Any:
        """Do the same as :meth:`extract` without blocking the event loop."""
        from llamanb.models.extraction import begin_extraction, read_extraction
        from llamanb.models.reply import reply

        target, messages, read = begin_extraction(text, data_model, instructions, options)
        stream = reply(self, messages, **read.reply)
        async for _ in stream:
            pass
        return read_extraction(target, stream)

    # ---- prompts alone -------------------------------------------------------------------

    def count_tokens(
        self, content: str | Iterable[dict[str, Any]], tools: Sequence[Any] | None = None
    ) -> int:
        """Count the tokens of a text, or of messages rendered by the chat template."""
        if isinstance(content, str):
            return len(self.vocab.tokenize(content))
        return len(prompt_tokens(self.vocab, self.apply_template(content, tools=tools)))

    def apply_template(
        self,
        messages: Iterable[dict[str, Any]],
        *,
        tools: Sequence[Any] | None = None,
        add_generation_prompt: bool = True,
        enable_thinking: bool | None = None,
        chat_template: str | None = None,
        **options: Any,
    ) -> str:
        """Render messages (OpenAI dictionaries) into the prompt the model was trained on.

        Raises
        ------
        TemplateError
            If the template is malformed, too costly, or refuses the messages.
        OptionError
            If the model has no chat template and none is given.
        """
        from llamanb.chat_layer import build

        template = chat_template or self.chat_template
        if template is None:
            raise OptionError(f"{self.name!r} has no chat template; pass chat_template=")
        chat_prompt = build(
            template,
            message_list(messages),
            tools=read_tools(tools),
            add_generation_prompt=add_generation_prompt,
            enable_thinking=enable_thinking,
            bos_token=self.info.bos_token,
            eos_token=self.info.eos_token,
            **options,
        )
        return chat_prompt.prompt
