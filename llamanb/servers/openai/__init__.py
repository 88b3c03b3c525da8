"""OpenAI's dialect: chat completions, completions and the list of models."""

from llamanb.servers.openai.routes import make_models_router, make_router

__all__ = ["make_models_router", "make_router"]
