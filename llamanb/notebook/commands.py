"""What each ``%llama`` command does; ``options.COMMANDS`` says what it takes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llamanb.models.kernel import manager
from llamanb.notebook.chat_views import History, chats_table
from llamanb.notebook.export_command import EXPORT_HANDLERS
from llamanb.notebook.manual import command_help, overview
from llamanb.notebook.messages import UsageError, one_line, unknown
from llamanb.notebook.model_views import files_table, info_table
from llamanb.notebook.options import COMMANDS
from llamanb.notebook.server_commands import SERVER_HANDLERS
from llamanb.notebook.settings_command import change_settings
from llamanb.notebook.status import Status
from llamanb.notebook.tables import Note, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.notebook.arguments import Arguments
    from llamanb.notebook.state import NotebookState

__all__ = ["HANDLERS", "run_command"]

LONGEST_TEMPLATE_BYTES = 1 << 20


def run_command(name: str, arguments: Arguments, state: NotebookState) -> object:
    """Carry out one command and give what the cell shows.

    Raises
    ------
    UsageError
        For a name that nothing has; one line with the nearest match.
    LlamanbError
        What the models room raises.
    """
    return HANDLERS[name](arguments, state)


def _status(_: Arguments, state: NotebookState) -> Status:
    return Status.of(state)


def _load(arguments: Arguments, state: NotebookState) -> Note:
    options = dict(arguments.values)
    if kv_type := options.pop("kv_type", None):
        options |= {"type_k": kv_type, "type_v": kv_type}
    if template := options.pop("template", None):
        options["chat_template"] = _read_template(template)
    before = set(manager())
    begun = time.perf_counter()
    model = manager().load(arguments.operands[0], **options)
    seconds = time.perf_counter() - begun
    what = "already loaded" if model.name in before and not options.get("reload") else "loaded"
    return Note(f"{model.name}: {what}, {seconds:.2f} s")


def _read_template(name: str) -> str:
    example = "Example: --template x.jinja"
    try:
        path = Path(name).expanduser()
        if path.is_file() and path.stat().st_size <= LONGEST_TEMPLATE_BYTES:
            return path.read_text(encoding="utf-8")
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"--template: {name!r}: {one_line(error)}. {example}") from None
    raise UsageError(f"--template: {name!r} is not a template file. {example}")


def _unload(arguments: Arguments, state: NotebookState) -> Note:
    resident = list(manager())
    names = resident if arguments.values.get("all") else arguments.operands
    if not names and len(resident) == 1:
        names = resident
    if not names and arguments.values.get("all"):
        return Note("no model is resident")
    if not names:
        example = f"name one of {', '.join(resident)}, or --all" if resident else "none is resident"
        raise UsageError(f"unload what? {example}. Example: {COMMANDS['unload'].example}")
    for name in names:
        _known_model(name)
    for name in names:
        state.unload(name, force=bool(arguments.values.get("force")))
    return Note(f"unloaded {', '.join(names)}")


def _known_model(name: str) -> None:
    if name not in manager():
        raise unknown("model", name, manager(), example="%llama ps")


def _ps(_: Arguments, __: NotebookState) -> object:
    return manager().ps()


def _models(arguments: Arguments, _: NotebookState) -> object:
    return files_table(arguments.operands[0]) if arguments.operands else manager().ps()


def _use(arguments: Arguments, state: NotebookState) -> Note:
    model = state.model(arguments.operands[0])
    manager().default = model
    state.defaults.pop("model", None)
    return Note(f"{model.name} answers from now on")


def _alias(arguments: Arguments, _: NotebookState) -> object:
    if not arguments.operands:
        rows = sorted(manager().aliases.items())
        note = "" if rows else f"none yet. Example: {COMMANDS['alias'].example}"
        return Table("Short names", ("name", "model"), rows, note)
    if len(arguments.operands) != 2:
        raise UsageError(f"alias needs NAME and PATH. Example: {COMMANDS['alias'].example}")
    name, target = arguments.operands
    manager().alias(name, target)
    return Note(f"{name} now means {target}")


def _info(arguments: Arguments, state: NotebookState) -> Table:
    return info_table(state.model(arguments.operands[0] if arguments.operands else None))


def _set(arguments: Arguments, state: NotebookState) -> Table:
    return change_settings(arguments.operands, state)


def _chats(_: Arguments, state: NotebookState) -> Table:
    return chats_table(state)


def _chat_name(arguments: Arguments, state: NotebookState) -> str:
    return state.chat_name(arguments.operands[0] if arguments.operands else None)


def _history(arguments: Arguments, state: NotebookState) -> History | Note:
    name = _chat_name(arguments, state)
    if not arguments.operands and name not in state.chats.names():
        return Note(f"the chat {name!r} has no messages yet")
    return History(name, state.chats.find(name).messages)


def _reset(arguments: Arguments, state: NotebookState) -> Note:
    named = bool(arguments.operands)
    names = [_chat_name(arguments, state)]
    if arguments.values.get("all"):
        names = state.chats.names()
    for name in names:
        if named or name in state.chats.names():
            state.chats.find(name).reset()
    return Note(f"forgot the messages of {', '.join(names) or 'no chat'}")


def _undo(arguments: Arguments, state: NotebookState) -> Note:
    name = _chat_name(arguments, state)
    if name not in state.chats.names() and not arguments.operands:
        raise UsageError(f"the chat {name!r} has no turn to undo")
    return Note(f"took back: {state.chats.find(name).undo()}")


def _help(arguments: Arguments, _: NotebookState) -> Note:
    if not arguments.operands:
        return Note(overview())
    name = arguments.operands[0].lstrip("%")
    if name not in COMMANDS:
        raise unknown("command", name, COMMANDS, example="%llama help load")
    return Note(command_help(COMMANDS[name]))


HANDLERS: dict[str, Callable[[Arguments, NotebookState], Any]] = {
    "status": _status,
    "load": _load,
    "unload": _unload,
    "ps": _ps,
    "models": _models,
    "use": _use,
    "alias": _alias,
    "info": _info,
    "set": _set,
    "chats": _chats,
    "history": _history,
    "reset": _reset,
    "undo": _undo,
    "help": _help,
    **EXPORT_HANDLERS,
    **SERVER_HANDLERS,
}
