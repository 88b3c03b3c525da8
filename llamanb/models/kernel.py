"""The kernel's one manager, and the room that behaves like it.

The manager is kept in a private module of its own, so that reloading llamanb
(``importlib.reload``, ``%autoreload``) neither loses nor doubles the models.
"""

from __future__ import annotations

import sys
import threading
from functools import wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any

from llamanb.models.manager import ModelManager

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llamanb.models.model import Model
    from llamanb.models.table import ModelTable

__all__ = ["ManagerRoom", "load", "manager", "ps", "unload"]

SURVIVOR = "_llamanb_kernel"


def manager() -> ModelManager:
    """Give the kernel's one :class:`ModelManager`."""
    survivor = sys.modules.setdefault(SURVIVOR, ModuleType(SURVIVOR))
    state = vars(survivor)
    with state.setdefault("lock", threading.Lock()):
        if "manager" not in state:
            state["manager"] = ModelManager()
        kept: ModelManager = state["manager"]
    return kept


@wraps(ModelManager.load)
def load(*arguments: Any, **options: Any) -> Model:
    """See :meth:`ModelManager.load`."""
    return manager().load(*arguments, **options)


@wraps(ModelManager.unload)
def unload(*arguments: Any, **options: Any) -> None:
    """See :meth:`ModelManager.unload`."""
    manager().unload(*arguments, **options)


@wraps(ModelManager.ps)
def ps() -> ModelTable:
    """See :meth:`ModelManager.ps`."""
    return manager().ps()


class ManagerRoom(ModuleType):
    """The package ``llamanb.models``, which is also the mapping of its models."""

    def __getattr__(self, name: str) -> Any:
        """Give the manager's public attributes, after the package's own."""
        shown = ("_repr_html_",)
        if (name.startswith("_") and name not in shown) or not hasattr(ModelManager, name):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(manager(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Pass ``llamanb.models.default = …`` on to the manager."""
        if name == "default":
            manager().default = value
        else:
            super().__setattr__(name, value)

    def __getitem__(self, name: str) -> Model:
        return manager()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(manager())

    def __len__(self) -> int:
        return len(manager())

    def __bool__(self) -> bool:
        return True

    def __contains__(self, name: object) -> bool:
        return name in manager()

    def __repr__(self) -> str:
        return repr(manager())
