"""HTTP dialects over resident models: OpenAI's and Anthropic's, on threads of the kernel.

The package is also the mapping of the running servers by port.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from llamanb.servers.registry import ServerRegistry, registry
from llamanb.servers.room import ServersRoom

if TYPE_CHECKING:
    from llamanb.servers.server import Server
    from llamanb.servers.serving import serve, serve_anthropic, serve_openai

__all__ = ["Server", "ServerRegistry", "registry", "serve", "serve_anthropic", "serve_openai"]

# FastAPI and uvicorn are imported when a server is first asked for.
_HOMES = {
    "Server": "llamanb.servers.server",
    "serve": "llamanb.servers.serving",
    "serve_anthropic": "llamanb.servers.serving",
    "serve_openai": "llamanb.servers.serving",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'llamanb.servers' has no attribute {name!r}")


sys.modules[__name__].__class__ = ServersRoom
