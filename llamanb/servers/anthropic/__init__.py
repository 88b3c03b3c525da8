"""The Anthropic dialect: the Messages API over a resident model."""

from __future__ import annotations

from llamanb.servers.anthropic.routes import make_router

__all__ = ["make_router"]
