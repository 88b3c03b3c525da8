"""``llamanb serve --selftest``: one question over HTTP in each dialect, and what it took."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llamanb.servers import Server

__all__ = ["selftest"]

QUESTION = "Why is the sky blue?"
TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One request, and where its answer and the number of its tokens are.

    ``text`` and ``tokens`` are keys and positions, one inside the other.
    """

    path: str
    body: dict[str, Any]
    text: tuple[str | int, ...]
    tokens: tuple[str, str]


def selftest(server: Server) -> int:
    """Ask once in each dialect and print the figures; 0 if all were answered, else 1."""
    answered = [_asked(server, check) for check in _checks(server)]
    return 0 if all(answered) else 1


def _checks(server: Server) -> Iterator[Check]:
    name = server.models[0]
    if server.model.is_embedding:
        yield from _vector_checks(server, name)
        return
    asked = {"model": name, "max_tokens": 64, "messages": [{"role": "user", "content": QUESTION}]}
    if "openai" in server.apis:
        yield Check(
            path="/v1/chat/completions",
            body=asked,
            text=("choices", 0, "message", "content"),
            tokens=("usage", "completion_tokens"),
        )
    if "anthropic" in server.apis:
        yield Check(
            path="/v1/messages",
            body=asked,
            text=("content", 0, "text"),
            tokens=("usage", "output_tokens"),
        )


def _vector_checks(server: Server, name: str) -> Iterator[Check]:
    if server.model.is_reranker:
        yield Check(
            path="/v1/rerank",
            body={"model": name, "query": QUESTION, "documents": ["Blue light scatters.", "Cats."]},
            text=("results", 0, "relevance_score"),
            tokens=("usage", "total_tokens"),
        )
    else:
        yield Check(
            path="/v1/embeddings",
            body={"model": name, "input": [QUESTION]},
            text=("data", 0, "embedding", 0),
            tokens=("usage", "total_tokens"),
        )


def _asked(server: Server, check: Check) -> bool:
    start = time.perf_counter()
    try:
        answer = _post(server, check)
        text, tokens = _found(answer, check.text), _found(answer, check.tokens)
    except (OSError, ValueError, LookupError, TypeError) as error:
        print(f"POST {check.path}: failed: {_reason(error)}", flush=True)
        return False
    seconds = time.perf_counter() - start
    print(f"POST {check.path}: {tokens} tokens in {seconds:.2f} s, {text!r}", flush=True)
    return True


def _post(server: Server, check: Check) -> Any:
    headers = {"Content-Type": "application/json"}
    if server.api_key:
        headers["Authorization"] = f"Bearer {server.api_key}"
    request = urllib.request.Request(  # noqa: S310  # our own server
        server.url + check.path, json.dumps(check.body).encode(), headers
    )
    # No proxy: the server is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=TIMEOUT_S) as response:
        return json.load(response)


def _found(answer: Any, keys: tuple[str | int, ...]) -> Any:
    for key in keys:
        answer = answer[key]
    return answer


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"{error} {error.read(500).decode(errors='replace')}"
    return f"{type(error).__name__}: {error}"
