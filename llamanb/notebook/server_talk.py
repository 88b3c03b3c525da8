"""What a server's panel and the page say to each other.

The page says ``hello`` (a view was drawn), ``bye`` (it is gone) and ``stop``; the kernel sends
``state`` (everything) to the view that said hello, and ``rows`` (what changed) to all. Messages
are numbered: a view that misses one says hello again. All of it is sent as messages and none of
it kept in the widget's state, which Jupyter may save in the notebook: it has the API key.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from llamanb.errors import ServerError
from llamanb.notebook.server_facts import MOST_ROWS, facts_of, row_of, rows_of
from llamanb.notebook.server_feed import ServerFeed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llamanb.servers import Server
    from llamanb.servers.request_log import LogEntry

__all__ = ["ServerTalk"]

VERSION = 1
MOST_VIEWS = 32
LONGEST_NAME = 80


class ServerTalk:
    """The kernel's side of a panel; usable from any thread.

    Nothing runs, and the server is not watched, while no view is open.

    Parameters
    ----------
    send : sends one message to all views.
    snippets : gives the configurations to copy by name.
    looked : called once a second while a view is open, for the copy in the saved notebook.
    """

    def __init__(
        self,
        server: Server,
        *,
        send: Callable[[dict[str, Any]], None],
        snippets: Callable[[], Mapping[str, str]],
        looked: Callable[[], None],
    ) -> None:
        self._server = server
        self._send = send
        self._snippets = snippets
        self._looked = looked
        self._lock = threading.RLock()
        self._views: dict[str, None] = {}
        self._feed: ServerFeed | None = None
        self._number = 0

    @property
    def is_watching(self) -> bool:
        """Whether changes are being sent."""
        return self._feed is not None and self._feed.is_open

    def receive(self, message: object) -> None:
        """Take a message of the page; what is none of ours is left alone."""
        if not isinstance(message, dict) or message.get("v") != VERSION:
            return
        match message:
            case {"k": "hello", "view": str(view)} if len(view) <= LONGEST_NAME:
                self._greet(view)
            case {"k": "bye", "view": str(view)}:
                self._leave(view)
            case {"k": "stop"}:
                self._stop()

    def close(self) -> None:
        """Forget all views and send nothing more."""
        with self._lock:
            self._views.clear()
            if self._feed is not None:
                self._feed.close()
            self._feed = None

    def _greet(self, view: str) -> None:
        with self._lock:
            self._views[view] = None
            while len(self._views) > MOST_VIEWS:  # a page that was torn down says no bye
                del self._views[next(iter(self._views))]
            if not self.is_watching and self._server.status != "stopped":
                self._feed = ServerFeed(self._server, self._tell, self._looked)
            self._send(self._message("state", view=view, d=self._everything()))

    def _leave(self, view: str) -> None:
        with self._lock:
            self._views.pop(view, None)
            if not self._views:
                self.close()

    def _stop(self) -> None:
        if self._server.status == "running":
            # Stopping waits for streams to end: not on the thread that takes messages.
            name = f"llamanb-stop-{self._server.port}"
            threading.Thread(target=self._end, name=name, daemon=True).start()
        if self._feed is not None:
            self._feed.wake()

    def _end(self) -> None:
        with suppress(ServerError):  # a connection stays open: the panel goes on saying "stopping"
            self._server.stop()

    def _tell(self, facts: dict[str, Any], entries: list[LogEntry]) -> None:
        rows = [row_of(entry) for entry in entries]
        with self._lock:
            self._number += 1
            self._send(self._message("rows", d={"facts": facts, "rows": rows}))

    def _everything(self) -> dict[str, Any]:
        return {
            "facts": facts_of(self._server),
            "rows": rows_of(self._server.log(MOST_ROWS)),
            "snippets": dict(self._snippets()),
        }

    def _message(self, kind: str, **more: Any) -> dict[str, Any]:
        return {"v": VERSION, "k": kind, "seq": self._number, **more}
