"""The live widgets of one kernel, kept on its shell until the extension goes."""

from __future__ import annotations

from typing import Any

__all__ = ["close_live_widgets", "is_live", "live_widgets"]

_WIDGETS = "_llamanb_widgets"


def is_live(shell: Any) -> bool:
    """Tell whether a widget is wanted: not with ``LLAMANB_STREAM=0``, nor in captured outputs."""
    from IPython.core.displaypub import CapturingDisplayPublisher

    from llamanb.settings import read_environment

    captures = isinstance(shell.display_pub, CapturingDisplayPublisher)
    return read_environment().stream and not captures


def live_widgets(shell: Any, kind: str) -> dict[Any, Any]:
    """Give the widgets of one kind by what they show; add one to keep it."""
    widgets: dict[Any, Any] = shell.__dict__.setdefault(_WIDGETS, {}).setdefault(kind, {})
    return widgets


def close_live_widgets(shell: Any) -> None:
    """Close every widget; harmless when repeated."""
    for widgets in shell.__dict__.pop(_WIDGETS, {}).values():
        for widget in widgets.values():
            widget.close()
