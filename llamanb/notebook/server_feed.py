"""Carry what changes at a server to whoever looks at it, at most four times a second."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

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
    looked : called after every look, changed or not.
    """

    def __init__(self, server: Server, send: Send, looked: Callable[[], None]) -> None:
        self._server = server
        self._send, self._looked = send, looked
        self._lock = threading.Lock()
        self._changed: dict[int, LogEntry] = {}
        self._woken = threading.Event()
        self._closed = threading.Event()
        self._facts = facts_of(server)
        self._unsubscribe = server.subscribe(self._note)
        name = f"llamanb-panel-{server.port}"
        threading.Thread(target=self._run, name=name, daemon=True).start()

    @property
    def is_open(self) -> bool:
        """Whether it still carries changes."""
        return not self._closed.is_set()

    def wake(self) -> None:
        """Look at the server now."""
        self._woken.set()

    def close(self) -> None:
        """Send nothing more; harmless when repeated."""
        self._closed.set()
        self._unsubscribe()
        self._woken.set()

    def _note(self, entry: LogEntry) -> None:
        with self._lock:
            self._changed[entry.number] = entry
            if len(self._changed) > MOST_ROWS:
                del self._changed[min(self._changed)]
        self._woken.set()

    def _run(self) -> None:
        while not self._closed.wait(INTERVAL_S):
            self._woken.wait(LOOK_S)
            self._woken.clear()
            if self.is_open:
                self._look()

    def _look(self) -> None:
        facts = facts_of(self._server)  # before the notes: what follows it is noted again
        with self._lock:
            changed, self._changed = self._changed, {}
        if changed or facts != self._facts:
            self._facts = facts
            self._send(facts, [changed[number] for number in sorted(changed)])
        self._looked()
        if facts["status"] == "stopped":
            self.close()
