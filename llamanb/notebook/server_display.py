"""Show a server as the value of a cell: the live panel, and what is saved of it.

A saved widget shows nothing once its kernel is gone. A second output, a table, therefore stays in
the notebook; the page hides it while the panel is alive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llamanb.notebook.server_panel import ServerPanel
    from llamanb.servers import Server

__all__ = ["register_display", "show_server", "unregister_display"]

MOST_PANELS = 16
_PANELS = "_llamanb_panels"
_TYPE = ("llamanb.servers.server", "Server")


def register_display(shell: Any) -> None:
    """Show servers as panels in the kernel of ``shell``; a terminal keeps the plain text."""
    if hasattr(shell, "kernel"):
        formatter = shell.display_formatter.ipython_display_formatter
        formatter.for_type_by_name(*_TYPE, lambda server: show_server(server, shell))


def unregister_display(shell: Any) -> None:
    """Undo ``register_display`` and close every panel; harmless when repeated."""
    formatter = shell.display_formatter.ipython_display_formatter
    formatter.deferred_printers.pop(_TYPE, None)
    for kind in [kind for kind in formatter.type_printers if _name_of(kind) == _TYPE]:
        del formatter.type_printers[kind]
    for panel in shell.__dict__.pop(_PANELS, {}).values():
        panel.close()


def show_server(server: Server, shell: Any) -> None:
    """Show ``server`` in the cell that runs; with ``LLAMANB_STREAM=0`` the table alone."""
    from IPython.core.displaypub import CapturingDisplayPublisher

    from llamanb.notebook.saved_sheet import SavedSheet
    from llamanb.settings import read_environment

    publisher = shell.display_pub
    if not read_environment().stream or isinstance(publisher, CapturingDisplayPublisher):
        SavedSheet(server, publisher).show()
        return
    panel = _panel_of(server, shell)
    panel.sheet.show()
    panel.show(publisher)


def _panel_of(server: Server, shell: Any) -> ServerPanel:
    """Give the server's panel; those of servers that stopped long ago are closed."""
    from llamanb.notebook.saved_sheet import SavedSheet
    from llamanb.notebook.server_panel import ServerPanel

    panels: dict[Server, ServerPanel] = shell.__dict__.setdefault(_PANELS, {})
    if server not in panels:
        panels[server] = ServerPanel(server, SavedSheet(server, shell.display_pub))
    for old in [one for one in panels if one.status == "stopped"][:-MOST_PANELS]:
        panels.pop(old).close()
    return panels[server]


def _name_of(kind: Any) -> tuple[str, str]:
    return kind.__module__, kind.__name__
