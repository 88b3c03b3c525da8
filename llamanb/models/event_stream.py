"""What all streams of chat events have in common: one reader, and an end in any case."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from types import TracebackType

    from llamanb.chat_layer import ChatEvent

__all__ = ["EventStream"]


class EventStream(ABC):
    """Events on their way. Stages: made → iterated once, by ``for`` or ``async for`` → over.

    Leaving the loop early, or a ``with`` block, closes it.
    """

    READ_AGAIN: ClassVar[str] = "a stream can be iterated once"

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._is_taken = False

    @abstractmethod
    def cancel(self) -> None:
        """Stop soon, from any thread; what there is stays."""

    @abstractmethod
    def close(self) -> None:
        """Cancel what goes on, and settle what there is."""

    @abstractmethod
    def _read(self) -> Iterator[ChatEvent]:
        """Give the events, waiting for each."""

    @abstractmethod
    def _read_async(self) -> AsyncIterator[ChatEvent]:
        """Give the events without blocking the event loop."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[ChatEvent]:
        """Give the events, waiting for each."""
        self._take()
        return self._read()

    def __aiter__(self) -> AsyncIterator[ChatEvent]:
        """Give the events without blocking the event loop."""
        self._take()
        return self._read_async()

    def _take(self) -> None:
        with self._lock:
            if self._is_taken:
                raise RuntimeError(self.READ_AGAIN)
            self._is_taken = True
