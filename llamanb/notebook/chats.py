"""Named chats: one conversation each, whose turns remember the cell that asked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from llamanb.conversation import Session
from llamanb.notebook.messages import UsageError, unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llamanb.chat_layer import ChatPrompt
    from llamanb.conversation import TalkStream
    from llamanb.conversation.tools import Tool
    from llamanb.models import Model
    from llamanb.notebook.reply import Reply

__all__ = ["DEFAULT_CHAT", "CellRun", "ChatBook", "NamedChat"]

DEFAULT_CHAT = "main"


@dataclass(frozen=True, slots=True)
class CellRun:
    """One run of a cell: the cell's id, None where cells have none, and the run's own."""

    cell_id: str | None = None
    run_id: str = ""

    def repeats(self, other: CellRun) -> bool:
        """Whether this is a later run of the same cell; a cell may ask several times in one."""
        is_same_cell = bool(self.cell_id) and self.cell_id == other.cell_id
        return is_same_cell and self.run_id != other.run_id


@dataclass(slots=True)
class NamedChat:
    """One conversation.

    ``turns`` holds, for each question of a cell, the run that asked, the index of its message
    and the message: others may change the talk, too. ``prompt`` is the last that was
    answered, ``last_reply`` what the last cell was answered.
    """

    name: str
    session: Session
    model_name: str = ""
    prompt: ChatPrompt | None = None
    last_reply: Reply | None = None
    turns: list[tuple[CellRun, int, dict[str, Any]]] = field(default_factory=list)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages so far without the system prompt, OpenAI's dictionaries."""
        return self.session.messages

    @property
    def n_turns(self) -> int:
        """How many questions have been asked."""
        return sum(message["role"] == "user" for message in self.messages)

    def stream(self, text: str, run: CellRun, options: dict[str, Any]) -> TalkStream:
        """Ask ``text`` and give the reply on its way.

        A cell that has asked before takes the place of its own turn, and what was
        said after it is forgotten.

        Raises
        ------
        LlamanbError
            What ``Session.stream`` raises; nothing has changed then.
        """
        own = self._own_turn(run)
        start = None if own is None else self.turns[own][1]
        stream = self.session.stream(text, replace_from=start, **options)
        self.prompt, self.last_reply = stream.prompt, None
        del self.turns[len(self.turns) if own is None else own :]
        place = len(self.messages) - 1
        self.turns.append((run, place, self.messages[place]))
        return stream

    def messages_before(self, run: CellRun) -> list[dict[str, Any]]:
        """Give the messages, system prompt first, that a question of this run would follow."""
        own = self._own_turn(run)
        end = None if own is None else self.turns[own][1]
        return [*self.session.system_messages, *self.messages[:end]]

    def _own_turn(self, run: CellRun) -> int | None:
        self._forget_lost_turns()
        return next((n for n, turn in enumerate(self.turns) if run.repeats(turn[0])), None)

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
        self.prompt = self.last_reply = None

    def _forget_lost_turns(self) -> None:
        """Drop turns whose question is no longer among the messages."""
        self.turns = [
            turn for turn in self.turns if self.messages[turn[1] : turn[1] + 1] == [turn[2]]
        ]


class ChatBook:
    """The named chats of this kernel."""

    def __init__(self) -> None:
        self._chats: dict[str, NamedChat] = {}

    def names(self) -> list[str]:
        """Give the names, in the order of their beginning."""
        return list(self._chats)

    def open(
        self,
        name: str,
        model: Model,
        system_prompt: str | None = None,
        tools: Sequence[Tool[..., Any]] | None = None,
    ) -> NamedChat:
        """Give the chat of that name, begun if need be, answered by ``model`` from now on.

        None keeps the system prompt, or the tools, that the chat has.
        """
        chat = self._chats.get(name) or NamedChat(name, Session(model))
        self._chats[name] = chat
        chat.session.model = model
        chat.model_name = model.name
        if system_prompt is not None:
            chat.session.system_prompt = system_prompt
        if tools is not None:
            chat.session.tools = tools
        return chat

    def draft(
        self,
        name: str,
        model: Model,
        system_prompt: str | None = None,
        tools: Sequence[Tool[..., Any]] | None = None,
        *,
        anew: bool = False,
    ) -> NamedChat:
        """Give what ``open`` would, after ``forget`` with ``anew``, as a copy that nobody keeps."""
        book = ChatBook()
        known = None if anew else self._chats.get(name)
        if known is not None:
            book._chats[name] = NamedChat(
                name, known.session.fork(), prompt=known.prompt, turns=list(known.turns)
            )
        return book.open(name, model, system_prompt, tools)

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

    def copy(self, name: str, new_name: str) -> NamedChat:
        """Give a copy of the chat of that name, kept under another.

        Raises
        ------
        UsageError
            If there is none, or the other name is taken.
        """
        known = self.find(name)
        self._refuse_begun(new_name)
        copied = replace(
            known, name=new_name, session=known.session.fork(), turns=list(known.turns)
        )
        self._chats[new_name] = copied
        return copied

    def adopt(self, name: str, session: Session, model_name: str) -> NamedChat:
        """Give the chat of that name with ``session`` as its talk.

        Raises
        ------
        UsageError
            If something has been said in it already.
        """
        self._refuse_begun(name)
        self._chats[name] = NamedChat(name, session, model_name)
        return self._chats[name]

    def _refuse_begun(self, name: str) -> None:
        if name in self._chats and self._chats[name].messages:
            raise UsageError(
                f"the chat {name!r} has messages already: take another name, or "
                f"forget them with %llama reset {name}"
            )

    def forget(self, name: str) -> None:
        """Drop the chat of that name, system prompt and all."""
        self._chats.pop(name, None)
