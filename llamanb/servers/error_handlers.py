"""What every error of the application comes to: a log line, and an answer in a dialect.

The log names the place of a failure and never has any text of a request.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, Match

from llamanb.errors import LlamanbError
from llamanb.servers.problems import Problem, Refusal, problem_of, problem_response

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["ERROR_RESPONSES", "LastResort", "add_error_handlers"]

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
_TEXT = {"type": "string"}
_OPENAI_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": _TEXT,
                "type": _TEXT,
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
_ANTHROPIC_ERROR = {
    "type": "object",
    "required": ["type", "error", "request_id"],
    "properties": {
        "type": {"const": "error"},
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {"type": _TEXT, "message": _TEXT, "details": {"type": "object"}},
        },
        "request_id": _TEXT,
    },
}
_ERROR: dict[str, Any] = {
    "description": "What is wrong, in the dialect of the address",
    "content": {"application/json": {"schema": {"anyOf": [_OPENAI_ERROR, _ANTHROPIC_ERROR]}}},
}
# for the OpenAPI description; without it FastAPI promises answers with status 422
ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {"4XX": _ERROR, "5XX": _ERROR}
_logger = logging.getLogger("llamanb.servers")


class LastResort:
    """Answer an error that nobody expected; after the first byte, only log it.

    Without it the error would travel on to the server, which prints a traceback (with
    pieces of prompts in it) where the notebook's output is.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on a request, and catch what comes back."""
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:  # whatever it is, no client may see it
            if scope["type"] != "http":
                raise
            request = HTTPConnection(scope)
            _log_failure(request, error)
            if not started:
                await problem_response(request, problem_of(error))(scope, receive, send)


def add_error_handlers(app: FastAPI) -> None:
    """Have an application answer every error in the dialect of the request."""
    for kind in (Refusal, LlamanbError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _answer)


async def _answer(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    if problem.status >= 500:
        _log_failure(request, error)
    if isinstance(error, HTTPException) and problem.status in (404, 405):
        problem = _name_the_address(request, problem)
    return problem_response(request, problem)


def _name_the_address(request: Request, problem: Problem) -> Problem:
    """Say which address is unknown, or with which methods it is known."""
    address = f"{request.method} {request.url.path}"
    if problem.status == 404:
        return replace(problem, message=f"there is no {address} on this server")
    allowed = ", ".join(_methods_of(request))
    message = f"{address} is not possible; {request.url.path} knows {allowed}"
    return replace(problem, message=message, headers={"allow": allowed})


def _methods_of(request: Request) -> list[str]:
    """Give every method of a path (the route that refused knows its own alone)."""
    routes: list[BaseRoute] = request.app.router.routes
    address = {key: request.scope[key] for key in ("type", "path", "root_path")}
    scopes = [{**address, "method": method, "headers": []} for method in METHODS]
    return [
        str(scope["method"])
        for scope in scopes
        if any(route.matches(dict(scope))[0] is Match.FULL for route in routes)
    ]


def _log_failure(request: HTTPConnection, error: BaseException) -> None:
    """Log an error that is not the client's, without any text of the request."""
    method, path = request.scope.get("method", "?"), request.scope["path"]
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    place = "?" if where is None else f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}"
    _logger.error("%s %r failed: %s at %s", method, path, type(error).__name__, place)
