"""What the panel of models and the page say to each other.

Beside what ``live_talk.py`` says: the page says ``unload``, ``pin`` and ``unpin`` with the
``name`` of a model; the kernel tells ``figures`` (everything, when something has changed) and
answers a view that pressed a button with a ``notice``.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from llamanb.errors import LlamanbError
from llamanb.models.kernel import manager
from llamanb.notebook.live_feed import LiveFeed
from llamanb.notebook.live_talk import Feed, LiveTalk
from llamanb.notebook.messages import one_line
from llamanb.notebook.models_facts import is_at_work, kernel_facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.notebook.state import NotebookState

__all__ = ["ModelsTalk"]

INTERVAL_S = 0.25
REST_S = 0.75


class ModelsTalk(LiveTalk):
    """The kernel's side of the panel; nobody is asked for figures while no view is open.

    Parameters
    ----------
    send : sends one message to all views.
    looked : called after every look, for the copies in the saved notebook.
    """

    def __init__(
        self,
        state: NotebookState,
        *,
        send: Callable[[dict[str, Any]], None],
        looked: Callable[[], None],
    ) -> None:
        super().__init__(send)
        self._state, self._looked = state, looked
        self._facts: dict[str, Any] = {}

    def everything(self) -> dict[str, Any]:
        """Give the models and what else runs."""
        return kernel_facts(self._state)

    def watch(self) -> Feed | None:
        """Look four times a second while a model works, else once."""
        self._facts = self.everything()
        feed = LiveFeed("llamanb-panel", self._look, interval_s=INTERVAL_S, rest_s=REST_S)
        feed.start()
        return feed

    def hear(self, message: dict[str, Any]) -> None:
        """Do what a button says; waiting for a model is not for the thread of messages."""
        match message:
            case {"k": "unload" | "pin" | "unpin" as kind, "view": str(view), "name": str(name)}:
                threading.Thread(
                    target=self._answer,
                    args=(kind, view, name),
                    name=f"llamanb-{kind}",
                    daemon=True,
                ).start()

    def _answer(self, kind: str, view: str, name: str) -> None:
        try:
            said, is_error = self._change(kind, name), False
        except LlamanbError as error:
            said, is_error = one_line(error), True
        self.post.answer(view, "notice", {"text": said, "is_error": is_error})
        self.look()

    def _change(self, kind: str, name: str) -> str:
        match kind:
            case "unload":
                self._state.unload(name)
                return f"{name} is unloaded."
            case "pin":
                manager().pin(name)
                return f"{name} is never evicted now."
        manager().unpin(name)
        return f"{name} may be evicted when it is idle."

    def _look(self) -> bool:
        facts = self.everything()
        if facts != self._facts:
            self._facts = facts
            self.post.tell("figures", facts)
        self._looked()
        if is_at_work(facts):
            self.look()
        return True
