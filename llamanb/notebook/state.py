"""What the magics of one kernel remember: chats and defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llamanb.models.kernel import manager
from llamanb.notebook.chats import DEFAULT_CHAT, ChatBook
from llamanb.notebook.messages import unknown
from llamanb.servers import registry

if TYPE_CHECKING:
    from llamanb.models import Model
    from llamanb.notebook.chat.widget import ChatWidget

__all__ = ["NotebookState"]


@dataclass(slots=True)
class NotebookState:
    """Chats and their widgets, and the defaults that ``%llama set`` and ``%llama use`` leave."""

    chats: ChatBook = field(default_factory=ChatBook)
    widgets: dict[str, ChatWidget] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)

    def names(self, kind: str) -> list[str]:
        """Give the names of the ``"models"`` or ``"chats"``, or the ``"ports"``, that there are."""
        if kind == "chats":
            return self.chats.names()
        if kind == "ports":
            return [str(port) for port in registry()]
        return list(dict.fromkeys([*manager(), *manager().aliases]))

    def chat_name(self, name: str | None) -> str:
        """Give ``name``, or the chat that is written to when none is named."""
        return str(name or self.defaults.get("chat") or DEFAULT_CHAT)

    def begin_anew(self, name: str) -> None:
        """Forget a chat, system prompt and tools too; a widget that shows it goes on, empty."""
        widget = self.widgets.get(name)
        if widget is None or widget.is_closed or name not in self.chats.names():
            self.chats.forget(name)
            return
        chat = self.chats.find(name)
        chat.reset()
        chat.session.system_prompt, chat.session.tools = None, ()

    def model(self, name: str | None) -> Model:
        """Give the model that answers: the named one, else the default one.

        Raises
        ------
        UsageError
            If no resident model, alias or bundled model has that name.
        """
        wanted = name or self.defaults.get("model")
        if not wanted:
            return manager().default
        if wanted in manager():
            return manager()[wanted]
        loadable = {*manager().aliases, "demo", "demo-embed"}
        if wanted not in loadable:
            example = "%llama load PATH, then %%llama -m NAME"
            raise unknown("model", wanted, [*self.names("models"), *loadable], example=example)
        return manager().load(wanted)

    def unload(self, name: str, *, force: bool = False) -> None:
        """Unload a model; as a default it is forgotten.

        Raises
        ------
        UnknownModelError, ModelBusyError
            As ``llamanb.unload`` does.
        """
        manager().unload(name, force=force)
        if self.defaults.get("model") == name:
            del self.defaults["model"]
