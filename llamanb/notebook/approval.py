"""Ask in the cell whether a tool may run."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from IPython.core.error import StdinNotImplementedError

from llamanb.conversation.tools import ToolDecision
from llamanb.notebook.call_view import call_python

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llamanb.conversation.tools import ToolRequest

__all__ = ["CellApproval", "plain_interrupts"]

MOST_QUESTIONS = 3
NOBODY = (
    "nobody can be asked here; allow calls with --approve auto, "
    "or this tool with @llamanb.tool(approve=True)"
)
_ANSWERS = {"y": True, "yes": True, "n": False, "no": False}
_ALL = frozenset({"a", "all"})


class Watcher(Protocol):
    """Who follows the reply."""

    def show_question(self, call_id: str) -> None:
        """Show the call that is asked about."""

    def note_answer(self, call_id: str) -> None:
        """Note that the question is over."""

    def stop(self) -> None:
        """Stop the reply."""


class CellApproval:
    """Asks the person at the notebook, once per call, until they allow all calls of the cell.

    It is called in the thread that reads the reply, which is the one that may use the
    kernel's standard input: an input box in a notebook, a line in a terminal.

    Parameters
    ----------
    read : shows a text and gives the line that was typed; ``input`` by default.

    Attributes
    ----------
    watcher : who shows what is asked about, and stops the reply at an interrupt.
    """

    asks_in_place = True

    def __init__(self, read: Callable[[str], str] | None = None) -> None:
        self.watcher: Watcher | None = None
        self._read = read or _read_line
        self._allows_all = False

    def __call__(self, request: ToolRequest) -> ToolDecision:
        """Decide about one call."""
        if self._allows_all:
            return ToolDecision.allow()
        if self.watcher:
            self.watcher.show_question(request.id)
        try:
            with plain_interrupts():
                return self._ask(f"Run {call_python(request.name, dict(request.args))}?")
        except KeyboardInterrupt:
            if self.watcher:
                self.watcher.stop()
            return ToolDecision.deny()
        except (StdinNotImplementedError, EOFError, OSError):
            return ToolDecision.deny(NOBODY)
        finally:
            if self.watcher:
                self.watcher.note_answer(request.id)

    def _ask(self, question: str) -> ToolDecision:
        for _ in range(MOST_QUESTIONS):
            answer = self._read(f"{question} [y]es / [n]o / [a]ll of this cell ").strip().lower()
            self._allows_all = answer in _ALL
            if self._allows_all or _ANSWERS.get(answer):
                return ToolDecision.allow()
            if answer in _ANSWERS:
                return ToolDecision.deny("the user said no")
        return ToolDecision.deny("the user gave no clear answer")


def _read_line(prompt: str) -> str:
    return input(prompt)  # the kernel puts its own in the place of Python's


@contextmanager
def plain_interrupts() -> Iterator[None]:
    """Let Ctrl-C raise at once: for an awaited cell the kernel would keep it until an await."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kernels_own = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, kernels_own)
