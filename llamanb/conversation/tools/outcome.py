"""What came of a tool call, as the model and the reader see it."""

from __future__ import annotations

from dataclasses import dataclass

from llamanb.errors import LlamanbError

__all__ = ["PlainFailureError", "ToolOutcome"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOutcome:
    """The result of one tool call.

    Attributes
    ----------
    content : what the model gets to read: the result as text, or what went wrong.
    is_error : whether the call failed.
    stdout : what the tool printed.
    seconds : how long the call took.
    """

    content: str
    is_error: bool = False
    stdout: str = ""
    seconds: float = 0.0


class PlainFailureError(LlamanbError):
    """A failure of which the message alone is for the model; never leaves this room."""
