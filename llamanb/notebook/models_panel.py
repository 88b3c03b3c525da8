"""The panel of models: a widget that shows what they do, unloads and pins them.

There is one in a kernel, drawn as often as ``%llama`` or ``llamanb.models`` is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamanb.models.kernel import manager
from llamanb.notebook.live_widget import STATIC, LiveWidget
from llamanb.notebook.models_talk import ModelsTalk
from llamanb.notebook.saved_copy import SavedCopy
from llamanb.notebook.status import Status

if TYPE_CHECKING:
    from llamanb.notebook.state import NotebookState

__all__ = ["ModelsPanel"]


class ModelsPanel(LiveWidget):
    """The widget; ``models_talk.py`` says what it and the page tell each other.

    ``twins`` are the copies that stay in a saved notebook, of ``%llama`` and of
    ``llamanb.models``; the page hides them while a view is open.
    """

    _esm = STATIC / "models_panel.js"
    _css = STATIC / "models_panel.css"

    def __init__(self, state: NotebookState) -> None:
        self.twins = {
            "status": SavedCopy(lambda: Status.of(state)),
            "models": SavedCopy(lambda: manager().ps()),
        }
        self._talk = ModelsTalk(state, send=self._post, looked=self._refresh)
        super().__init__()

    def hear(self, message: object) -> None:
        """Take a message of the page."""
        self._talk.receive(message)

    def close(self) -> None:
        """Take every view off the page."""
        self._talk.close()
        super().close()

    def _refresh(self) -> None:
        for twin in self.twins.values():
            twin.refresh()

    def _post(self, message: dict[str, Any]) -> None:
        self.send({**message, "twins": [twin.name for twin in self.twins.values()]})
