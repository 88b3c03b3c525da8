"""Let another model answer: one that is in memory at once, any other after loading it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamanb.errors import OptionError
from llamanb.models.kernel import manager

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.conversation import Session
    from llamanb.notebook.chat.settings import ChatSettings

__all__ = ["follow_reload", "switch_model"]


def follow_reload(session: Session) -> None:
    """Let the model answer that was loaded under the name of one that is closed."""
    model: Any = session.model
    if getattr(model, "state", "") != "closed":
        return
    if (loaded := manager().get(model.name)) is not None and loaded.can_write:
        session.model = loaded


def switch_model(
    name: str, session: Session, settings: ChatSettings, shown: Callable[[], None]
) -> None:
    """Load ``name`` if need be, and let it answer from now on.

    Parameters
    ----------
    shown : called whenever ``settings.loading`` has changed.

    Raises
    ------
    LlamanbError
        If it cannot be loaded; the model from before goes on answering.
    """
    if settings.loading is not None:
        raise OptionError(f"{settings.loading['name']!r} is still being loaded")

    def show(fraction: float | None) -> None:
        percent = None if fraction is None else round(fraction, 2)
        if settings.loading is None or settings.loading["fraction"] != percent:
            settings.loading = {"name": name, "fraction": percent}
            shown()

    show(None)
    try:
        model = manager().get(name) or manager().load(name, progress=show)
        settings.look_at(model)
        session.stop()
        session.model = model
    finally:
        settings.loading = None
        shown()
