"""The chat: chatlas' own, with tools that are asked about, and an end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar

from chatlas import Chat, ToolBuiltIn
from chatlas.types import ContentJson
from pydantic import BaseModel

from llamanb.errors import ExtractionError
from llamanb.integrations.chatlas.tools import Gate, runner_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chatlas import Provider
    from chatlas.types import Content

    from llamanb.conversation.tools.approval import Approve

__all__ = ["LlamaChat"]

M = TypeVar("M", bound=BaseModel)


class LlamaChat(Chat[Any, Any]):
    """A ``chatlas.Chat``; ``close`` ends it.

    Tools are described from their hints and docstrings, their arguments are checked, and
    ``approve`` decides whether a call may run.
    """

    def __init__(
        self,
        provider: Provider[Any, Any, Any, Any],
        *,
        system_prompt: str | None = None,
        tools: Iterable[Any] = (),
        approve: Approve | None = None,
        kwargs_chat: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(provider, system_prompt=system_prompt, kwargs_chat=kwargs_chat)
        self._gate = Gate(self, approve)
        self.on_tool_request(self._gate)
        for tool in tools:
            self.register_tool(tool)

    def register_tool(
        self,
        func: Callable[..., Any] | Any,
        *,
        force: bool = False,
        name: str | None = None,
        model: type[BaseModel] | None = None,
        annotations: Any = None,
    ) -> None:
        """Let the model call a function, a ``llamanb.tool`` or a ``chatlas.Tool``.

        Options as of ``chatlas.Chat.register_tool``.
        """
        is_own = model is None and not isinstance(func, ToolBuiltIn)
        if is_own and annotations is None:
            annotations = getattr(func, "annotations", None)
        made = runner_of(func, self._gate, name) if is_own else func
        super().register_tool(made, force=force, name=name, model=model, annotations=annotations)

    def chat_structured(
        self,
        *args: Content | str,
        data_model: type[M],
        echo: Any = "none",
        stream: bool = False,
        kwargs: dict[str, Any] | None = None,
    ) -> M:
        """Ask for a value of a type, after the tools that the model wants to call first.

        Raises
        ------
        ExtractionError
            If the answer was cut off, or is not of the type.
        """
        del stream  # the answer is the same
        for _ in self.stream(*args, data_model=data_model, echo=echo, kwargs=kwargs):
            pass
        return self._value(data_model)

    async def chat_structured_async(
        self,
        *args: Content | str,
        data_model: type[M],
        echo: Any = "none",
        stream: bool = False,
        kwargs: dict[str, Any] | None = None,
    ) -> M:
        """Do the same without blocking the event loop."""
        del stream
        events = await self.stream_async(*args, data_model=data_model, echo=echo, kwargs=kwargs)
        async for _ in events:
            pass
        return self._value(data_model)

    def _value(self, data_model: type[M]) -> M:
        turn = self.get_last_turn()
        found = [one for one in (turn.contents if turn else ()) if isinstance(one, ContentJson)]
        if len(found) != 1:
            raise ExtractionError("the model gave no value of this type", text=str(turn or ""))
        return data_model.model_validate(found[0].value)

    def close(self) -> None:
        """Stop what is being answered and end the chat; harmless when repeated.

        The model stays resident for others; ``llamanb.unload`` gives its memory back.
        """
        # chatlas before 0.22 has no close, neither of chats nor of its own providers
        close = getattr(super(), "close", None) or getattr(self.provider, "close", None)
        if close is not None:
            close()

    async def close_async(self) -> None:
        """Do the same on an event loop, for what can be closed only there, too."""
        close = getattr(super(), "close_async", None)
        if close is None:
            self.close()
        else:
            await close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close_async()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
