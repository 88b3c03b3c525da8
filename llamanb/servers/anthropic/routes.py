"""Addresses of the Anthropic dialect."""

from itertools import product
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from llamanb.servers.answer import Answer
from llamanb.servers.anthropic.adapter import hides_thinking, read_request
from llamanb.servers.anthropic.event_stream import MessageWriter
from llamanb.servers.anthropic.requests import CountTokensRequest, MessagesRequest
from llamanb.servers.anthropic.responses import CountTokensResponse, MessageResponse
from llamanb.servers.event_source import OR_EVENTS, EventSource
from llamanb.servers.problems import request_id_of
from llamanb.servers.service import Service

__all__ = ["make_router"]

_ANSWERS: dict[int | str, dict[str, Any]] = {200: {"model": MessageResponse, **OR_EVENTS[200]}}
_LIVE = ("/", "/api/hello")  # Claude Code asks these whether anybody is there


def make_router(service: Service) -> APIRouter:
    """Make the routes that answer with ``service``."""
    router = APIRouter(tags=["anthropic"])

    @router.post("/v1/messages", response_class=Response, responses=_ANSWERS)
    async def create_message(request: Request, body: MessagesRequest) -> Response:
        """Answer a conversation, as one body or as a stream of events."""
        answer = await service.begin(request, read_request(body, request.headers, service))
        writer = _writer(request, body, answer)
        if body.stream:
            return EventSource(answer, writer, ping_s=service.settings.ping_s)
        whole = await answer.whole(request, writer)
        return Response(whole, media_type="application/json")

    @router.post("/v1/messages/count_tokens")
    async def count_tokens(request: Request, body: CountTokensRequest) -> CountTokensResponse:
        """Count the tokens of a conversation, as the usage of its answer would."""
        count = await service.count(request, read_request(body, request.headers, service))
        return CountTokensResponse(input_tokens=count)

    for path, method in product(_LIVE, ("GET", "HEAD")):  # two at once would share one id
        router.add_api_route(path, _say_hello, methods=[method], response_class=PlainTextResponse)
    return router


async def _say_hello() -> PlainTextResponse:
    """Say that the server is there."""
    return PlainTextResponse("llamanb is running\n")


def _writer(request: Request, body: MessagesRequest, answer: Answer) -> MessageWriter:
    return MessageWriter(
        id_seed=answer.id_seed,
        model=answer.model_name,
        n_prompt_tokens=answer.n_prompt_tokens,
        max_tokens=body.max_tokens,
        hides_thinking=hides_thinking(body),
        request_id=request_id_of(request),
    )
