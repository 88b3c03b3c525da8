"""Show a server as the value of a cell: the live panel, and what is saved of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamanb.notebook.live_state import is_live, live_widgets

if TYPE_CHECKING:
    from llamanb.notebook.saved_copy import SavedCopy
    from llamanb.notebook.server_panel import ServerPanel
    from llamanb.servers import Server

__all__ = ["show_server"]

MOST_PANELS = 16
_KIND = "server"


def show_server(server: Server, shell: Any) -> None:
    """Show ``server`` in the cell that runs; where nothing is live the table alone."""
    if not is_live(shell):
        _twin_of(server).show(shell.display_pub)
        return
    panel = _panel_of(server, shell)
    panel.twin.show(shell.display_pub)
    panel.show(shell.display_pub)


def _panel_of(server: Server, shell: Any) -> ServerPanel:
    """Give the server's panel; those of servers that stopped long ago are closed."""
    from llamanb.notebook.server_panel import ServerPanel

    panels: dict[Server, ServerPanel] = live_widgets(shell, _KIND)
    if server not in panels:
        panels[server] = ServerPanel(server, _twin_of(server))
    for old in [one for one in panels if one.status == "stopped"][:-MOST_PANELS]:
        panels.pop(old).close()
    return panels[server]


def _twin_of(server: Server) -> SavedCopy:
    from llamanb.notebook.saved_copy import SavedCopy
    from llamanb.notebook.server_sheet import ServerSheet

    return SavedCopy(lambda: ServerSheet.of(server))
