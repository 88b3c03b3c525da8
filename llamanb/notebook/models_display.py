"""Show ``%llama`` and ``llamanb.models`` in a notebook: the live panel, and what is saved of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamanb.notebook.live_state import is_live, live_widgets

if TYPE_CHECKING:
    from llamanb.notebook.models_panel import ModelsPanel

__all__ = ["show_models"]

_KIND = "models"


def show_models(value: object, shell: Any) -> None:
    """Show the models in the cell that runs, whichever ``value`` stands for them.

    Raises
    ------
    NotImplementedError
        Where nothing is live: IPython then shows the table of ``value`` as any other.
    """
    if not is_live(shell):
        raise NotImplementedError
    panel = _panel(shell)
    panel.twins["status" if type(value).__name__ == "Status" else "models"].show(shell.display_pub)
    panel.show(shell.display_pub)


def _panel(shell: Any) -> ModelsPanel:
    from llamanb.notebook.magics import state_of
    from llamanb.notebook.models_panel import ModelsPanel

    panels: dict[str, ModelsPanel] = live_widgets(shell, _KIND)
    if not panels:
        panels[_KIND] = ModelsPanel(state_of(shell))
    return panels[_KIND]
