"""Local GGUF models in a Jupyter kernel: magics, a chat widget and servers.

Everything is imported on first use, so that ``import llamanb`` stays quick.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llamanb import models, servers
    from llamanb.conversation import Session, reply
    from llamanb.conversation.tools import Tool, ToolDecision, ToolRequest, tool
    from llamanb.engine import system_info
    from llamanb.integrations import clients
    from llamanb.integrations import rag as rag  # not in __all__: `import *` works without it
    from llamanb.integrations.chatlas import chat
    from llamanb.models import Model, ModelManager, hub, load, ps, unload
    from llamanb.notebook.chat.widget import ChatWidget
    from llamanb.notebook.grammar_lab import GrammarLab
    from llamanb.servers import Server, serve, serve_anthropic, serve_openai

__version__ = "0.1.0"

__all__ = [
    "ChatWidget",
    "GrammarLab",
    "Model",
    "ModelManager",
    "Server",
    "Session",
    "Tool",
    "ToolDecision",
    "ToolRequest",
    "__version__",
    "chat",
    "clients",
    "hub",
    "load",
    "models",
    "ps",
    "reply",
    "serve",
    "serve_anthropic",
    "serve_openai",
    "servers",
    "set_log_level",
    "system_info",
    "tool",
    "unload",
]

_HOMES = {
    "llamanb.conversation": ("Session", "reply"),
    "llamanb.conversation.tools": ("Tool", "ToolDecision", "ToolRequest", "tool"),
    "llamanb.engine": ("system_info",),
    "llamanb.integrations.chatlas": ("chat",),
    "llamanb.models": ("Model", "ModelManager", "load", "ps", "unload"),
    "llamanb.notebook.chat.widget": ("ChatWidget",),
    "llamanb.notebook": ("load_ipython_extension", "unload_ipython_extension"),
    "llamanb.notebook.grammar_lab": ("GrammarLab",),
    "llamanb.servers": ("Server", "serve", "serve_anthropic", "serve_openai"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_ROOMS = {
    "clients": "llamanb.integrations.clients",
    "hub": "llamanb.models.hub",
    "models": "llamanb.models",
    "rag": "llamanb.integrations.rag",
    "servers": "llamanb.servers",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name in _ROOMS:
        return importlib.import_module(_ROOMS[name])
    if name in _HOME_OF:
        return getattr(importlib.import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module 'llamanb' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted([*globals(), *__all__])


def set_log_level(level: int | str) -> None:
    """Show what llamanb and llama.cpp log, from this level of :mod:`logging` on.

    ``"INFO"`` shows loads and warnings of llama.cpp, ``"DEBUG"`` everything.
    Texts of prompts and answers are never logged.
    """
    import logging

    logger = logging.getLogger("llamanb")
    logger.setLevel(level)
    if not any(isinstance(handler, logging.StreamHandler) for handler in logger.handlers):
        logger.addHandler(logging.StreamHandler())


if "IPython" in sys.modules:
    from llamanb.notebook import register_if_ipython

    register_if_ipython()
