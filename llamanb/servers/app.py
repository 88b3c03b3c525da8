"""The one app: both dialects, behind the same guards."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import FastAPI

from llamanb.servers import anthropic, native, openai, openai_responses
from llamanb.servers.border import add_border
from llamanb.servers.error_handlers import ERROR_RESPONSES
from llamanb.servers.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fastapi import APIRouter

    from llamanb.servers.service import Service

__all__ = ["build_app"]


def build_app(service: Service) -> FastAPI:
    """Join the routes of the dialects that are wanted with what guards them."""
    app = FastAPI(
        title="llamanb",
        version=version("llamanb"),
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    for make_router in _routers(service.settings.apis):
        app.include_router(make_router(service), responses=ERROR_RESPONSES)
    add_border(app, service.settings)
    app.add_middleware(Recorder, log=service.log)
    return app


def _routers(apis: tuple[str, ...]) -> Sequence[Callable[[Service], APIRouter]]:
    routers = [native.make_router, openai.make_models_router]
    if "openai" in apis:
        routers += [openai.make_router, openai_responses.make_router, native.make_openai_router]
    if "anthropic" in apis:
        routers.append(anthropic.make_router)
    return routers
