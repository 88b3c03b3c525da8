"""The names of the models and what the manager knows about each."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.models.model import Model
    from llamanb.models.plan import LoadPlan
    from llamanb.models.residence import Residence

__all__ = ["Entry", "Registry"]


@dataclass(slots=True, kw_only=True, eq=False)
class Entry:
    """One model of the manager; ``ttl_s`` counts seconds, None is the manager's."""

    model: Model
    residence: Residence
    ttl_s: float | None = None
    is_pinned: bool = False

    @property
    def is_resident(self) -> bool:
        """Whether its weights are in memory."""
        return self.residence.state in ("idle", "busy")


class Registry:
    """A table from name to entry; every method is quick and may be called anywhere."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._entries: dict[str, Entry] = {}

    def names(self) -> list[str]:
        """Give the names in the order of loading."""
        with self._lock:
            return list(self._entries)

    def entries(self) -> list[Entry]:
        """Give the entries in the order of loading."""
        with self._lock:
            return list(self._entries.values())

    def get(self, name: str) -> Entry | None:
        """Give the entry of that name, if there is one."""
        with self._lock:
            return self._entries.get(name)

    def holds(self, entry: Entry) -> bool:
        """Whether this very entry is in the table."""
        return self.get(entry.model.name) is entry

    def remove(self, entry: Entry) -> None:
        """Take an entry out, if it is still in."""
        with self._lock:
            if self._entries.get(entry.model.name) is entry:
                del self._entries[entry.model.name]

    def find(self, plan: LoadPlan) -> Entry | None:
        """Give the entry that already answers this plan, if there is one."""
        with self._lock:
            for name, entry in self._entries.items():
                same = entry.residence.plan.key == plan.key
                if same and plan.request.name in (None, name):
                    return entry
        return None

    def rival(self, plan: LoadPlan) -> Entry | None:
        """Give the entry that must go before this plan can have its name.

        That is another model under the name the user gave, or this file as it was
        before it changed on the disk.
        """
        with self._lock:
            entry = self._entries.get(plan.request.name or plan.source.name)
            if entry is None or entry.residence.plan.key == plan.key:
                return None
            other = entry.residence.plan
            is_outdated = other.header.path == plan.header.path and other.identity != plan.identity
            return entry if plan.request.name or is_outdated else None

    def add(self, plan: LoadPlan, make: Callable[[str], Entry]) -> Entry | None:
        """Give the entry for a plan, made by ``make(name)`` if there is none yet.

        None if a rival has taken the name meanwhile.
        """
        with self._lock:
            entry = self.find(plan)
            if entry is None and self.rival(plan) is None:
                name = plan.request.name or self._free_name(plan.source.name)
                entry = self._entries[name] = make(name)
            return entry

    def _free_name(self, name: str) -> str:
        number, free = 1, name
        while free in self._entries:
            number += 1
            free = f"{name}-{number}"
        return free
