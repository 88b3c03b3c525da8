"""OpenAI's Responses API: items in, a response or its stream of typed events out."""

from llamanb.servers.openai_responses.routes import make_router

__all__ = ["make_router"]
