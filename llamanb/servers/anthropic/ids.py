"""Ids of tool calls: ``toolu_…`` for clients, the model's own for its template.

Some families write an id into each call (``functions.get_weather:0``, nine letters for
Mistral), which may come again in the next talk. A client gets one that is unique and
carries the model's; when it comes back in the history, the template shows the model's
own again. So the prompt stays what the model wrote, and its prefix stays cached.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["shown_id", "told_ids"]

_SHOWN = re.compile(r"toolu_[0-9a-f]{12}_([A-Za-z0-9_-]+)")


def shown_id(seed: str, told: str) -> str:
    """Give the id that a client sees for the one in an answer.

    Examples
    --------
    >>> shown_id("0123456789abcdef01234567", "functions.add:0")
    'toolu_0123456789ab_ZnVuY3Rpb25zLmFkZDow'
    """
    text = base64.urlsafe_b64encode(told.encode()).rstrip(b"=").decode()
    return f"toolu_{seed[:12]}_{text}"


def told_ids(shown: Iterable[str]) -> dict[str, str]:
    """Give, for each id in a history, the one to show to the model.

    Ids of other origin stay as they are, and so do all if two would become the same.
    """
    unique = dict.fromkeys(shown)
    told = {one: _told_id(one) for one in unique}
    return told if len(set(told.values())) == len(told) else {one: one for one in unique}


def _told_id(shown: str) -> str:
    found = _SHOWN.fullmatch(shown)
    if found is None:
        return shown
    text = found.group(1)
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode() or shown
    except (binascii.Error, ValueError):
        return shown
