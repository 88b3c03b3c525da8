"""Things that are opened once, held by several, and closed by the last of them."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["Hold", "SharedStore"]

WAIT_SLICE_S = 0.05
T = TypeVar("T")


class _Slot(Generic[T]):
    """The place of one thing: reserved → opening → open → closed."""

    def __init__(self, n_bytes: int) -> None:
        self.n_bytes = n_bytes
        self.holders = 0
        self.is_opening = False
        self.value: T | None = None


class Hold(Generic[T]):
    """One holder's claim on a shared thing; give it back with ``release()``."""

    def __init__(self, store: SharedStore[T], key: Hashable, slot: _Slot[T]) -> None:
        self._store, self._slot = store, slot
        self._is_released = False
        self.key = key

    @property
    def value(self) -> T | None:
        """The thing, once it is open."""
        return self._slot.value

    @property
    def n_bytes(self) -> int:
        """What it takes, in bytes."""
        return self._slot.n_bytes

    @property
    def holders(self) -> int:
        """How many claims there are on the thing, this one included."""
        return self._slot.holders

    def open(self, make: Callable[[], T], timeout_s: float | None = None) -> T:
        """Give the thing, made by ``make`` unless another holder makes or made it.

        Raises
        ------
        TimeoutError
            If another holder did not finish making it within ``timeout_s`` seconds.
        """
        return self._store.open_slot(self._slot, make, timeout_s)

    def release(self) -> None:
        """Let go; the last one to do so closes the thing. Harmless when repeated."""
        if not self._is_released:
            self._is_released = True
            self._store.release_slot(self.key, self._slot)


class SharedStore(Generic[T]):
    """Keeps at most one living thing for each key."""

    def __init__(self, close: Callable[[T], None], is_alive: Callable[[T], bool]) -> None:
        self._close, self._is_alive = close, is_alive
        self._changed = threading.Condition()
        self._slots: dict[Hashable, _Slot[T]] = {}

    def reserve(self, key: Hashable, n_bytes: int) -> Hold[T]:
        """Claim the thing under ``key``; its bytes count from now on."""
        with self._changed:
            slot = self._slots.get(key)
            if slot is None or (slot.value is not None and not self._is_alive(slot.value)):
                slot = self._slots[key] = _Slot(n_bytes)
            slot.holders += 1
        return Hold(self, key, slot)

    def holders(self, key: Hashable) -> int:
        """Count the claims on the thing under ``key``."""
        with self._changed:
            slot = self._slots.get(key)
            return 0 if slot is None else slot.holders

    def total_bytes(self) -> int:
        """Sum what everything here takes, in bytes."""
        with self._changed:
            return sum(slot.n_bytes for slot in self._slots.values())

    def open_slot(self, slot: _Slot[T], make: Callable[[], T], timeout_s: float | None) -> T:
        """See :meth:`Hold.open`."""
        found = self._wait_or_claim(slot, timeout_s)
        if found is not None:
            return found
        made: T | None = None
        try:
            made = make()
        finally:
            with self._changed:
                slot.value, slot.is_opening = made, False
                self._changed.notify_all()
        return made

    def _wait_or_claim(self, slot: _Slot[T], timeout_s: float | None) -> T | None:
        """Give the open thing, or None after claiming the right to make it."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            while slot.is_opening:
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError
                self._changed.wait(WAIT_SLICE_S)
            if slot.value is None:
                slot.is_opening = True
            return slot.value

    def release_slot(self, key: Hashable, slot: _Slot[T]) -> None:
        """See :meth:`Hold.release`."""
        with self._changed:
            slot.holders -= 1
            if slot.holders:
                return
            if self._slots.get(key) is slot:
                del self._slots[key]
            value, slot.value = slot.value, None
        if value is not None:
            self._close(value)
