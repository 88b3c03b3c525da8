"""The addresses of the Responses API."""

# no `from __future__ import annotations`: FastAPI reads these types
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from llamanb.servers.answer import Answer
from llamanb.servers.event_source import OR_EVENTS, EventSource
from llamanb.servers.openai_responses.adapter import SEALED_REASONING, AskedResponse, read_request
from llamanb.servers.openai_responses.event_stream import ResponseWriter
from llamanb.servers.openai_responses.requests import InputTokensRequest, ResponsesRequest
from llamanb.servers.openai_responses.responses import (
    deleted_body,
    input_tokens_body,
    item_list,
    response_head,
)
from llamanb.servers.openai_responses.store import ResponseStore
from llamanb.servers.problems import Refusal
from llamanb.servers.service import Service

__all__ = ["make_router"]

Limit = Annotated[int, Query(ge=1, le=100)]


def make_router(service: Service) -> APIRouter:
    """Give the routes; the responses of this server are kept as long as they live."""
    router, store = APIRouter(), ResponseStore()

    def read(request: Request, body: InputTokensRequest) -> AskedResponse:
        return read_request(
            body, headers=request.headers, store=store, read_sampling=service.sampling_of
        )

    @router.post("/responses", include_in_schema=False)
    @router.post("/v1/responses", responses=OR_EVENTS)
    async def create(request: Request, body: ResponsesRequest) -> Response:
        """Answer, at once or as a stream."""
        asked = read(request, body)
        answer = await service.begin(request, asked.asked)
        writer = _writer(body, asked, answer, store)
        if body.stream:
            return EventSource(answer, writer, ping_s=service.settings.ping_s)
        return JSONResponse(await answer.whole(request, writer))

    @router.post("/responses/input_tokens", include_in_schema=False)
    @router.post("/v1/responses/input_tokens")
    async def count(request: Request, body: InputTokensRequest) -> dict[str, Any]:
        """Count the tokens of the prompt."""
        return input_tokens_body(await service.count(request, read(request, body).asked))

    @router.get("/v1/responses/{response_id}")
    async def retrieve(response_id: str, *, stream: bool = False) -> dict[str, Any]:
        """Give a response that was made before."""
        if stream:
            raise Refusal("stream: a response that is over is given whole", param="stream")
        return store.get(response_id).response

    @router.delete("/v1/responses/{response_id}")
    async def delete(response_id: str) -> dict[str, Any]:
        """Forget a response."""
        store.delete(response_id)
        return deleted_body(response_id)

    @router.get("/v1/responses/{response_id}/input_items")
    async def input_items(
        response_id: str,
        after: str | None = None,
        limit: Limit = 20,
        order: Literal["asc", "desc"] = "desc",
    ) -> dict[str, Any]:
        """List what a response answered."""
        items = store.get(response_id).input_items
        return item_list(items, after=after, limit=limit, is_newest_first=order == "desc")

    return router


def _writer(
    body: ResponsesRequest, asked: AskedResponse, answer: Answer, store: ResponseStore
) -> ResponseWriter:
    head = response_head(
        body, asked, id_seed=answer.id_seed, model=answer.model_name, created=answer.created
    )

    def keep(response: dict[str, Any]) -> None:
        store.put(response, asked.input_items, asked.earlier)

    return ResponseWriter(
        head,
        asked.toolbox,
        seals_reasoning=SEALED_REASONING in (body.include or ()),
        on_end=None if body.store is False else keep,
    )
