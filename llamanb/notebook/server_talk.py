"""What a server's panel and the page say to each other.

Beside what ``live_talk.py`` says: the page says ``stop``; the kernel tells ``rows`` (what changed).
All of it is sent as messages and none of it kept in the widget's state: it has the API key.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from llamanb.errors import ServerError
from llamanb.notebook.live_talk import Feed, LiveTalk
from llamanb.notebook.server_facts import MOST_ROWS, facts_of, row_of, rows_of
from llamanb.notebook.server_feed import ServerFeed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llamanb.servers import Server
    from llamanb.servers.request_log import LogEntry

__all__ = ["ServerTalk"]


class ServerTalk(LiveTalk):
    """The kernel's side of a panel; the server is watched only while a view is open.

    Parameters
    ----------
    send : sends one message to all views.
    snippets : gives the configurations to copy by name.
    looked : called once a second while a view is open, with whether the server has stopped.
    """

    def __init__(
        self,
        server: Server,
        *,
        send: Callable[[dict[str, Any]], None],
        snippets: Callable[[], Mapping[str, str]],
        looked: Callable[[bool], None],
    ) -> None:
        super().__init__(send)
        self._server = server
        self._snippets = snippets
        self._looked = looked

    def everything(self) -> dict[str, Any]:
        """Give the server, its newest requests and what clients need."""
        return {
            "facts": facts_of(self._server),
            "rows": rows_of(self._server.log(MOST_ROWS)),
            "snippets": dict(self._snippets()),
        }

    def watch(self) -> Feed | None:
        """Follow the log, until the server stops."""
        if self._server.status == "stopped":
            return None
        return ServerFeed(self._server, self._tell, self._looked)

    def hear(self, message: dict[str, Any]) -> None:
        """Stop the server if the page says so."""
        if message["k"] == "stop":
            self._stop()

    def _stop(self) -> None:
        if self._server.status == "running":
            # Stopping waits for streams to end: not on the thread that takes messages.
            name = f"llamanb-stop-{self._server.port}"
            threading.Thread(target=self._end, name=name, daemon=True).start()
        self.look()

    def _end(self) -> None:
        with suppress(ServerError):  # a connection stays open: the panel goes on saying "stopping"
            self._server.stop()

    def _tell(self, facts: dict[str, Any], entries: list[LogEntry]) -> None:
        rows = [row_of(entry) for entry in entries]
        self.post.tell("rows", {"facts": facts, "rows": rows})
