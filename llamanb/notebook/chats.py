"""Named chats: one conversation each, whose turns remember the cell that asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llamanb.conversation import Session
from llamanb.notebook.messages import UsageError, unknown

if TYPE_CHECKING:
    from llamanb.conversation import ReplyStream
    from llamanb.models import Model

__all__ = ["DEFAULT_CHAT", "ChatBook", "NamedChat"]

DEFAULT_CHAT = "main"


@dataclass(slots=True)
class NamedChat:
    """One conversation.

    ``turns`` holds, for each question, the id of the cell that asked (None where
    cells have no id) and the index of its message.
    """

    name: str
    session: Session
    model_name: str = ""
    turns: list[tuple[str | None, int]] = field(default_factory=list)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages so far without the system prompt, OpenAI's dictionaries."""
        return self.session.messages

    @property
    def n_turns(self) -> int:
        """How many questions have been asked."""
        return sum(message["role"] == "user" for message in self.messages)

    def stream(self, text: str, cell_id: str | None, options: dict[str, Any]) -> ReplyStream:
        """Ask ``text`` and give the reply on its way.

        A cell that has asked before takes the place of its own turn, and what was
        said after it is forgotten.

        Raises
        ------
        LlamanbError
            What ``Session.stream`` raises; nothing has changed then.
        """
        own = self._own_turn(cell_id)
        start = None if own is None else self.turns[own][1]
        stream = self.session.stream(text, replace_from=start, **options)
        del self.turns[len(self.turns) if own is None else own :]
        self.turns.append((cell_id, len(self.messages) - 1))
        return stream

    def messages_before(self, cell_id: str | None) -> list[dict[str, Any]]:
        """Give the messages, system prompt first, that a question of this cell would follow."""
        own = self._own_turn(cell_id)
        end = None if own is None else self.turns[own][1]
        return [*self.session.system_messages, *self.messages[:end]]

    def _own_turn(self, cell_id: str | None) -> int | None:
        self._forget_lost_turns()
        asked = (n for n, turn in enumerate(self.turns) if turn[0] == cell_id)
        return next(asked, None) if cell_id else None

    def undo(self) -> str:
        """Take the last turn back and give its question.

        Raises
        ------
        UsageError
            If nothing has been said.
        """
        if not self.messages:
            raise UsageError(f"the chat {self.name!r} has no turn to undo")
        question = self.session.undo()
        self._forget_lost_turns()
        return question

    def reset(self) -> None:
        """Forget all turns; the system prompt stays."""
        self.session.reset()
        self.turns.clear()

    def _forget_lost_turns(self) -> None:
        """Drop turns whose question is no longer among the messages."""
        present = len(self.messages)
        self.turns = [turn for turn in self.turns if turn[1] < present]


class ChatBook:
    """The named chats of this kernel."""

    def __init__(self) -> None:
        self._chats: dict[str, NamedChat] = {}

    def names(self) -> list[str]:
        """Give the names, in the order of their beginning."""
        return list(self._chats)

    def open(self, name: str, model: Model, system_prompt: str | None) -> NamedChat:
        """Give the chat of that name, begun if need be, answered by ``model`` from now on."""
        chat = self._chats.get(name) or NamedChat(name, Session(model))
        self._chats[name] = chat
        chat.session.model = model
        chat.model_name = model.name
        if system_prompt is not None:
            chat.session.system_prompt = system_prompt
        return chat

    def find(self, name: str) -> NamedChat:
        """Give the chat of that name.

        Raises
        ------
        UsageError
            If there is none; names the nearest.
        """
        if name not in self._chats:
            raise unknown("chat", name, self._chats, example="%llama chats")
        return self._chats[name]

    def forget(self, name: str) -> None:
        """Drop the chat of that name, system prompt and all."""
        self._chats.pop(name, None)
