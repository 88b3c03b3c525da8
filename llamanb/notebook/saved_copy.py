"""What stays in a saved notebook of something live, replaced in place as it goes on.

A saved widget shows nothing once its kernel is gone. A second output therefore stays in the
notebook; the page hides it while the widget is alive.
"""

from __future__ import annotations

import threading
import time
from secrets import token_hex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SavedCopy"]

REFRESH_S = 2.0
_FORMATS = (
    ("text/html", "_repr_html_"),
    ("text/markdown", "_repr_markdown_"),
    ("text/plain", "__repr__"),
)
# The widget below it, once its kernel is gone: a box with an error message and nothing else.
_DEAD_WIDGET = (
    ".jp-OutputArea-child:has(.{name}) + .jp-OutputArea-child .jupyter-widgets:not(:has(*))"
    "{{display:none}}"
)


class SavedCopy:
    """Stages: made → shown, in as many cells as wanted → refreshed, in all of them at once.

    Parameters
    ----------
    look : gives what it shows at this moment: an object with ``_repr_html_``, perhaps
        ``_repr_markdown_``, and a ``repr``; equal to an earlier one if nothing has changed.

    Attributes
    ----------
    name : its class in the page, by which the living widget hides it.
    """

    def __init__(self, look: Callable[[], Any]) -> None:
        self.name = f"llamanb-twin-{token_hex(8)}"
        self._look = look
        self._lock = threading.Lock()
        self._publisher: Any = None
        self._shown: Any = None
        self._moment_s = 0.0

    def show(self, publisher: Any) -> None:
        """Add it to the outputs of the cell that runs."""
        with self._lock:
            # The publisher is kept: a cell may capture outputs while this goes on.
            self._publisher = publisher
            self._publish(self._look(), is_update=False)

    def refresh(self, *, is_last: bool = False) -> None:
        """Bring it up to date wherever it is shown: every few seconds at most, or at the end."""
        with self._lock:
            is_due = is_last or time.monotonic() - self._moment_s >= REFRESH_S
            if self._publisher is not None and is_due and (seen := self._look()) != self._shown:
                self._publish(seen, is_update=True)

    def _publish(self, seen: Any, *, is_update: bool) -> None:
        self._shown, self._moment_s = seen, time.monotonic()
        bundle = self._bundle(seen)
        self._publisher.publish(bundle, {}, transient={"display_id": self.name}, update=is_update)

    def _bundle(self, seen: Any) -> dict[str, str]:
        bundle = {
            kind: getattr(seen, method)() for kind, method in _FORMATS if hasattr(seen, method)
        }
        style = f"<style>{_DEAD_WIDGET.format(name=self.name)}</style>"
        bundle["text/html"] = f'<div class="{self.name}">{style}{bundle["text/html"]}</div>'
        return bundle
