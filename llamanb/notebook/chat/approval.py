"""Ask in the page whether a tool may run; what is decided is kept here, in Python."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from llamanb.conversation.tools import ToolDecision

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.conversation.tools import ToolRequest

__all__ = ["PageApproval"]

NOT_ASKED = "the turn was stopped"


class _Question:
    """One call that waits; stages: made → ``answered`` is set with a ``decision``."""

    def __init__(self, tool: str) -> None:
        self.tool = tool
        self.answered = threading.Event()
        self.decision = ToolDecision.deny(NOT_ASKED)


class PageApproval:
    """Waits for the person at the page, call by call.

    Called in a thread of its own. A tool that was always allowed once is not asked
    about again.

    Parameters
    ----------
    asked : called with a call's id when its question begins (True) and is over (False);
        tells whether the turn of that call still goes on.
    """

    def __init__(self, asked: Callable[[str, bool], bool]) -> None:
        self._asked = asked
        self._lock = threading.Lock()
        self._waiting: dict[str, _Question] = {}
        self._always: set[str] = set()

    def __call__(self, request: ToolRequest) -> ToolDecision:
        """Decide about one call."""
        with self._lock:
            if request.name in self._always:
                return ToolDecision.allow()
            question = self._waiting[request.id] = _Question(request.name)
        try:
            if self._asked(request.id, True):  # noqa: FBT003  # the callback's only flag
                question.answered.wait()
        finally:
            self._end(request.id, question)
        return question.decision

    def _end(self, call_id: str, question: _Question) -> None:
        with self._lock:
            # A later turn may have a call of the same id: that question is not ours.
            is_own = self._waiting.get(call_id) is question
            if is_own:
                del self._waiting[call_id]
        if is_own:
            self._asked(call_id, False)  # noqa: FBT003  # the callback's only flag

    def answer(self, call_id: str, decision: ToolDecision, *, always: bool = False) -> bool:
        """Answer the question about a call; False if there is none."""
        with self._lock:
            question = self._waiting.get(call_id)
            if question is None:
                return False
            if always and decision.is_allowed:
                self._always.add(question.tool)
        question.decision = decision
        question.answered.set()
        return True

    def ask_always(self) -> None:
        """Ask about every tool again."""
        with self._lock:
            self._always.clear()

    def deny_all(self) -> None:
        """Let every question end with a no."""
        with self._lock:
            waiting = list(self._waiting.values())
        for question in waiting:
            question.answered.set()
