"""The endpoints of llama-server that are not chats, and OpenAI's embeddings."""

# no `from __future__ import annotations`: FastAPI reads these types
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from llamanb.servers.native.metrics import CONTENT_TYPE, metrics_text
from llamanb.servers.native.ranks import rerank_body, scored
from llamanb.servers.native.reading import ReadingDesk
from llamanb.servers.native.requests import (
    DetokenizeRequest,
    EmbeddingsRequest,
    RerankRequest,
    TokenizeRequest,
)
from llamanb.servers.native.status import health, props, slots
from llamanb.servers.native.tokens import applied_template, detokenized, tokenized
from llamanb.servers.native.vectors import embedded, embeddings_json
from llamanb.servers.openai.adapter import read_chat
from llamanb.servers.openai.requests import ChatRequest
from llamanb.servers.problems import Refusal
from llamanb.servers.service import Service, entry_of

__all__ = ["make_openai_router", "make_router"]


def make_router(service: Service) -> APIRouter:
    """Give what every server has: its state, and tokens."""
    router = APIRouter()

    @router.get("/health")
    @router.get("/v1/health", include_in_schema=False)
    @router.head("/health", include_in_schema=False)
    async def get_health() -> dict[str, str]:
        """Say whether the server can be asked."""
        return health(service.models)

    @router.get("/metrics", response_class=PlainTextResponse)
    async def get_metrics() -> Response:
        """Give counters and gauges for Prometheus."""
        _check_is_on("metrics", is_on=service.settings.metrics)
        return Response(metrics_text(service), media_type=CONTENT_TYPE)

    @router.get("/props")
    async def get_props(request: Request, model: str | None = None) -> dict[str, Any]:
        """Give the facts of the server and of a model."""
        found = service.models.find(model)
        name, version = service.models.name_of(found), request.app.version
        return await service.run(props, name, found, service.settings, version)

    @router.get("/slots")
    async def get_slots(
        model: str | None = None, fail_on_no_slot: str = ""
    ) -> list[dict[str, Any]]:
        """Give what each sequence of a model does."""
        _check_is_on("slots", is_on=service.settings.slots)
        return slots(service.models.find(model), fail_on_no_slot=fail_on_no_slot not in ("", "0"))

    @router.post("/tokenize")
    async def tokenize(body: TokenizeRequest) -> dict[str, Any]:
        """Turn text into token ids."""
        return await service.run(tokenized, service.models.find(body.model), body)

    @router.post("/detokenize")
    async def detokenize(body: DetokenizeRequest) -> dict[str, Any]:
        """Turn token ids into text."""
        return await service.run(detokenized, service.models.find(body.model), body)

    @router.post("/apply-template")
    async def apply_template(body: ChatRequest, request: Request) -> dict[str, Any]:
        """Render a conversation as the model would read it."""
        asked = read_chat(body, request.headers, service.sampling_of)
        (prepared,) = await service.prepare(request, asked)
        return applied_template(prepared)

    return router


def make_openai_router(service: Service) -> APIRouter:
    """Give vectors and ranks, in the shapes of OpenAI, Jina and Cohere."""
    router = APIRouter()
    desk = ReadingDesk(service)

    @router.post("/v1/embeddings")
    @router.post("/embeddings", include_in_schema=False)
    async def embeddings(body: EmbeddingsRequest, request: Request) -> Response:
        """Turn texts into vectors."""
        model = service.models.find(body.model, kind="embedding")
        entry_of(request).model = model.name
        readout = await desk.read(request, partial(embedded, model, body))
        name = body.model or service.models.name_of(model)
        written = await service.run(embeddings_json, readout, name, body.encoding_format)
        return Response(written, media_type="application/json")

    @router.post("/v1/rerank")
    @router.post("/rerank", include_in_schema=False)
    @router.post("/v1/reranking", include_in_schema=False)
    @router.post("/reranking", include_in_schema=False)
    async def rerank(body: RerankRequest, request: Request) -> Response:
        """Put documents into the order in which they answer a query."""
        model = service.models.find(body.model, kind="rerank")
        entry_of(request).model = model.name
        readout = await desk.read(request, partial(scored, model, body))
        name = body.model or service.models.name_of(model)
        return JSONResponse(rerank_body(readout, name, body))

    return router


def _check_is_on(name: str, *, is_on: bool) -> None:
    if not is_on:
        message = f"/{name} is switched off on this server ({name}=False)"
        raise Refusal(message, status=501, kind="not_supported_error", code="switched_off")
