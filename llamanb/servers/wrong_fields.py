"""Say in one line which fields of a request are wrong, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["tell_wrong_fields"]

MAX_TOLD = 3
PLACES = ("body", "query", "path", "header")
Steps = tuple[str | int, ...]


def tell_wrong_fields(found: Sequence[Any], body: Any) -> tuple[str | None, str]:
    """Give the place of what is wrong, and a sentence about it.

    Parameters
    ----------
    found : the rows of a pydantic validation error.
    body : what was checked; it tells the fields in a path from the members of unions.

    Examples
    --------
    >>> row = {"type": "missing", "loc": ("body", "messages"), "msg": "Field required"}
    >>> tell_wrong_fields([row], {})
    ('messages', 'messages: Field required')
    """
    placed = [(_place(error, body), _reason(error)) for error in found]
    if not placed:
        return None, "the request is not valid"
    # the deepest one is of the union's member that fits best
    deepest = max((place for place, _ in placed), key=len)
    reasons = dict.fromkeys(reason for place, reason in placed if place == deepest)
    param = _show(deepest)
    told = "; or: ".join(list(reasons)[:MAX_TOLD])
    return param or None, f"{param or 'body'}: {told}"


def _place(error: Mapping[str, Any], body: Any) -> Steps:
    """Follow a path through what was checked, without the names of union members."""
    loc: Steps = tuple(error.get("loc", ()))
    if loc[:1] != ("body",):
        return loc[1:] if loc[:1] and loc[0] in PLACES else loc
    steps: list[str | int] = []
    for step in loc[1:]:
        known, inner = _follow(body, step)
        if known:
            steps.append(step)
            body = inner
    if error.get("type") == "missing" and loc[1:]:
        steps.append(loc[-1])
    return tuple(steps)


def _follow(value: Any, step: str | int) -> tuple[bool, Any]:
    if isinstance(value, Mapping) and step in value:
        return True, value[step]
    if isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
        return True, value[step]
    return False, None


def _reason(error: Mapping[str, Any]) -> str:
    if error.get("type") == "json_invalid":
        return "not valid JSON"
    return str(error.get("msg", "not valid")).removeprefix("Value error, ")


def _show(steps: Steps) -> str:
    """Write a path as ``messages[0].content``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return text.removeprefix(".")
