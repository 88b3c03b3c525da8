"""OpenAI's endpoints: chat completions, completions and the list of models."""

# no `from __future__ import annotations`: FastAPI reads these types
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from llamanb.servers.answer import Answer
from llamanb.servers.event_source import OR_EVENTS, EventSource
from llamanb.servers.openai.adapter import read_chat, read_completion
from llamanb.servers.openai.event_stream import ChatWriter, TextWriter
from llamanb.servers.openai.requests import ChatRequest, CompletionRequest, SharedRequest
from llamanb.servers.openai.responses import Head, model_card, model_list
from llamanb.servers.service import Service

__all__ = ["make_models_router", "make_router"]


def make_router(service: Service) -> APIRouter:
    """Give the routes of one server; those without ``/v1`` are what older clients call."""
    router = APIRouter()

    @router.post("/v1/chat/completions", responses=OR_EVENTS)
    @router.post("/chat/completions", include_in_schema=False)
    async def chat_completions(body: ChatRequest, request: Request) -> Response:
        """Answer a conversation."""
        asked = read_chat(body, request.headers, service.sampling_of)
        answer = await service.begin(request, asked)
        writer = ChatWriter(
            Head.of(answer, "chatcmpl"),
            include_usage=_includes_usage(body),
            is_legacy=body.tools is None and body.functions is not None,
            hides_reasoning=body.include_reasoning is False,
        )
        return await _respond(service, request, body, answer, writer)

    @router.post("/v1/completions", responses=OR_EVENTS)
    @router.post("/completions", include_in_schema=False)
    async def completions(body: CompletionRequest, request: Request) -> Response:
        """Go on with one text, or several."""
        asked = read_completion(body, request.headers, service.sampling_of)
        answer = await service.begin(request, asked)
        echo = [stream.prompt.prompt for stream in answer.streams] if body.echo else []
        writer = TextWriter(Head.of(answer, "cmpl"), include_usage=_includes_usage(body), echo=echo)
        return await _respond(service, request, body, answer, writer)

    return router


def make_models_router(service: Service) -> APIRouter:
    """Give the list of models, which both dialects have, in one body that both can read."""
    router = APIRouter()

    @router.get("/v1/models")
    @router.get("/models", include_in_schema=False)
    async def models() -> dict[str, Any]:
        """List the models."""
        return model_list(service.models.cards(), service.started)

    @router.get("/v1/models/{name:path}")
    @router.get("/models/{name:path}", include_in_schema=False)
    async def model(name: str) -> dict[str, Any]:
        """Describe one model; its name may contain slashes."""
        return model_card(name, service.models.find(name), service.started)

    return router


async def _respond(
    service: Service,
    request: Request,
    body: SharedRequest,
    answer: Answer,
    writer: ChatWriter | TextWriter,
) -> Response:
    if body.stream:
        return EventSource(answer, writer, ping_s=service.settings.ping_s)
    return JSONResponse(await answer.whole(request, writer))


def _includes_usage(body: SharedRequest) -> bool:
    return body.stream_options is not None and bool(body.stream_options.include_usage)
