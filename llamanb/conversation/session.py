"""One talk: the messages so far, and the next reply to them."""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.messages import content_text
from llamanb.conversation.reply import DEFAULT_SAMPLING, ReplyModel, ReplyStream, reply
from llamanb.errors import EngineError, OptionError
from llamanb.settings import SamplingSettings

if TYPE_CHECKING:
    from llamanb.chat_layer import ChatMessage

__all__ = ["Session"]

_TEMPLATE_OPTIONS = (
    "chat_template",
    "chat_template_kwargs",
    "enable_thinking",
    "reasoning_format",
    "tools",
)


class Session:
    """A talk with one model, which answers one message at a time; threads may share it.

    Attributes
    ----------
    model : who answers; another may take over between replies.
    system_prompt : put before the messages of every prompt, if there is one.
    sampling : how tokens are chosen unless ``stream`` says otherwise.
    messages : OpenAI dictionaries, oldest first, without the system prompt.

    Examples
    --------
    >>> session = Session(llamanb.load("demo"))
    >>> session.send("Why is the sky blue?").content
    """

    def __init__(
        self,
        model: ReplyModel,
        *,
        system_prompt: str | None = None,
        sampling: SamplingSettings | None = None,
    ) -> None:
        self.model = model
        self.system_prompt = system_prompt
        self.sampling = sampling or DEFAULT_SAMPLING
        self.messages: list[dict[str, Any]] = []
        self._affinity = f"session-{secrets.token_hex(8)}"
        self._current: ReplyStream | None = None
        self._changing = threading.RLock()

    @property
    def system_messages(self) -> list[dict[str, Any]]:
        """The system prompt as messages: one, or none."""
        if not self.system_prompt:
            return []
        return [{"role": "system", "content": self.system_prompt}]

    def stream(
        self, text: str | list[dict[str, Any]], *, replace_from: int | None = None, **options: Any
    ) -> ReplyStream:
        """Say ``text`` and give the reply on its way.

        The user's turn is noted at once, the assistant's when the reply is over,
        also if it was cut short. A reply that still goes on is cancelled first.

        Parameters
        ----------
        text : what the user says: a string or OpenAI content parts.
        replace_from : forget the messages from this index on first.
        **options : ``enable_thinking``, ``tools``, ``chat_template``,
            ``chat_template_kwargs``, ``reasoning_format``, and the fields of
            :class:`~llamanb.settings.SamplingSettings`.

        Raises
        ------
        OptionError, TemplateError, ContextLengthError
            Before anything is noted.
        """
        with self._changing:
            self.stop()
            messages = [
                *self.messages[: self._kept(replace_from)],
                {"role": "user", "content": text},
            ]
            stream = self._current = self._answer(messages, options)
            self.messages[:] = messages
            return stream

    def _answer(self, messages: list[dict[str, Any]], options: dict[str, Any]) -> ReplyStream:
        template = {name: options.pop(name) for name in _TEMPLATE_OPTIONS if name in options}
        return reply(
            self.model,
            [*self.system_messages, *messages],
            sampling=SamplingSettings.from_options(self.sampling, **options),
            affinity=self._affinity,
            on_finish=self._note,
            **template,
        )

    def send(self, text: str | list[dict[str, Any]], **options: Any) -> ChatMessage:
        """Say ``text``, wait, and give the whole reply; options as ``stream``.

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

    def stop(self) -> None:
        """Cancel the reply that goes on, if one does, and keep what it has said."""
        current, self._current = self._current, None
        if current is not None:
            current.close()

    def undo(self) -> str:
        """Forget the user's last turn and what followed; give the turn's text.

        Raises
        ------
        OptionError
            If the user has said nothing.
        """
        with self._changing:
            self.stop()
            places = [i for i, message in enumerate(self.messages) if message["role"] == "user"]
            if not places:
                raise OptionError("there is no turn to take back")
            content = self.messages[places[-1]]["content"]
            del self.messages[places[-1] :]
        return content_text(content)

    def reset(self) -> None:
        """Forget all messages; the system prompt stays."""
        with self._changing:
            self.stop()
            self.messages.clear()

    def _kept(self, replace_from: int | None) -> int:
        if replace_from is None:
            return len(self.messages)
        if not 0 <= replace_from <= len(self.messages):
            raise OptionError(
                f"replace_from={replace_from!r} is not possible: there are "
                f"{len(self.messages)} messages"
            )
        return replace_from

    def _note(self, stream: ReplyStream) -> None:
        message = stream.message
        if message.content or message.reasoning_content:
            self.messages.append(message.to_openai())


def _message_of(stream: ReplyStream) -> ChatMessage:
    if stream.finished is not None and stream.finished.reason == "error":
        stream.generation.raise_for_error()
        raise EngineError(stream.finished.error or "the reply failed")
    return stream.message
