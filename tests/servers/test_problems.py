"""What is told about errors: statuses, shapes and words, in both dialects."""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from llamanb import errors
from llamanb.servers.border import add_border
from llamanb.servers.problems import (
    Problem,
    Refusal,
    anthropic_error,
    openai_error,
    problem_of,
)
from llamanb.servers.wrong_fields import tell_wrong_fields
from llamanb.settings import ServerSettings
from tests.support.asgi import Answered, ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
LOCAL = ("host", "127.0.0.1:8080")
VERSION = ("anthropic-version", "2023-06-01")
EXPECTED = [
    (errors.OptionError("temperature=-1 is not possible"), 400, "invalid_value"),
    (errors.GrammarError("no"), 400, "invalid_grammar"),
    (errors.TemplateError("roles must alternate"), 400, "template_error"),
    (errors.TemplateLimitError("too slow"), 400, "template_error"),
    (errors.ModelNotFoundError("no model 'x'"), 404, "model_not_found"),
    (errors.UnknownModelError("no model 'x'"), 404, "model_not_found"),
    (errors.ModelLoadTimeout("30 s"), 504, "model_load_timeout"),
    (errors.ModelLoadError("x"), 503, "model_unavailable"),
    (errors.ModelFileError("x"), 503, "model_unavailable"),
    (errors.ModelBusyError("x"), 503, "model_busy"),
    (errors.ModelClosedError("x"), 503, "model_closed"),
    (errors.InsufficientMemoryError("x"), 503, "insufficient_memory"),
    (errors.HubError("x"), 503, "model_unavailable"),
    (errors.QueueFullError("64 requests wait already"), 429, "rate_limit_exceeded"),
    (errors.EngineDead("x"), 503, "engine_dead"),
    (errors.NumericalError("x"), 500, "numerical_error"),
    (errors.ServerError("x"), 500, None),
    (ZeroDivisionError("x"), 500, None),
]
OVERFLOW = errors.ContextLengthError("too long", n_prompt=5000, n_ctx=4096)


class _Part(BaseModel):
    type: str
    text: str


class _Message(BaseModel):
    role: str
    content: str | list[_Part]


class _Body(BaseModel):
    model_config = ConfigDict(extra="allow")
    messages: list[_Message]
    error: str = ""


def _app() -> FastAPI:
    """Give an application that raises what it is asked to."""
    router = APIRouter()

    @router.post(CHAT)
    @router.post(MESSAGES)
    async def answer(body: _Body) -> dict[str, bool]:
        if body.error:
            raise RAISED[body.error]
        return {"ok": True}

    @router.get("/v1/responses/{number}")
    async def read(number: int) -> int:
        return number

    @router.delete("/v1/responses/{number}")
    async def delete(number: int) -> int:
        return number

    @router.post("/stream")
    async def stream() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"one"
            raise ZeroDivisionError

        return StreamingResponse(pieces())

    app = FastAPI(docs_url=None, redoc_url=None)
    app.include_router(router)
    add_border(app, ServerSettings())
    return app


RAISED = {
    "overflow": OVERFLOW,
    "queue": errors.QueueFullError("64 requests wait already"),
    "refusal": Refusal("no threads", code="x", details={"error_code": "thread_unsupported"}),
    "bug": ZeroDivisionError("SECRET prompt"),
    "file": errors.ModelLoadError("SECRET path"),
}


def _post(path: str, text: str, *headers: tuple[str, str]) -> Answered:
    return ask(_app(), path, headers=[LOCAL, *headers], chunks=[text.encode()])


def _raising(name: str) -> str:
    return f'{{"messages": [], "error": "{name}"}}'


# ---- what is told ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status", "code"), EXPECTED, ids=lambda value: type(value).__name__
)
def test_every_error_has_its_status_and_code(
    error: Exception, status: int, code: str | None
) -> None:
    problem = problem_of(error)

    assert (problem.status, problem.code) == (status, code)


def test_every_class_of_the_tree_is_told_without_a_path_or_a_traceback() -> None:
    classes = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.LlamanbError)
    ]

    for kind in classes:
        problem = problem_of(kind("SECRET"))
        assert problem.status < 500 or "SECRET" not in problem.message


def test_an_unexpected_error_is_told_without_its_text() -> None:
    assert problem_of(RuntimeError("SECRET")).message == "internal error"


def test_an_http_exception_of_the_server_keeps_its_text_to_itself() -> None:
    assert "SECRET" not in problem_of(HTTPException(500, "SECRET")).message


def test_an_overflow_names_both_numbers_in_the_openai_dialect() -> None:
    told = openai_error(problem_of(OVERFLOW))["error"]

    assert told["code"] == "context_length_exceeded"
    assert "maximum context length is 4096 tokens" in told["message"]
    assert (told["n_prompt_tokens"], told["n_ctx"]) == (5000, 4096)


def test_an_overflow_says_what_claude_code_looks_for() -> None:
    told = anthropic_error(problem_of(OVERFLOW), "req_1")

    assert told["error"]["message"] == "prompt is too long: 5000 tokens > 4096 maximum"
    assert told["error"]["type"] == "invalid_request_error"
    assert told["request_id"] == "req_1"


def test_a_prompt_as_long_as_the_context_is_still_longer_than_the_maximum() -> None:
    exact = errors.ContextLengthError("too long", n_prompt=4096, n_ctx=4096)

    message = anthropic_error(problem_of(exact), "")["error"]["message"]

    assert message == "prompt is too long: 4096 tokens > 4095 maximum"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (405, "invalid_request_error"),
        (413, "request_too_large"),
        (415, "invalid_request_error"),
        (429, "overloaded_error"),
        (500, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
    ],
)
def test_anthropics_kind_follows_from_the_status(status: int, kind: str) -> None:
    problem = Problem(status=status, kind="any", message="x")

    assert anthropic_error(problem, "")["error"]["type"] == kind


def test_a_very_long_message_is_cut() -> None:
    assert len(problem_of(errors.OptionError("x" * 100_000)).message) < 3000


def test_lone_surrogates_in_a_message_do_not_break_the_answer() -> None:
    RAISED["surrogate"] = Refusal("half a pair: \ud800")

    assert _post(CHAT, _raising("surrogate")).status == 400


# ---- wrong fields ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({}, "messages", "Field required"),
        ({"messages": 5}, "messages", "valid list"),
        ({"messages": [{"content": "x"}]}, "messages[0].role", "Field required"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "messages[0].content[0].text",
            "Field required",
        ),
        (
            {"messages": [{"role": "user", "content": 5}]},
            "messages[0].content",
            "valid string; or: Input should be a valid list",
        ),
    ],
)
def test_a_wrong_field_is_named_by_its_path(body: dict[str, Any], param: str, words: str) -> None:
    with pytest.raises(ValueError, match="validation error") as caught:
        _Body.model_validate(body)
    rows = [{**row, "loc": ("body", *row["loc"])} for row in caught.value.errors()]  # type: ignore[attr-defined]  # pydantic's

    found, message = tell_wrong_fields(rows, body)

    assert found == param
    assert words in message


def test_wrong_parts_of_an_address_are_named_without_saying_where_they_were() -> None:
    row = {"type": "int_parsing", "loc": ("path", "number"), "msg": "Input should be an integer"}

    problem = problem_of(RequestValidationError([row]))

    assert (problem.status, problem.param) == (400, "number")


# ---- through an application ------------------------------------------------------------


def test_wrong_fields_are_400_in_the_dialect_of_the_path() -> None:
    openai, anthropic = _post(CHAT, "{}"), _post(MESSAGES, "{}")

    assert (openai.status, anthropic.status) == (400, 400)
    assert openai.json["error"]["param"] == "messages"
    assert anthropic.json["type"] == "error"
    assert anthropic.json["error"]["message"] == "messages: Field required"


def test_no_body_is_400() -> None:
    assert _post(CHAT, "").status == 400


def test_an_unknown_address_is_404_in_the_dialect_of_the_headers() -> None:
    openai, anthropic = _post("/nothing", "{}"), _post("/nothing", "{}", VERSION)

    assert (openai.status, openai.json["error"]["code"]) == (404, "unknown_url")
    assert anthropic.json["error"]["type"] == "not_found_error"


def test_an_unknown_address_is_404_whatever_the_body() -> None:
    assert _post("/nothing", "not JSON", ("content-type", "image/png")).status == 404


def test_a_wrong_method_is_405_and_all_right_ones_are_named() -> None:
    answered = ask(_app(), "/v1/responses/1", headers=[LOCAL])

    assert answered.status == 405
    assert answered.headers["allow"] == "DELETE, GET"


def test_a_full_queue_is_429_or_529_with_a_time_to_wait() -> None:
    openai, anthropic = _post(CHAT, _raising("queue")), _post(MESSAGES, _raising("queue"))

    assert (openai.status, anthropic.status) == (429, 529)
    assert openai.headers["retry-after"] == anthropic.headers["retry-after"] == "1"


def test_details_of_a_refusal_reach_the_client() -> None:
    told = _post(MESSAGES, _raising("refusal")).json["error"]

    assert told["details"] == {"error_code": "thread_unsupported"}


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("name", ["bug", "file"])
def test_our_own_failures_are_told_and_logged_without_their_text(
    path: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "llamanb.servers"):
        answered = _post(path, _raising(name))

    assert answered.status in (500, 503, 529)
    assert b"SECRET" not in answered.body
    assert "test_problems.py" in caplog.text
    assert "SECRET" not in caplog.text


def test_an_error_after_the_first_byte_is_logged_and_goes_no_further(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answered = ask(_app(), "/stream", headers=[LOCAL], disconnects=False)

    assert (answered.status, answered.body) == (200, b"one")
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("path", "text", "name"),
    [
        (CHAT, '{"messages": []}', "x-request-id"),
        (CHAT, "nonsense", "x-request-id"),
        (MESSAGES, '{"messages": []}', "request-id"),
        (MESSAGES, "nonsense", "request-id"),
    ],
)
def test_every_answer_has_an_id(path: str, text: str, name: str) -> None:
    first, second = _post(path, text), _post(path, text)

    assert first.headers[name].startswith("req_")
    assert first.headers[name] != second.headers[name]


def test_the_id_in_an_error_is_the_one_in_the_headers() -> None:
    answered = _post(MESSAGES, "nonsense")

    assert answered.json["request_id"] == answered.headers["request-id"]
