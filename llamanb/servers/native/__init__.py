"""What belongs to no chat dialect: state, tokens, vectors and ranks, in llama-server's shapes."""

from llamanb.servers.native.routes import make_openai_router, make_router

__all__ = ["make_openai_router", "make_router"]
