"""Which values of a cell are shown live in a notebook; a terminal keeps their plain text.

With ``LLAMANB_STREAM=0``, and where outputs are captured, only what can be saved is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamanb.notebook.live_state import close_live_widgets
from llamanb.notebook.models_display import show_models
from llamanb.notebook.server_display import show_server

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["register_displays", "unregister_displays"]

# By name, so that registering imports none of them: module, class, and what shows it.
_SHOWN: tuple[tuple[str, str, Callable[[Any, Any], None]], ...] = (
    ("llamanb.servers.server", "Server", show_server),
    ("llamanb.models.kernel", "ManagerRoom", show_models),
    ("llamanb.models.manager", "ModelManager", show_models),
    ("llamanb.notebook.status", "Status", show_models),
)


def register_displays(shell: Any) -> None:
    """Show these values live in the kernel of ``shell``; harmless when repeated."""
    if hasattr(shell, "kernel"):
        formatter = shell.display_formatter.ipython_display_formatter
        for module, name, show in _SHOWN:
            formatter.for_type_by_name(module, name, _shower(show, shell))


def unregister_displays(shell: Any) -> None:
    """Undo ``register_displays`` and close every widget; harmless when repeated."""
    formatter = shell.display_formatter.ipython_display_formatter
    names = {(module, name) for module, name, _ in _SHOWN}
    for name in names:
        formatter.deferred_printers.pop(name, None)
    for kind in [one for one in formatter.type_printers if _name_of(one) in names]:
        del formatter.type_printers[kind]
    close_live_widgets(shell)


def _shower(show: Callable[[Any, Any], None], shell: Any) -> Callable[[Any], None]:
    return lambda value: show(value, shell)


def _name_of(kind: Any) -> tuple[str, str]:
    return kind.__module__, kind.__name__
