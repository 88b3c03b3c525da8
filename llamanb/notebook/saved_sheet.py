"""The table of a server that stays in a notebook, replaced in place as the server goes on."""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING, Any

from llamanb.notebook.server_sheet import ServerSheet

if TYPE_CHECKING:
    from llamanb.servers import Server

__all__ = ["SavedSheet"]

REFRESH_S = 2.0
# The widget below it, once its kernel is gone: a box with an error message and nothing else.
_DEAD_WIDGET = (
    ".jp-OutputArea-child:has(.{name}) + .jp-OutputArea-child .jupyter-widgets:not(:has(*))"
    "{{display:none}}"
)


class SavedSheet:
    """Stages: made → shown, in as many cells as wanted → refreshed, in all of them at once.

    Attributes
    ----------
    name : its class in the page, by which the living panel hides it.
    """

    def __init__(self, server: Server, publisher: Any) -> None:
        # The publisher is kept: a cell may capture outputs while the server goes on.
        self.name = f"llamanb-sheet-{token_hex(8)}"
        self._server, self._publisher = server, publisher
        self._shown: ServerSheet | None = None

    def show(self) -> None:
        """Add it to the outputs of the cell that runs."""
        self._publish(ServerSheet.of(self._server), is_update=False)

    def refresh(self) -> None:
        """Bring it up to date wherever it is shown, every few seconds at most."""
        sheet, shown = ServerSheet.of(self._server), self._shown
        if shown is None or (sheet.facts, sheet.rows) == (shown.facts, shown.rows):
            return
        if sheet.moment - shown.moment >= REFRESH_S or sheet.facts["status"] == "stopped":
            self._publish(sheet, is_update=True)

    def _publish(self, sheet: ServerSheet, *, is_update: bool) -> None:
        self._shown = sheet
        style = f"<style>{_DEAD_WIDGET.format(name=self.name)}</style>"
        bundle = {
            "text/html": f'<div class="{self.name}">{style}{sheet._repr_html_()}</div>',
            "text/markdown": sheet._repr_markdown_(),
            "text/plain": repr(sheet),
        }
        self._publisher.publish(bundle, {}, transient={"display_id": self.name}, update=is_update)
