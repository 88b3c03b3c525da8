"""What the server did, request by request; never what was said."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field, replace
from time import monotonic
from time import time as now
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.chat_layer import Finished

__all__ = ["LogEntry", "RequestLog", "Totals"]

KEPT = 1000


@dataclass(slots=True, kw_only=True)
class LogEntry:
    """One request.

    Attributes
    ----------
    number : counted from 1; 0 for one that is not listed.
    time : when it came, in seconds since 1970.
    client, user_agent : the caller's address and what it calls itself.
    status : the HTTP status, once one was sent.
    first_token_s, seconds : from its arrival to the first token, and to its end (or
        until now), in seconds.
    """

    number: int
    method: str
    path: str
    client: str = ""
    user_agent: str = ""
    model: str = ""
    status: int | None = None
    state: Literal["running", "done", "cancelled", "error"] = "running"
    is_stream: bool = False
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    first_token_s: float | None = None
    seconds: float = 0.0
    finish_reason: str = ""
    error: str = ""
    time: float = field(default_factory=now)
    begun: float = field(default_factory=monotonic, repr=False)

    @property
    def age_s(self) -> float:
        """Seconds since it came."""
        return monotonic() - self.begun

    def count(self, finished: Finished) -> None:
        """Note the tokens of one answer."""
        usage = finished.usage
        self.prompt_tokens = max(self.prompt_tokens, usage.get("prompt_tokens", 0))
        self.cached_tokens = max(self.cached_tokens, usage.get("cached_tokens", 0))
        self.completion_tokens += usage.get("completion_tokens", 0)
        self.finish_reason = finished.reason


@dataclass(slots=True, kw_only=True)
class Totals:
    """Sums over all requests that have ended; ``seconds`` is the time they took."""

    requests: int = 0
    errors: int = 0
    cancelled: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    prompt_s: float = 0.0
    generation_s: float = 0.0
    seconds: float = 0.0


class RequestLog:
    """The last thousand requests and the sums of all; usable from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[LogEntry] = deque(maxlen=KEPT)
        self._number = 0
        self._totals = Totals()
        self._watchers: list[Callable[[LogEntry], None]] = []

    @property
    def totals(self) -> Totals:
        """The sums so far."""
        with self._lock:
            return replace(self._totals)

    def entries(self, n: int = 50) -> list[LogEntry]:
        """Give the last ``n`` requests, the newest first."""
        with self._lock:
            newest = [self._entries[-1 - i] for i in range(min(n, len(self._entries)))]
        return [_snapshot(entry) for entry in newest]

    def open(
        self, method: str, path: str, client: str, user_agent: str, *, is_listed: bool = True
    ) -> LogEntry:
        """Begin an entry; one that is not listed has the number 0 and is told to nobody."""
        entry = LogEntry(number=0, method=method, path=path, client=client, user_agent=user_agent)
        if is_listed:
            with self._lock:
                self._number += 1
                entry.number = self._number
                self._entries.append(entry)
            self.tell(entry)
        return entry

    def close(self, entry: LogEntry) -> None:
        """End an entry and add it to the sums."""
        entry.seconds = entry.age_s
        if entry.state == "running":
            entry.state = "error" if (entry.status or 500) >= 400 else "done"
        if not entry.number:
            return
        with self._lock:
            totals = self._totals
            totals.requests += 1
            totals.errors += entry.state == "error"
            totals.cancelled += entry.state == "cancelled"
            totals.seconds += entry.seconds
        self.tell(entry)

    def add(self, finished: Finished) -> None:
        """Add what one answer cost to the sums."""
        usage, timings = finished.usage, finished.timings
        with self._lock:
            totals = self._totals
            totals.prompt_tokens += usage.get("prompt_tokens", 0)
            totals.cached_tokens += usage.get("cached_tokens", 0)
            totals.completion_tokens += usage.get("completion_tokens", 0)
            totals.prompt_s += timings.get("prompt_s", 0.0)
            totals.generation_s += timings.get("generation_s", 0.0)

    def subscribe(self, watcher: Callable[[LogEntry], None]) -> Callable[[], None]:
        """Call ``watcher`` with a copy of every entry that changes; gives what ends it.

        It is called on the server's thread and must return at once.
        """
        with self._lock:
            self._watchers.append(watcher)

        def unsubscribe() -> None:
            with self._lock:
                if watcher in self._watchers:
                    self._watchers.remove(watcher)

        return unsubscribe

    def tell(self, entry: LogEntry) -> None:
        """Tell the watchers of a change."""
        if not entry.number:
            return
        with self._lock:
            watchers = list(self._watchers)
        for watcher in watchers:
            watcher(_snapshot(entry))


def _snapshot(entry: LogEntry) -> LogEntry:
    copied = replace(entry)
    if copied.state == "running":
        copied.seconds = entry.age_s
    return copied
