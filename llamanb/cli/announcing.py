"""What a server's command prints: where it is, how to connect, and its requests."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from llamanb.demo import TOY_LABELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llamanb.servers import Server
    from llamanb.servers.request_log import LogEntry

__all__ = ["announce", "show_requests"]

CHAT_PATHS = {
    "openai": "/v1/chat/completions /v1/completions /v1/responses /v1/models",
    "anthropic": "/v1/messages /v1/messages/count_tokens /v1/models",
}
VECTOR_PATHS = {"openai": "/v1/embeddings /v1/rerank /v1/models", "anthropic": "/v1/models"}
TITLES = {"openai": "OpenAI", "anthropic": "Anthropic"}


def announce(server: Server, *, key_is_new: bool) -> None:
    """Print where a server is and how to use it.

    ``key_is_new`` says that nobody knows its key yet, if it asks for one.
    """
    for title, value in _lines(server, key_is_new=key_is_new):
        print(f"{title:<12}{value}")
    print("stop it with Ctrl-C", flush=True)


def show_requests(server: Server) -> None:
    """Print a line to standard error for each request that ends, without its text."""

    def show(entry: LogEntry) -> None:
        if entry.state != "running":
            print(request_line(entry), file=sys.stderr, flush=True)

    server.subscribe(show)


def request_line(entry: LogEntry) -> str:
    """Give what is worth knowing of a request in one line.

    Examples
    --------
    >>> request_line(LogEntry(number=3, method="GET", path="/v1/models", status=200, seconds=0.01))
    'GET /v1/models 200 0.01 s'
    """
    line = f"{entry.method} {entry.path} {entry.status or '-'} {entry.seconds:.2f} s"
    if entry.prompt_tokens:
        line += f", {entry.prompt_tokens:,} tokens read ({entry.cached_tokens:,} known)"
        line += f", {entry.completion_tokens:,} written"
    details = [entry.state if entry.state == "cancelled" else "", entry.finish_reason, entry.error]
    return ", ".join([line, *filter(None, details)])


def _lines(server: Server, *, key_is_new: bool) -> Iterator[tuple[str, str]]:
    model = server.model
    toy = TOY_LABELS["demo-embed" if model.is_embedding else "demo"] if model.is_toy else ""
    yield "serving", ", ".join(server.models) + (f" ({toy})" if toy else "")
    yield "context", f"{server.n_ctx:,} tokens"
    paths = VECTOR_PATHS if model.is_embedding else CHAT_PATHS
    for api in server.apis:
        url = server.base_url if api == "openai" else server.url
        yield TITLES[api], f"{url}   {paths[api]}"
    yield "others", f"{server.url}   /health /metrics /props /tokenize /detokenize"
    if server.api_key:
        yield "key", server.api_key if key_is_new else "the one you gave"
    else:
        yield "key", "any: none is asked for"
