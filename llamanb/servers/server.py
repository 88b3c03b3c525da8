"""A running server as its user holds it."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Literal, Self

from llamanb.servers.registry import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from llamanb.models import Model
    from llamanb.servers.background import BackgroundServer
    from llamanb.servers.request_log import LogEntry
    from llamanb.servers.service import Service

__all__ = ["Server", "close_unserved"]

WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # recognised, not chosen


def close_unserved(models: Iterable[Model]) -> None:
    """Close models that were opened for a server, but not those that another one uses."""
    for model in models:
        if not any(server.serves(model) for server in registry().values()):
            model.close()


class Server:
    """A server on a thread of this process. Stages: running → stopping → stopped.

    Made by :func:`llamanb.serve`. Nobody needs to keep it: ``llamanb.servers`` does,
    until ``stop()`` or the end of the process. Its models stay loaded like any other:
    an evicted one is loaded again by the next request.

    Examples
    --------
    >>> with llamanb.serve("demo") as server:
    ...     print(server.url)
    http://127.0.0.1:40123
    """

    def __init__(
        self, service: Service, background: BackgroundServer, *, owned: tuple[Model, ...] = ()
    ) -> None:
        self._service, self._background, self._owned = service, background, owned
        self._on_stop: list[Callable[[Server], None]] = []

    # ---- where it is -------------------------------------------------------------------

    @property
    def host(self) -> str:
        """The address it listens on."""
        return self._service.settings.host

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._background.port)

    @property
    def url(self) -> str:
        """Where it is, such as ``http://127.0.0.1:11434``; what Anthropic's clients take."""
        host = WILDCARDS.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def base_url(self) -> str:
        """The same with ``/v1``, as OpenAI's clients take it."""
        return f"{self.url}/v1"

    @property
    def api_key(self) -> str | None:
        """The key that clients must send; None if none is asked for."""
        return self._service.settings.api_key

    @property
    def apis(self) -> tuple[str, ...]:
        """The dialects it speaks."""
        return self._service.settings.apis

    def env(self) -> dict[str, str]:
        """Give the environment variables that point the official SDKs here."""
        key = self.api_key or "local"
        variables: dict[str, str] = {}
        if "openai" in self.apis:
            variables |= {"OPENAI_BASE_URL": self.base_url, "OPENAI_API_KEY": key}
        if "anthropic" in self.apis:
            variables |= {"ANTHROPIC_BASE_URL": self.url, "ANTHROPIC_API_KEY": key}
        return variables

    # ---- what it serves ----------------------------------------------------------------

    @property
    def models(self) -> list[str]:
        """What clients may ask for, the default first."""
        return self._service.models.names

    @property
    def model(self) -> Model:
        """The model that answers when none is named."""
        return self._service.models.default

    def serves(self, model: Model) -> bool:
        """Whether a model is one of those it answers with."""
        return any(one is model for one in self._service.models.all)

    @property
    def n_ctx(self) -> int:
        """How many tokens a prompt and its answer may have together."""
        return self.model.n_ctx

    # ---- what it does ------------------------------------------------------------------

    @property
    def status(self) -> Literal["running", "stopping", "stopped"]:
        """What it is doing."""
        if not self._background.is_alive:
            return "stopped"
        return "stopping" if self._background.is_stopping else "running"

    @property
    def queue(self) -> tuple[int, int]:
        """How many requests its models answer at this moment, and how many wait."""
        return self._service.queue

    @property
    def requests(self) -> dict[str, Any]:
        """Sums over the requests so far: how many, their tokens, their seconds."""
        totals = self._service.log.totals
        return {name: getattr(totals, name) for name in totals.__slots__}

    def log(self, n: int = 50) -> list[LogEntry]:
        """Give the last ``n`` requests, the newest first; never what was said in them."""
        return self._service.log.entries(n)

    def subscribe(self, watcher: Callable[[LogEntry], None]) -> Callable[[], None]:
        """Call ``watcher`` with every entry of the log that changes; gives what ends it.

        It is called on the server's thread and must return at once.
        """
        return self._service.log.subscribe(watcher)

    # ---- the end -----------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has stopped, or ``timeout`` seconds; whether it has."""
        return self._background.wait(timeout)

    def stop(self, timeout: float = 5.0) -> None:
        """Cancel what it answers and give the port back; harmless when repeated.

        Raises
        ------
        ServerError
            If connections are still open after ``timeout`` seconds.
        """
        self._background.stop(timeout)
        for callback in self._on_stop:
            callback(self)
        close_unserved(self._owned)

    def on_stop(self, callback: Callable[[Server], None]) -> None:
        """Call ``callback`` when it has been stopped."""
        self._on_stop.append(callback)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ---- showing -----------------------------------------------------------------------

    def __repr__(self) -> str:
        dialects = " and ".join(self.apis)
        return f"<llamanb.Server {self.url} ({dialects}): {', '.join(self.models)}, {self.status}>"

    def _repr_html_(self) -> str:
        rows = {
            "URL": self.url,
            "dialects": ", ".join(self.apis),
            "models": ", ".join(self.models),
            "status": self.status,
            "requests": str(self.requests["requests"]),
        }
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
            for name, value in rows.items()
        )
        return f"<table>{cells}</table>"
