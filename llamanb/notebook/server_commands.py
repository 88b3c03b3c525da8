"""``%llama serve``, ``servers``, ``stop`` and ``client``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamanb.notebook.messages import UsageError, unknown
from llamanb.notebook.option_groups import CLIENTS, SERVED_APIS
from llamanb.notebook.options import COMMANDS
from llamanb.notebook.server_facts import facts_of, speed_of
from llamanb.notebook.tables import Note, Table
from llamanb.servers import registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.notebook.arguments import Arguments
    from llamanb.notebook.state import NotebookState
    from llamanb.servers import Server

__all__ = ["SERVER_HANDLERS", "servers_table"]

_KEY_NOTE = "# The server's key stands above: clear this output before you pass the notebook on."
_NONE = "no server is running"
_HEADER = ("url", "dialects", "models", "requests", "running", "waiting", "tokens/s", "state")


def _serve(arguments: Arguments, state: NotebookState) -> Server:
    apis = arguments.operands[0] if arguments.operands else "both"
    if apis not in SERVED_APIS:
        raise unknown("dialect", apis, SERVED_APIS, example=COMMANDS["serve"].example)
    options = dict(arguments.values)
    if (think := options.pop("think", None)) is not None:
        options["enable_thinking"] = think
    return _starter(apis)(state.model(options.pop("model", None)), **options)


def _starter(apis: str) -> Callable[..., Server]:
    from llamanb.servers import serve, serve_anthropic, serve_openai  # bring FastAPI

    return {"openai": serve_openai, "anthropic": serve_anthropic, "both": serve}[apis]


def _servers(_: Arguments, __: NotebookState) -> Table:
    return servers_table()


def servers_table() -> Table:
    """Give the running servers of this kernel."""
    rows = [_row(facts_of(server)) for server in registry().values()]
    note = "" if rows else f"none is running. Example: {COMMANDS['serve'].example}"
    return Table("Servers", _HEADER, rows, note)


def _row(facts: dict[str, Any]) -> tuple[object, ...]:
    counts = [f"{facts[name]:,}" for name in ("requests", "running", "waiting")]
    apis, models = ", ".join(facts["apis"]), ", ".join(facts["models"])
    return (facts["url"], apis, models, *counts, speed_of(facts) or "-", facts["status"])


def _stop(arguments: Arguments, _: NotebookState) -> Note:
    named = arguments.operands[0] if arguments.operands else ""
    servers = list(registry().values()) if named == "all" else _named_or_only(named, "stop")
    for server in servers:
        server.stop()
    return Note("stopped " + ", ".join(one.url for one in servers) if servers else _NONE)


def _client(arguments: Arguments, _: NotebookState) -> Note:
    name, port = arguments.operands[0], arguments.values.get("port")
    if name not in CLIENTS:
        raise unknown("client", name, CLIENTS, example=COMMANDS["client"].example)
    found = _named_or_only("" if port is None else str(port), "client curl -p")
    if not found:
        raise UsageError(f"{_NONE}. Example: {COMMANDS['serve'].example}")
    return Note(_snippet(name, found[0]))


def _snippet(name: str, server: Server) -> str:
    from llamanb.integrations.clients import client_snippets

    snippets = client_snippets(server)
    if name not in snippets:
        known = ", ".join(snippets) or "none"
        raise UsageError(f"{server.url} is nothing for {name}; what can use it: {known}")
    text = snippets[name].rstrip()
    return f"{text}\n\n{_KEY_NOTE}" if server.api_key and server.api_key in text else text


def _named_or_only(port: str, command: str) -> list[Server]:
    """Give the server on this port, without one the only server, or none if there is none."""
    servers = {str(port): server for port, server in registry().items()}
    if not servers or (not port and len(servers) == 1):
        return list(servers.values())
    if not port:
        ports = ", ".join(servers)
        raise UsageError(
            f"which one? Running: {ports}. Example: %llama {command} {next(iter(servers))}"
        )
    if port not in servers:
        raise unknown("port", port, servers, example="%llama servers")
    return [servers[port]]


SERVER_HANDLERS: dict[str, Callable[[Arguments, NotebookState], Any]] = {
    "serve": _serve,
    "servers": _servers,
    "stop": _stop,
    "client": _client,
}
