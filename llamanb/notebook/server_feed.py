"""Carry what changes at a server to whoever looks at it, at most four times a second."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from llamanb.notebook.live_feed import LiveFeed
from llamanb.notebook.server_facts import MOST_ROWS, facts_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.servers import Server
    from llamanb.servers.request_log import LogEntry

    Send = Callable[[dict[str, Any], list[LogEntry]], None]

__all__ = ["ServerFeed"]

INTERVAL_S = 0.25
LOOK_S = 1.0


class ServerFeed:
    """A thread between a server and its viewers: started → changes → ``close`` or the server's end.

    The server only leaves a note; the thread collects notes for a quarter of a second and sends
    them together. The queue and the end of the server come with no note, so it looks at them once
    a second. Where nothing has changed nothing is sent.

    Parameters
    ----------
    send : takes the facts and the requests that changed, the oldest first.
    looked : called after every look, changed or not, with whether the server has stopped.
    """

    def __init__(self, server: Server, send: Send, looked: Callable[[bool], None]) -> None:
        self._server = server
        self._send, self._looked = send, looked
        self._lock = threading.Lock()
        self._changed: dict[int, LogEntry] = {}
        name = f"llamanb-panel-{server.port}"
        self._feed = LiveFeed(name, self._look, interval_s=INTERVAL_S, rest_s=LOOK_S)
        self._facts = facts_of(server)
        self._unsubscribe = server.subscribe(self._note)
        self._feed.start()

    @property
    def is_open(self) -> bool:
        """Whether it still carries changes."""
        return self._feed.is_open

    def wake(self) -> None:
        """Look at the server now."""
        self._feed.wake()

    def close(self) -> None:
        """Send nothing more; harmless when repeated."""
        self._unsubscribe()
        self._feed.close()

    def _note(self, entry: LogEntry) -> None:
        with self._lock:
            self._changed[entry.number] = entry
            if len(self._changed) > MOST_ROWS:
                del self._changed[min(self._changed)]
        self._feed.wake()

    def _look(self) -> bool:
        facts = facts_of(self._server)  # before the notes: what follows it is noted again
        with self._lock:
            changed, self._changed = self._changed, {}
        if changed or facts != self._facts:
            self._facts = facts
            self._send(facts, [changed[number] for number in sorted(changed)])
        is_last = facts["status"] == "stopped"
        self._looked(is_last)
        if is_last:
            self._unsubscribe()
        return not is_last
