"""Progress bars, in the notebook or the terminal, when they are wanted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from llamanb.settings import read_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Progress", "bar_class", "counting_bar", "load_bar"]

# Whether to show a bar, or who is told how much is done, from 0.0 to 1.0.
Progress = bool | Callable[[float], None]

QUICK_S = 0.5  # what is over sooner shows no bar
logger = logging.getLogger(__name__)


def _is_wanted(*, progress: bool) -> bool:
    return progress and read_environment().progress


def bar_class(*, progress: bool) -> Any:
    """Give tqdm.auto's class of bars, or a silent one (also with ``LLAMANB_PROGRESS=0``)."""
    from tqdm.auto import tqdm

    if _is_wanted(progress=progress):
        return tqdm

    def silently(bar: Any, *arguments: Any, **options: Any) -> None:
        tqdm.__init__(bar, *arguments, **{**options, "disable": True})

    return type("SilentBar", (tqdm,), {"__init__": silently})


@contextmanager
def load_bar(label: str, *, progress: Progress) -> Iterator[Callable[[float], None] | None]:
    """Show how much of a model is loaded; gives what to call with 0.0 … 1.0."""
    if not isinstance(progress, bool):
        yield _harmless(progress)
        return
    if not _is_wanted(progress=progress):
        yield None
        return
    bar = bar_class(progress=True)(
        total=100, desc=f"loading {label}", unit="%", delay=QUICK_S, leave=False
    )

    try:
        yield _harmless(lambda fraction: bar.update(round(100 * fraction) - bar.n))
    finally:
        bar.close()


def _harmless(show: Callable[[float], object]) -> Callable[[float], None]:
    """Keep what ``show`` raises to itself: in a native callback it would cancel the load."""

    def told(fraction: float) -> None:
        try:
            show(fraction)
        except Exception:
            logger.debug("showing progress failed", exc_info=True)

    return told


@contextmanager
def counting_bar(total: int, label: str, *, progress: bool) -> Iterator[Callable[[], None]]:
    """Show how many of ``total`` items are done; gives what to call after each."""
    if not _is_wanted(progress=progress):
        yield lambda: None
        return
    with bar_class(progress=True)(total=total, desc=label) as bar:
        yield lambda: bar.update(1)
