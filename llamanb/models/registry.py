"""The names of the models and what the manager knows about each."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llamanb.errors import ModelClosedError, UnknownModelError
from llamanb.models.sources import suggest

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

    def seconds_left(self, ttl_s: float | None) -> float | None:
        """Count the seconds until it may be evicted; None if it may not by time.

        ``ttl_s`` holds for a model without a time to live of its own.
        """
        ttl_s = ttl_s if self.ttl_s is None else self.ttl_s
        if ttl_s is None or self.is_pinned or not self.is_resident:
            return None
        return ttl_s if self.residence.leases else max(0.0, ttl_s - self.residence.idle_s)


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

    def wanted(self, name: str | Model) -> Entry:
        """Give the entry of a name or of a model.

        Raises
        ------
        UnknownModelError
            If there is none; proposes a near name.
        ModelClosedError
            If the model was closed or unloaded.
        """
        if not isinstance(name, str) and hasattr(name, "path"):
            return self._entry_of(name)
        entry = self.get(name) if isinstance(name, str) else None
        if entry is None:
            names = self.names()
            raise UnknownModelError(
                f"no model is called {name!r}; {_hint(str(name), names)}",
                name=str(name),
                resident=names,
            )
        return entry

    def _entry_of(self, model: Model) -> Entry:
        entry = self.get(model.name)
        if entry is None or entry.model is not model:
            raise ModelClosedError(
                f"model {model.name!r} was closed or unloaded; "
                f"load it again: llamanb.load({model.path!r})"
            )
        return entry

    def writer(self, name: str | None) -> Entry | None:
        """Give the entry of that name, else the last one that can write, if there is one."""
        writers = [entry for entry in self.entries() if entry.model.can_write]
        chosen = [entry for entry in writers if entry.model.name == name] or writers
        return chosen[-1] if chosen else None

    def idle_first(self, besides: Residence) -> list[Residence]:
        """Give what may be evicted to make room, the longest unused first."""
        idle = [
            entry.residence
            for entry in self.entries()
            if entry.residence is not besides
            and not entry.is_pinned
            and entry.residence.state == "idle"
        ]
        return sorted(idle, key=lambda residence: residence.last_used)

    def count_resident(self, besides: Residence) -> int:
        """Count the models in memory, or being loaded, ``besides`` left out."""
        others = (entry for entry in self.entries() if entry.residence is not besides)
        return sum(entry.residence.state in ("idle", "busy", "loading") for entry in others)

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


def _hint(name: str, names: list[str]) -> str:
    if not names:
        return "none is loaded; llamanb.load(...) loads one"
    near = suggest(name, names)
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names)}"
