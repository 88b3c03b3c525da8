"""Tells a model what went wrong: type, message and the user's own lines."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

from llamanb.conversation.tools.outcome import PlainFailureError
from llamanb.conversation.tools.results import capped

__all__ = ["failure_text"]

_MOST_FRAMES = 4
_MAX_CHARS = 2_000
_LIBRARIES = tuple(
    {str(Path(__file__).parents[2])}
    | {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)


def failure_text(error: BaseException) -> str:
    """Give an exception as text: type, message, and the last lines of the user's code.

    Frames of Python, of installed packages and of llamanb are left out, and so are
    the paths of files.
    """
    message = _message(error)
    if isinstance(error, PlainFailureError):
        return capped(message, _MAX_CHARS)
    title = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return "\n".join([capped(title, _MAX_CHARS), *_user_lines(error)])


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  # an exception class of the user's may be broken, too
        return ""


def _user_lines(error: BaseException) -> list[str]:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(frame)]
    return [
        f"  in {frame.name}, line {frame.lineno}: {frame.line or ''}".rstrip(": ")
        for frame in frames[-_MOST_FRAMES:]
    ]


def _is_users(frame: traceback.FrameSummary) -> bool:
    return not frame.filename.startswith((*_LIBRARIES, "<frozen"))
