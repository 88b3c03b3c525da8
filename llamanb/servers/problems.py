"""What went wrong with a request: its status, and its body in the client's dialect.

Everything that can go wrong becomes one :class:`Problem` (``problem_of``), and a
problem is written in either dialect. What nobody expected is a 500 without a word
about it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from llamanb import errors
from llamanb.servers.wrong_fields import tell_wrong_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import HTTPConnection

__all__ = [
    "Problem",
    "Refusal",
    "anthropic_error",
    "is_anthropic",
    "openai_error",
    "problem_of",
    "problem_response",
    "request_id_of",
]

OVERFLOW = "context_length_exceeded"
MAX_MESSAGE = 2000
RETRY_SOON: Mapping[str, str] = {"retry-after": "1"}
NEVER_RETRY: Mapping[str, str] = {"x-should-retry": "false"}  # both SDKs obey it
OPENAI_PATHS = ("/chat/", "/completions", "/responses", "/embeddings", "/rerank")  # after /v1
# the words of the Anthropic dialect for each status; any other 4xx is an invalid request
ANTHROPIC_KINDS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
ANTHROPIC_STATUS = {429: 529, 503: 529}  # all that it retries patiently is "overloaded"
HTTP_CODES = {404: "unknown_url", 405: "method_not_allowed"}


class Refusal(Exception):
    """What an adapter or a route raises to refuse a request.

    Parameters
    ----------
    status : of the answer; a 429 or 503 is a 529 in the Anthropic dialect.
    kind : ``type`` in the OpenAI dialect; Anthropic's follows from the status.
    param : the field that is wrong, as ``messages[0].content``.
    code : a word for programs, as ``model_not_found``.
    details : further fields of the error.
    headers : of the answer.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.problem = Problem(
            status=status,
            kind=kind,
            message=message,
            param=param,
            code=code,
            details=dict(details) if details else None,
            headers=dict(headers or {}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is told about an error, before a dialect puts it into its shape."""

    status: int
    kind: str
    message: str
    param: str | None = None
    code: str | None = None
    details: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)


def _row(
    status: int,
    code: str | None = None,
    message: str = "",
    headers: Mapping[str, str] | None = None,
) -> Problem:
    """Give what is told about a class of errors; without a message, the error's own."""
    kind = "invalid_request_error" if status < 429 else "server_error"
    kind = "rate_limit_error" if status == 429 else kind
    return Problem(
        status=status, kind=kind, code=code, message=message, headers=dict(headers or {})
    )


# The nearest class counts. Errors about files keep their text to themselves: it names paths.
ROWS: dict[type[BaseException], Problem] = {
    errors.OptionError: _row(400, "invalid_value"),
    errors.ContextLengthError: _row(400, OVERFLOW),
    errors.GrammarError: _row(400, "invalid_grammar"),
    errors.TemplateError: _row(400, "template_error"),
    errors.ModelNotFoundError: _row(404, "model_not_found"),
    errors.UnknownModelError: _row(404, "model_not_found"),
    errors.ModelError: _row(503, "model_unavailable", "the model cannot be used at the moment"),
    errors.ModelLoadTimeout: _row(504, "model_load_timeout", "loading the model took too long"),
    errors.ModelBusyError: _row(503, "model_busy", "the model is busy", RETRY_SOON),
    errors.ModelClosedError: _row(503, "model_closed", "the model was closed"),
    errors.InsufficientMemoryError: _row(
        503, "insufficient_memory", "there is not enough memory to load the model"
    ),
    errors.QueueFullError: _row(429, "rate_limit_exceeded", headers=RETRY_SOON),
    errors.EngineDead: _row(
        503, "engine_dead", "the engine has stopped; load the model again", NEVER_RETRY
    ),
    errors.NumericalError: _row(
        500, "numerical_error", "the model computed values that are not numbers", NEVER_RETRY
    ),
}
UNEXPECTED = _row(500, message="internal error")


def problem_of(error: BaseException) -> Problem:
    """Give what is told about an error, whatever it is.

    A :class:`Refusal` says it itself, errors of llamanb have a row, wrong fields name
    their place; anything else is a 500 that says nothing.
    """
    match error:
        case Refusal():
            problem = error.problem
        case RequestValidationError():
            param, message = tell_wrong_fields(error.errors(), error.body)
            problem = replace(_row(400, message=message), param=param)
        case HTTPException():
            problem = _problem_of_http(error)
        case _:
            problem = _problem_of_class(error)
    return replace(problem, message=_cut(problem.message))


def _problem_of_http(error: HTTPException) -> Problem:
    message = str(error.detail) if error.status_code < 500 else HTTPStatus(error.status_code).phrase
    code = HTTP_CODES.get(error.status_code)
    return _row(error.status_code, code, message, dict(error.headers or {}))


def _problem_of_class(error: BaseException) -> Problem:
    found = next((ROWS[kind] for kind in type(error).__mro__ if kind in ROWS), UNEXPECTED)
    problem = replace(found, message=found.message or str(error))
    if isinstance(error, errors.ContextLengthError):
        details = {"n_prompt_tokens": error.n_prompt, "n_ctx": error.n_ctx}
        return replace(problem, message=_overflow(error), details=details)
    return problem


def _overflow(error: errors.ContextLengthError) -> str:
    """Say it in the words by which clients know that they should compact."""
    if not error.n_ctx:
        return str(error)
    return (
        f"This model's maximum context length is {error.n_ctx} tokens, but the prompt has "
        f"{error.n_prompt} tokens. Please shorten it."
    )


def _cut(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE else message[:MAX_MESSAGE] + " …"


def openai_error(problem: Problem) -> dict[str, Any]:
    """Give the body of an error in the OpenAI dialect."""
    told = {
        "message": problem.message,
        "type": problem.kind,
        "param": problem.param,
        "code": problem.code,
    }
    return {"error": {**(problem.details or {}), **told}}


def anthropic_error(problem: Problem, request_id: str) -> dict[str, Any]:
    """Give the body of an error (or of an error event) in the Anthropic dialect."""
    status = ANTHROPIC_STATUS.get(problem.status, problem.status)
    otherwise = "api_error" if status >= 500 else "invalid_request_error"
    told: dict[str, Any] = {
        "type": ANTHROPIC_KINDS.get(status, otherwise),
        "message": _anthropic_message(problem),
    }
    if problem.details:
        told["details"] = problem.details
    return {"type": "error", "error": told, "request_id": request_id}


def _anthropic_message(problem: Problem) -> str:
    details = problem.details or {}
    if problem.code != OVERFLOW or not details.get("n_ctx"):
        return problem.message
    n_prompt, n_ctx = details["n_prompt_tokens"], details["n_ctx"]
    # a prompt of n_ctx tokens is too long as well: one place is the answer's
    return f"prompt is too long: {n_prompt} tokens > {min(n_ctx, n_prompt - 1)} maximum"


def is_anthropic(request: HTTPConnection) -> bool:
    """Whether the client speaks the Anthropic dialect.

    ``/v1/messages`` says so by itself; on paths that both dialects have, and on those
    that nobody has, the header ``anthropic-version`` does.
    """
    path = request.scope["path"]
    if path.removeprefix("/v1").startswith(OPENAI_PATHS):
        return False
    ours = path == "/v1/messages" or path.startswith("/v1/messages/")
    return ours or "anthropic-version" in request.headers


def request_id_of(request: HTTPConnection) -> str:
    """Give the id of this request, the one in the headers of its answer."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def problem_response(request: HTTPConnection, problem: Problem) -> Response:
    """Give the answer that tells a problem, in the dialect of the request."""
    if is_anthropic(request):
        status = ANTHROPIC_STATUS.get(problem.status, problem.status)
        body = anthropic_error(problem, request_id_of(request))
    else:
        status, body = problem.status, openai_error(problem)
    return Response(
        json.dumps(body), status, headers=problem.headers, media_type="application/json"
    )
