"""Carry out ``%llama`` lines and ``%%llama`` cells: parse, ask, follow, conclude.

Imported at the first use of a magic, so that registering the magics costs little.
"""

from __future__ import annotations

from contextlib import contextmanager
from difflib import get_close_matches
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from IPython.display import display

from llamanb.errors import LlamanbError
from llamanb.notebook.approval import plain_interrupts
from llamanb.notebook.arguments import parse_line
from llamanb.notebook.asking import Asked, send_question
from llamanb.notebook.commands import run_command
from llamanb.notebook.following import follow, follow_async
from llamanb.notebook.inspectors import INSPECTORS
from llamanb.notebook.messages import UsageError, one_line, unknown
from llamanb.notebook.options import CELL, COMMANDS
from llamanb.notebook.prompt_view import PromptView
from llamanb.notebook.questions import choose_output, make_question

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llamanb.notebook.arguments import Arguments
    from llamanb.notebook.asking import Question
    from llamanb.notebook.reply import Reply
    from llamanb.notebook.state import NotebookState

__all__ = ["Runner"]

CLOSE = 0.7
LONGEST_EXAMPLE = 60
_HELP = ("--help", "-h")
_UNREADABLE = ("cancelled", "tool_calls")  # an answer was not expected, or is not there


class Runner:
    """Runs the magics of one shell.

    Parameters
    ----------
    raises_interrupts : whether an interrupt is raised after the text was kept.
    """

    def __init__(self, shell: Any, state: NotebookState, *, raises_interrupts: bool) -> None:
        self._shell = shell
        self._state = state
        self._raises_interrupts = raises_interrupts

    def run_line(self, line: str) -> object:
        """Carry out one ``%llama`` line and give what the cell shows."""
        with _plain_errors():
            name, rest = _split_line(line)
            if name and name not in COMMANDS:
                raise _unknown_command(name, rest)
            command = COMMANDS[name or "status"]
            arguments = parse_line(rest, command)
            if command.name == "ask":
                return self._ask(arguments, self._question(arguments, arguments.text))
            if command.name in INSPECTORS:
                return INSPECTORS[command.name](arguments, self._state, self._shell)
            return run_command(command.name, arguments, self._state)

    def run_cell(self, line: str, cell: str) -> object:
        """Ask what a ``%%llama`` cell says, in this thread."""
        with _plain_errors():
            arguments = _cell_arguments(line, cell)
            return self._ask(arguments, self._question(arguments, cell.rstrip("\n")))

    async def run_cell_async(self, line: str, cell: str) -> object:
        """Ask what a ``%%llama`` cell says, without blocking the event loop."""
        with _plain_errors():
            arguments = _cell_arguments(line, cell)
            with plain_interrupts():
                question = self._question(arguments, cell.rstrip("\n"))
            if arguments.values.get("dry_run"):
                return PromptView.of(question)
            asked = self._send(arguments, question)
            await follow_async(asked.source, asked.transcript, asked.output)
            return self._conclude(asked)

    def _question(self, arguments: Arguments, text: str) -> Question:
        return make_question(arguments.values, text, self._state, self._shell)

    def _ask(self, arguments: Arguments, question: Question) -> Reply | PromptView:
        if arguments.values.get("dry_run"):
            return PromptView.of(question)
        asked = self._send(arguments, question)
        follow(asked.source, asked.transcript, asked.output)
        return self._conclude(asked)

    def _send(self, arguments: Arguments, question: Question) -> Asked:
        output = choose_output(arguments.values, question.style, self._shell)
        asked = send_question(question, output)
        try:
            output.begin()
        except BaseException:
            asked.source.cancel()
            raise
        return asked

    def _conclude(self, asked: Asked) -> Reply:
        reply = asked.conclude()
        self._keep(asked.question, reply)
        if reply.probs is not None and asked.question.style != "silent":
            display(reply.probs)
        if asked.transcript.interrupted and self._raises_interrupts:
            raise KeyboardInterrupt
        return reply

    def _keep(self, question: Question, reply: Reply) -> None:
        """Put the reply, or with ``--schema`` its value, into the variable of ``-o``."""
        names = self._shell.user_ns
        if question.variable:
            names[question.variable] = reply
        if question.wanted.has_value and reply.finish_reason not in _UNREADABLE:
            reply.parsed = question.wanted.read(reply.text, reply.finish_reason)
            if question.variable:
                names[question.variable] = reply.parsed


def _split_line(line: str) -> tuple[str, str]:
    """Give the command and the rest; ``load?``, ``load --help`` and ``--help`` ask for help."""
    name, _, rest = line.strip().partition(" ")
    if name in _HELP:
        return "help", rest
    asked = name.rstrip("?")
    if asked in COMMANDS and (rest.strip() in _HELP or (asked != name and not rest)):
        return "help", asked
    return name, rest


def _unknown_command(name: str, rest: str) -> UsageError:
    """Propose the command that was meant; a sentence was meant for ``ask``."""
    is_sentence = bool(rest) and name[:1].isupper()
    if not is_sentence and (near := get_close_matches(name, COMMANDS, n=1, cutoff=CLOSE)):
        return unknown("command", name, COMMANDS, example=f"%llama {near[0]} {rest}".rstrip())
    if not rest:
        return unknown("command", name, COMMANDS, example="%llama help")
    question = shorten(f"{name} {rest}", LONGEST_EXAMPLE, placeholder=" …")
    return UsageError(
        f"unknown command {name!r}; to ask the model: %llama ask {question}"
        " (%llama help lists all commands)"
    )


def _cell_arguments(line: str, cell: str) -> Arguments:
    if not cell.strip():
        raise UsageError("the cell is empty: write the prompt below the %%llama line")
    arguments = parse_line(line, CELL)
    if arguments.operands:
        arguments.values.setdefault("model", arguments.operands[0])
    return arguments


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn what llamanb raises on purpose into one line without a traceback."""
    try:
        yield
    except LlamanbError as error:
        raise UsageError(one_line(error)) from None
