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
    asked : called with a call's id when its question begins (True) and is over (False).
    """

    def __init__(self, asked: Callable[[str, bool], None]) -> None:
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
        self._asked(request.id, True)  # noqa: FBT003  # the callback's only flag
        try:
            question.answered.wait()
        finally:
            with self._lock:
                self._waiting.pop(request.id, None)
            self._asked(request.id, False)  # noqa: FBT003  # the callback's only flag
        return question.decision

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

    def deny_all(self) -> None:
        """Let every question end with a no."""
        with self._lock:
            waiting = list(self._waiting.values())
        for question in waiting:
            question.answered.set()
