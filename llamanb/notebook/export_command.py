"""``%llama export``, ``save``, ``restore`` and ``fork``: named chats as files and copies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from llamanb.conversation import Session
from llamanb.notebook.chat.export import write_talk
from llamanb.notebook.chat.messages_view import talk_of_messages
from llamanb.notebook.messages import UsageError, one_line
from llamanb.notebook.tables import Note
from llamanb.settings import SamplingSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.notebook.arguments import Arguments
    from llamanb.notebook.chat.parts import TalkView
    from llamanb.notebook.chats import NamedChat
    from llamanb.notebook.state import NotebookState

__all__ = ["EXPORT_HANDLERS", "talk_of_chat"]

LARGEST_TALK_BYTES = 1 << 28


def talk_of_chat(chat: NamedChat) -> TalkView:
    """Give a named chat as a plain value."""
    model: Any = chat.session.model
    usual, chosen = SamplingSettings(), chat.session.sampling
    sampling = {name: getattr(chosen, name) for name in SamplingSettings.__slots__}
    return talk_of_messages(
        chat.session.export(),
        model=model.name,
        is_toy=model.is_toy,
        sampling={k: value for k, value in sampling.items() if value != getattr(usual, k)},
    )


def _export(arguments: Arguments, state: NotebookState) -> Note:
    name, chat = _chat(arguments, state)
    try:
        path = write_talk(talk_of_chat(chat), arguments.operands[0])
    except (OSError, RuntimeError) as error:
        raise UsageError(f"cannot write {arguments.operands[0]!r}: {one_line(error)}") from None
    return Note(f"wrote the chat {name!r} to {path}")


def _save(arguments: Arguments, state: NotebookState) -> Note:
    name, chat = _chat(arguments, state)
    written = arguments.operands[0]
    try:
        path = Path(written).expanduser()
        path.write_bytes(chat.session.to_json().encode("utf-8", "backslashreplace"))
    except (OSError, RuntimeError) as error:
        raise UsageError(f"cannot write {written!r}: {one_line(error)}") from None
    return Note(f"saved the chat {name!r} to {path}; %llama restore {path} goes on with it")


def _restore(arguments: Arguments, state: NotebookState) -> Note:
    name = state.chat_name(arguments.values.get("chat"))
    text = _read(arguments.operands[0])
    model = state.model(arguments.values.get("model"))
    chat = state.chats.adopt(name, Session.from_json(text, model), model.name)
    count = chat.n_turns
    return Note(f"the chat {name!r} goes on after {count} turn{'s' * (count != 1)}")


def _read(written: str) -> str:
    try:
        path = Path(written).expanduser()
        if path.stat().st_size > LARGEST_TALK_BYTES:
            raise UsageError(f"{written!r} is larger than any saved chat")
        return path.read_text(encoding="utf-8")
    except (OSError, RuntimeError, ValueError) as error:
        example = "Example: %llama restore talk.json"
        raise UsageError(f"cannot read {written!r}: {one_line(error)}. {example}") from None


def _fork(arguments: Arguments, state: NotebookState) -> Note:
    name, _ = _chat(arguments, state)
    copied = state.chats.copy(name, arguments.operands[0])
    return Note(f"{copied.name!r} is a copy of {name!r}: %%llama -c {copied.name} goes on with it")


def _chat(arguments: Arguments, state: NotebookState) -> tuple[str, NamedChat]:
    name = state.chat_name(arguments.values.get("chat"))
    return name, state.chats.find(name)


EXPORT_HANDLERS: dict[str, Callable[[Arguments, NotebookState], Any]] = {
    "export": _export,
    "save": _save,
    "restore": _restore,
    "fork": _fork,
}
