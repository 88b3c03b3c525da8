"""The panel of a server: a widget that shows its log as it grows, and stops it.

There is one for each server, drawn as often as the server is shown: running a cell again adds a
view and takes one away, and leaves nothing behind in the kernel.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget

from llamanb.integrations.clients import client_snippets
from llamanb.notebook.server_talk import ServerTalk

if TYPE_CHECKING:
    from llamanb.notebook.saved_sheet import SavedSheet
    from llamanb.servers import Server

__all__ = ["ServerPanel"]

STATIC = Path(__file__).parent / "static"


class ServerPanel(anywidget.AnyWidget):
    """The widget; ``server_talk.py`` says what it and the page tell each other.

    ``sheet`` is the copy that stays in a saved notebook; the page hides it while a view is open.
    """

    _esm = STATIC / "server_panel.js"
    _css = STATIC / "server_panel.css"

    def __init__(self, server: Server, sheet: SavedSheet) -> None:
        super().__init__()
        self._talk = ServerTalk(
            server,
            send=self._post,
            snippets=lambda: client_snippets(server),
            looked=sheet.refresh,
        )
        self.sheet = sheet
        self.on_msg(self._hear)
        _answer_while_busy(self.comm)

    def show(self, publisher: Any) -> None:
        """Add a view to the outputs of the cell that runs."""
        bundle, metadata = self._repr_mimebundle_() or ({}, {})
        publisher.publish({**bundle, "text/plain": ""}, metadata)

    def close(self) -> None:
        """Take every view off the page."""
        self._talk.close()
        self.layout.close()
        super().close()

    def _post(self, message: dict[str, Any]) -> None:
        self.send({**message, "sheet": self.sheet.name})

    def _hear(self, _: ServerPanel, message: object, __: object) -> None:
        self._talk.receive(message)


def _answer_while_busy(comm: Any) -> None:
    """Keep messages of the page off the main thread once something was sent from a cell.

    ipykernel 7.4 passes them to the shell that last published, which a running cell keeps busy.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = None  # noqa: SLF001  # there is no public switch
