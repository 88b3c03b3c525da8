"""The kernel's one manager, and the room that behaves like it.

The manager is kept in a private module of its own, so that reloading llamanb
(``importlib.reload``, ``%autoreload``) neither loses nor doubles the models.
"""

from __future__ import annotations

import sys
import threading
from functools import wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from llamanb.models.manager import ModelManager
from llamanb.models.options import plain_signature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llamanb.models.model import Model

__all__ = ["ManagerRoom", "load", "manager", "ps", "unload"]

P = ParamSpec("P")
R = TypeVar("R")
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


def _shortcut(method: Callable[Concatenate[ModelManager, P], R]) -> Callable[P, R]:
    """Make a function that does on the kernel's manager what ``method`` does on any."""

    @wraps(method)
    def call(*arguments: P.args, **options: P.kwargs) -> R:
        return method(manager(), *arguments, **options)

    call.__qualname__ = method.__name__
    call.__signature__ = plain_signature(method)  # type: ignore[attr-defined]  # inspect's own protocol
    return call


load = _shortcut(ModelManager.load)
unload = _shortcut(ModelManager.unload)
ps = _shortcut(ModelManager.ps)


class ManagerRoom(ModuleType):
    """The package ``llamanb.models``, which is also the mapping of its models."""

    def __getattr__(self, name: str) -> Any:
        """Give the manager's public attributes, after the package's own."""
        shown = ("_repr_html_",)
        if (name.startswith("_") and name not in shown) or not hasattr(ModelManager, name):
            message = f"module {self.__name__!r} has no attribute {name!r}"
            raise AttributeError(message, name=name, obj=self)
        return getattr(manager(), name)

    def __dir__(self) -> list[str]:
        """List the room's names and the manager's, as completion shows them."""
        public = [name for name in dir(ModelManager) if not name.startswith("_")]
        return sorted({*super().__dir__(), *public})

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
