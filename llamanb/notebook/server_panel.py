"""The panel of a server: a widget that shows its log as it grows, and stops it.

There is one for each server, drawn as often as the server is shown: running a cell again adds a
view and takes one away, and leaves nothing behind in the kernel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamanb.integrations.clients import client_snippets
from llamanb.notebook.live_widget import STATIC, LiveWidget
from llamanb.notebook.server_talk import ServerTalk

if TYPE_CHECKING:
    from llamanb.notebook.saved_copy import SavedCopy
    from llamanb.servers import Server

__all__ = ["ServerPanel"]


class ServerPanel(LiveWidget):
    """The widget; ``server_talk.py`` says what it and the page tell each other.

    ``twin`` is the copy that stays in a saved notebook; the page hides it while a view is open.
    """

    _esm = STATIC / "server_panel.js"
    _css = STATIC / "server_panel.css"

    def __init__(self, server: Server, twin: SavedCopy) -> None:
        self.twin = twin
        self._talk = ServerTalk(
            server,
            send=self._post,
            snippets=lambda: client_snippets(server),
            looked=lambda is_last: twin.refresh(is_last=is_last),
        )
        super().__init__()

    def hear(self, message: object) -> None:
        """Take a message of the page."""
        self._talk.receive(message)

    def close(self) -> None:
        """Take every view off the page."""
        self._talk.close()
        super().close()

    def _post(self, message: dict[str, Any]) -> None:
        self.send({**message, "twin": self.twin.name})
