"""Progress bars, in the notebook or the terminal, when they are wanted."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from llamanb.settings import read_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["bar_class", "counting_bar", "load_bar"]

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
def load_bar(label: str, *, progress: bool) -> Iterator[Callable[[float], None] | None]:
    """Show how much of a model is loaded; gives what to call with 0.0 … 1.0."""
    if not _is_wanted(progress=progress):
        yield None
        return
    bar = bar_class(progress=True)(
        total=100, desc=f"loading {label}", unit="%", delay=QUICK_S, leave=False
    )

    def show(fraction: float) -> None:
        try:
            bar.update(round(100 * fraction) - bar.n)
        except Exception:
            # an exception in this native callback would cancel the load
            logger.debug("the progress bar failed", exc_info=True)

    try:
        yield show
    finally:
        bar.close()


@contextmanager
def counting_bar(total: int, label: str, *, progress: bool) -> Iterator[Callable[[], None]]:
    """Show how many of ``total`` items are done; gives what to call after each."""
    if not _is_wanted(progress=progress):
        yield lambda: None
        return
    with bar_class(progress=True)(total=total, desc=label) as bar:
        yield lambda: bar.update(1)
