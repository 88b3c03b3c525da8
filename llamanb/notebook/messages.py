"""One-line errors for the person at the keyboard: what, the nearest match, an example."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["UsageError", "one_line", "unknown"]

MOST_NAMED = 12


def unknown(what: str, name: str, known: Iterable[str], *, example: str) -> UsageError:
    """Give the error for a name that nothing has.

    Parameters
    ----------
    what : the kind of thing, such as ``"option"``.
    known : the names there are; the nearest one is proposed.
    example : a line that works.

    Examples
    --------
    >>> str(unknown("option", "--tmp", ["--temp"], example="%%llama --temp 0"))
    "unknown option '--tmp'; did you mean '--temp'? Example: %%llama --temp 0"
    """
    names = sorted(set(known))
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        hint = f"did you mean {near[0]!r}?"
    elif names:
        more = ", …" if len(names) > MOST_NAMED else ""
        hint = "known are " + ", ".join(names[:MOST_NAMED]) + more + "."
    else:
        hint = f"there is no {what} yet."
    return UsageError(f"unknown {what} {name!r}; {hint} Example: {example}")


def one_line(error: BaseException) -> str:
    """Give the message of ``error`` on one line, its class name if it has none."""
    return " ".join(str(error).split()) or type(error).__name__
