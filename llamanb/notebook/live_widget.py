"""A widget whose page hears messages, also while a cell runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget

__all__ = ["STATIC", "LiveWidget", "answer_while_busy"]

STATIC = Path(__file__).parent / "static"


class LiveWidget(anywidget.AnyWidget):
    """Stages: made → ``show``, in as many cells as wanted → ``close``.

    A subclass gives ``_esm`` and ``_css`` and overrides ``hear``; ``send`` of ipywidgets reaches
    every view.
    """

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.on_msg(lambda _, message, __: self.hear(message))
        answer_while_busy(self.comm)

    def hear(self, message: object) -> None:
        """Take a message of the page."""

    def show(self, publisher: Any) -> None:
        """Add a view to the outputs of the cell that runs."""
        bundle, metadata = self._repr_mimebundle_() or ({}, {})
        publisher.publish({**bundle, "text/plain": ""}, metadata)

    def close(self) -> None:
        """Take every view off the page."""
        self.layout.close()
        super().close()


def answer_while_busy(comm: Any) -> None:
    """Keep messages of the page off the main thread once something was sent from a cell.

    ipykernel 7.4 passes them to the shell that last published, which a running cell keeps busy.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = None  # noqa: SLF001  # there is no public switch
