"""What to paste elsewhere so that another program uses a server of this process."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from llamanb.integrations.claude_code import claude_code_env
from llamanb.integrations.codex import codex_config
from llamanb.integrations.opencode import opencode_config

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llamanb.servers import Server

__all__ = ["client_snippets"]

QUESTION = "Why is the sky blue?"


def client_snippets(srv: Server) -> dict[str, str]:
    """Give ready texts for the programs that can use this server, by their names.

    ``curl`` and ``claude-code`` are lines for a shell, ``opencode`` is an
    ``opencode.json``, ``codex`` a ``~/.codex/config.toml``, the others are Python.
    The server's key stands in them where it has one, so that they work as they are;
    the two files name the variable ``LLAMANB_API_KEY`` instead.

    Returns
    -------
    dict
        ``curl``, ``openai``, ``anthropic``, ``chatlas``, ``langchain``,
        ``opencode``, ``claude-code`` and ``codex``, as far as the dialects and the
        kind of the model allow.

    Examples
    --------
    >>> print(llamanb.clients.client_snippets(srv)["openai"])
    """
    kind = "embedding" if srv.model.is_embedding else "chat"
    return {
        snippet.name: snippet.write(srv)
        for snippet in SNIPPETS
        if snippet.api in srv.apis and snippet.kind == kind
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """One program: what it needs of a server, and what to paste into it."""

    name: str
    api: Literal["openai", "anthropic"]
    kind: Literal["chat", "embedding"] = "chat"
    write: Callable[[Server], str]


def _curl(url: str, key_header: str, body: Mapping[str, object]) -> str:
    headers = ["Content-Type: application/json", *([key_header] if key_header else [])]
    parts = [f"curl {url}", *(f"-H {shlex.quote(header)}" for header in headers)]
    return (
        " \\\n  ".join([*parts, f"-d {shlex.quote(json.dumps(body, ensure_ascii=False))}"]) + "\n"
    )


def _messages() -> list[dict[str, str]]:
    return [{"role": "user", "content": QUESTION}]


def _curl_openai(srv: Server) -> str:
    header = f"Authorization: Bearer {srv.api_key}" if srv.api_key else ""
    body = {"model": srv.models[0], "messages": _messages()}
    return _curl(f"{srv.base_url}/chat/completions", header, body)


def _curl_anthropic(srv: Server) -> str:
    header = f"x-api-key: {srv.api_key}" if srv.api_key else ""
    body = {"model": srv.models[0], "max_tokens": 256, "messages": _messages()}
    return _curl(f"{srv.base_url}/messages", header, body)


def _curl_embeddings(srv: Server) -> str:
    header = f"Authorization: Bearer {srv.api_key}" if srv.api_key else ""
    return _curl(
        f"{srv.base_url}/embeddings", header, {"model": srv.models[0], "input": [QUESTION]}
    )


def _openai(srv: Server) -> str:
    return f"""\
from openai import OpenAI

client = OpenAI(base_url={_quoted(srv.base_url)}, api_key={_key(srv)})
answer = client.chat.completions.create(
    model={_quoted(srv.models[0])},
    messages=[{{"role": "user", "content": {_quoted(QUESTION)}}}],
)
print(answer.choices[0].message.content)
"""


def _openai_embeddings(srv: Server) -> str:
    return f"""\
from openai import OpenAI

client = OpenAI(base_url={_quoted(srv.base_url)}, api_key={_key(srv)})
answer = client.embeddings.create(model={_quoted(srv.models[0])}, input=[{_quoted(QUESTION)}])
print(len(answer.data[0].embedding))
"""


def _anthropic(srv: Server) -> str:
    return f"""\
from anthropic import Anthropic

client = Anthropic(base_url={_quoted(srv.url)}, api_key={_key(srv)})
message = client.messages.create(
    model={_quoted(srv.models[0])},
    max_tokens=256,
    messages=[{{"role": "user", "content": {_quoted(QUESTION)}}}],
)
print(message.content[0].text)
"""


def _chatlas(srv: Server) -> str:
    return f"""\
from chatlas import ChatOpenAICompletions

chat = ChatOpenAICompletions(
    base_url={_quoted(srv.base_url)}, model={_quoted(srv.models[0])}, api_key={_key(srv)}
)
chat.chat({_quoted(QUESTION)})
"""


def _langchain(srv: Server) -> str:
    return f"""\
from langchain_openai import ChatOpenAI

model = ChatOpenAI(
    base_url={_quoted(srv.base_url)}, model={_quoted(srv.models[0])}, api_key={_key(srv)}
)
print(model.invoke({_quoted(QUESTION)}).content)
"""


def _opencode(srv: Server) -> str:
    return json.dumps(opencode_config(srv, path=None), indent=2, ensure_ascii=False) + "\n"


def _claude_code(srv: Server) -> str:
    lines = [f"export {name}={shlex.quote(value)}" for name, value in claude_code_env(srv).items()]
    return "\n".join([*lines, "claude"]) + "\n"


def _quoted(text: str) -> str:
    """Write a string so that Python and a reader see the same."""
    return json.dumps(text, ensure_ascii=False)


def _key(srv: Server) -> str:
    return _quoted(srv.api_key or "local")


SNIPPETS = (
    Snippet(name="curl", api="anthropic", write=_curl_anthropic),
    Snippet(name="curl", api="openai", write=_curl_openai),  # this one where both are spoken
    Snippet(name="openai", api="openai", write=_openai),
    Snippet(name="anthropic", api="anthropic", write=_anthropic),
    Snippet(name="chatlas", api="openai", write=_chatlas),
    Snippet(name="langchain", api="openai", write=_langchain),
    Snippet(name="opencode", api="openai", write=_opencode),
    Snippet(name="claude-code", api="anthropic", write=_claude_code),
    Snippet(name="codex", api="openai", write=codex_config),
    Snippet(name="curl", api="openai", kind="embedding", write=_curl_embeddings),
    Snippet(name="openai", api="openai", kind="embedding", write=_openai_embeddings),
)
