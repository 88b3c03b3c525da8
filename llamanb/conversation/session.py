"""One talk: the messages so far, and the next turn."""

from __future__ import annotations

import copy
import json
import secrets
import threading
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

from llamanb.chat_layer.messages import content_text, copy_messages
from llamanb.conversation.history import (
    call_ids,
    completed,
    last_question,
    open_calls,
    read_talk,
)
from llamanb.conversation.reply import DEFAULT_SAMPLING, ReplyModel, ReplyStream, reply
from llamanb.conversation.talk_stream import TalkStream, TurnPlan
from llamanb.conversation.tool_use import MAX_ROUNDS, ToolUse
from llamanb.errors import OptionError
from llamanb.models.typed import target_of
from llamanb.settings import SamplingSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from llamanb.chat_layer import ChatMessage
    from llamanb.conversation.tools import Tool
    from llamanb.conversation.tools.approval import Approve

__all__ = ["Session"]

_TOOL_OPTIONS = ("tools", "approve", "max_rounds", "tool_choice", "parallel_tool_calls")
_REPLY_OPTIONS = (
    "regex",
    "choices",
    "chat_template",
    "chat_template_kwargs",
    "enable_thinking",
    "reasoning_format",
)


class Session:
    """A talk with one model, which answers one message at a time; threads may share it.

    Parameters
    ----------
    model : who answers.
    system_prompt : put before the messages of every prompt, if there is one.
    tools : what the model may call: functions, tools, or OpenAI dictionaries. The
        functions are run and the model reads their results; the calls of a
        dictionary come back (see ``resume``).
    sampling : how tokens are chosen unless ``stream`` says otherwise.
    approve : who decides whether a call may run. A function, also a coroutine
        function, takes a :class:`~llamanb.ToolRequest` and gives True, False or a
        :class:`~llamanb.ToolDecision`; it is called in a thread of its own, and not
        for tools marked ``approve=True``. ``"ask"``, the default, denies what nobody
        is there to allow; ``"auto"`` runs every call, ``"never"`` none.
    max_rounds : how often in one turn tools may run; then the answer has to do
        without. 0: no call is run by itself, all come back.
    tool_choice : ``"auto"``, ``"none"``, ``"required"`` or the name of a tool.
    parallel_tool_calls : whether one reply may hold several calls.

    Attributes
    ----------
    model, system_prompt, sampling, tools, approve : may be replaced between turns.
    messages : OpenAI dictionaries, oldest first, without the system prompt.
    tool_use : tools, approval and rounds, checked.

    Raises
    ------
    OptionError
        If an option is impossible.

    Examples
    --------
    >>> session = Session(llamanb.load("demo"), tools=[get_weather], approve="auto")
    >>> session.send("Is it cold in Oslo?").content
    """

    def __init__(
        self,
        model: ReplyModel,
        *,
        system_prompt: str | None = None,
        tools: Iterable[Any] = (),
        sampling: SamplingSettings | None = None,
        approve: Approve | None = None,
        max_rounds: int = MAX_ROUNDS,
        tool_choice: str | Mapping[str, Any] = "auto",
        parallel_tool_calls: bool | None = None,
    ) -> None:
        self.model = model
        self.system_prompt = system_prompt
        self.sampling = sampling or DEFAULT_SAMPLING
        self.tool_use = ToolUse.of(
            tools=tools,
            approve=approve,
            max_rounds=max_rounds,
            tool_choice=tool_choice,
            parallel_tool_calls=parallel_tool_calls,
        )
        self.messages: list[dict[str, Any]] = []
        self._affinity = f"session-{secrets.token_hex(8)}"
        self._current: TalkStream | None = None
        self._changing = threading.RLock()
        self._watchers: list[Callable[[], None]] = []

    @property
    def tools(self) -> Mapping[str, Tool[..., Any]]:
        """The tools by name; a list may be assigned."""
        return self.tool_use.tools

    @tools.setter
    def tools(self, tools: Iterable[Any]) -> None:
        self.tool_use = self.tool_use.changed(tools=tools)

    @property
    def approve(self) -> Approve:
        """Who decides whether a call may run; may be assigned."""
        return self.tool_use.approve

    @approve.setter
    def approve(self, approve: Approve | None) -> None:
        self.tool_use = self.tool_use.changed(approve=approve or "ask")

    @property
    def system_messages(self) -> list[dict[str, Any]]:
        """The system prompt as messages: one, or none."""
        if not self.system_prompt:
            return []
        return [{"role": "system", "content": self.system_prompt}]

    # ---- the next turn ----------------------------------------------------------------

    def stream(
        self, text: str | list[dict[str, Any]], *, replace_from: int | None = None, **options: Any
    ) -> TalkStream:
        """Say ``text`` and give the turn on its way.

        The user's message is noted at once, all others when the turn is over, also
        if it was cut short. A turn that still goes on is cancelled first.

        Parameters
        ----------
        text : what the user says: a string or OpenAI content parts.
        replace_from : forget the messages from this index on first.
        **options : for this turn ``tools``, ``approve``, ``max_rounds``,
            ``tool_choice``, ``parallel_tool_calls``; ``json_schema`` that the answer
            must match, a dictionary or a type such as a pydantic model, or ``regex``
            or ``choices``;
            ``enable_thinking``, ``chat_template``, ``chat_template_kwargs``,
            ``reasoning_format``; ``answer_tokens``, with which the turn's first reply
            begins (see :func:`~llamanb.models.alternatives.alternative_tokens`); and the
            fields of :class:`~llamanb.settings.SamplingSettings`.

        Raises
        ------
        OptionError, TemplateError, ContextLengthError
            Before anything is noted.
        """
        with self._changing:
            self.stop()
            kept = completed(self.messages[: self._kept(replace_from)])
            return self._begin([*kept, {"role": "user", "content": text}], options)

    def send(self, text: str | list[dict[str, Any]], **options: Any) -> ChatMessage:
        """Say ``text``, wait, and give the last message of the turn; options as ``stream``.

        Raises
        ------
        EngineError
            If the model could not answer; see also ``stream``.
        """
        with self.stream(text, **options) as stream:
            for _ in stream:
                pass
        return _message_of(stream)

    async def asend(self, text: str | list[dict[str, Any]], **options: Any) -> ChatMessage:
        """Say ``text`` without blocking the event loop; as ``send``."""
        with self.stream(text, **options) as stream:
            async for _ in stream:
                pass
        return _message_of(stream)

    def regenerate(self, **options: Any) -> TalkStream:
        """Answer the user's last message again; what followed it is forgotten.

        Options and errors as of ``stream``; also OptionError if there is no message.
        """
        with self._changing:
            self.stop()
            return self._begin(self.messages[: last_question(self.messages) + 1], options)

    def go_on(self, **options: Any) -> TalkStream:
        """Let the model answer the messages as they stand, such as after tool results.

        Options and errors as of ``stream``; also OptionError if there is no message.
        """
        with self._changing:
            self.stop()
            if not self.messages:
                raise OptionError("there is nothing to answer: the talk has no message")
            return self._begin(completed(self.messages), options)

    def resume(self, results: Mapping[str, str], **options: Any) -> TalkStream:
        """Go on after calls that came back, with their results by call id.

        Options and errors as of ``stream``; also OptionError for a result of no call.

        Examples
        --------
        >>> stream = session.resume({call.id: "3 °C" for call in stream.open_calls})
        """
        with self._changing:
            self.stop()
            known = [str(call["id"]) for call in open_calls(self.messages)]
            if not known or (strange := [one for one in results if one not in known]):
                asked = f"{strange[0]!r} is none" if known else "there is none"
                raise OptionError(f"no tool call waits for this result: {asked}")
            return self._begin(completed(self.messages, results), options)

    def stop(self) -> None:
        """Cancel the turn that goes on, if one does, and keep what it has said."""
        current, self._current = self._current, None
        if current is not None:
            current.close()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let no other thread change the talk inside the block; what goes on is stopped first."""
        with self._changing:
            self.stop()
            yield

    # ---- the talk so far ----------------------------------------------------------------

    def undo(self) -> str:
        """Forget the user's last message and all that followed; give the message's text.

        Raises
        ------
        OptionError
            If the user has said nothing.
        """
        with self._changing:
            self.stop()
            place = last_question(self.messages)
            content = self.messages[place]["content"]
            del self.messages[place:]
        self._tell()
        return content_text(content)

    def reset(self) -> None:
        """Forget all messages; the system prompt stays."""
        with self._changing:
            self.stop()
            self.messages.clear()
        self._tell()

    def replace_messages(self, messages: Iterable[Mapping[str, Any]]) -> None:
        """Put other messages in the place of all; a turn that goes on is cancelled first.

        Parameters
        ----------
        messages : OpenAI dictionaries without the system prompt.

        Raises
        ------
        OptionError
            If they are no messages; nothing has changed then.
        """
        copied = copy_messages(messages)
        with self._changing:
            self.stop()
            self.messages[:] = copied
        self._tell()

    def subscribe(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` after every change of the messages; gives what ends that.

        It is called in the thread that made the change and must be quick.
        """
        self._watchers.append(changed)

        def unsubscribe() -> None:
            with suppress(ValueError):
                self._watchers.remove(changed)

        return unsubscribe

    def fork(self) -> Session:
        """Give a copy that goes its own way; a turn that goes on is not part of it."""
        copied = Session(self.model, system_prompt=self.system_prompt, sampling=self.sampling)
        copied.tool_use = self.tool_use
        copied.messages[:] = copy.deepcopy(list(self.messages))
        return copied

    def export(self) -> list[dict[str, Any]]:
        """Give a copy of all messages as OpenAI dictionaries, the system prompt first."""
        return [*self.system_messages, *copy.deepcopy(list(self.messages))]

    def to_json(self) -> str:
        """Give system prompt and messages as JSON text: no tool, nothing that runs."""
        talk = {"system_prompt": self.system_prompt, "messages": list(self.messages)}
        return json.dumps(talk, ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str, model: ReplyModel, **options: Any) -> Self:
        """Make a talk of what ``to_json`` gave; options as of the class.

        Raises
        ------
        OptionError
            If the text is something else.
        """
        system_prompt, messages = read_talk(text)
        session = cls(model, **{"system_prompt": system_prompt, **options})
        session.messages[:] = messages
        return session

    # ---- within -----------------------------------------------------------------------

    def _begin(self, messages: Sequence[dict[str, Any]], options: dict[str, Any]) -> TalkStream:
        """Note ``messages`` if they can be answered, and give the turn."""
        noted = list(messages)
        stream = self._current = self._turn(noted, options)
        self.messages[:] = noted
        self._tell()
        return stream

    def _turn(self, said: list[dict[str, Any]], options: dict[str, Any]) -> TalkStream:
        tool_use = self.tool_use.changed(**_taken(options, _TOOL_OPTIONS))
        template = _taken(options, _REPLY_OPTIONS)
        answer_tokens = options.pop("answer_tokens", ())
        json_schema = _schema(options.pop("json_schema", None))
        sampling = SamplingSettings.from_options(self.sampling, **options)
        model, before = self.model, [*self.system_messages, *said]

        def begin(messages: list[dict[str, Any]], tool_choice: Any) -> ReplyStream:
            return reply(
                model,
                [*before, *messages],
                tools=tool_use.schemas(),
                tool_choice=tool_choice,
                parallel_tool_calls=tool_use.parallel_tool_calls,
                json_schema=json_schema,
                sampling=sampling,
                affinity=self._affinity,
                answer_tokens=() if messages else answer_tokens,
                **template,
            )

        return TalkStream(
            TurnPlan(
                begin=begin,
                tool_use=tool_use,
                known_ids=call_ids(said),
                on_finish=self._note,
            )
        )

    def _kept(self, replace_from: int | None) -> int:
        if replace_from is None:
            return len(self.messages)
        if not 0 <= replace_from <= len(self.messages):
            raise OptionError(
                f"replace_from={replace_from!r} is not possible: there are "
                f"{len(self.messages)} messages"
            )
        return replace_from

    def _note(self, stream: TalkStream) -> None:
        self.messages.extend(stream.messages)
        self._tell()

    def _tell(self) -> None:
        for changed in tuple(self._watchers):
            changed()


def _taken(options: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: options.pop(name) for name in names if name in options}


def _schema(wanted: Any) -> Mapping[str, Any] | None:
    return wanted if isinstance(wanted, Mapping | None) else target_of(wanted).schema


def _message_of(stream: TalkStream) -> ChatMessage:
    stream.raise_for_error()
    return stream.message
