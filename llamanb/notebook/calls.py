"""A tool call as a cell knows it: what was asked for, and what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llamanb.chat_layer.events import ToolResult

__all__ = ["Call"]


@dataclass(slots=True, kw_only=True)
class Call:
    """One tool call of a reply; it grows while the reply comes.

    Attributes
    ----------
    id, name : the call's own id, and the tool's name.
    arguments : the JSON text that the model wrote, as far as it has come.
    is_whole : whether the model has written all of it.
    is_pending : whether a result is still to come.
    is_asked : whether somebody is asked right now if it may run.
    result : what the model was told; None while there is nothing.
    is_error : whether the call failed or was not allowed.
    stdout : what the tool printed.
    seconds : how long it took.
    """

    id: str
    name: str
    arguments: str = ""
    is_whole: bool = False
    is_pending: bool = False
    is_asked: bool = False
    result: str | None = None
    is_error: bool = False
    stdout: str = ""
    seconds: float = 0.0

    @property
    def args(self) -> dict[str, Any] | None:
        """The arguments as Python values, None if they are no JSON object."""
        try:
            read = json.loads(self.arguments)
        except (ValueError, RecursionError):
            return None
        return read if isinstance(read, dict) else None

    @property
    def state(self) -> str:
        """Where it stands, in a word or two."""
        if self.result is not None:
            return _duration(self.seconds) if self.seconds else ""
        if not self.is_whole:
            return "…"
        if self.is_asked:
            return "waits for your answer"
        return "running…" if self.is_pending else ""

    def answered(self, result: ToolResult) -> None:
        """Note what came of it."""
        self.result, self.is_error = result.content, result.is_error
        self.stdout, self.seconds = result.stdout, result.seconds
        self.is_pending = self.is_asked = False


def _duration(seconds: float) -> str:
    if seconds < 0.001:
        return "<1 ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
