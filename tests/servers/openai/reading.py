"""Bodies of requests in, what is asked out: without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llamanb.servers.openai.adapter import read_chat, read_completion
from llamanb.servers.openai.requests import ChatRequest, CompletionRequest
from llamanb.servers.problems import Refusal
from llamanb.servers.request_log import RequestLog
from llamanb.servers.served_models import ServedModels
from llamanb.servers.service import Service
from llamanb.settings import ServerSettings

if TYPE_CHECKING:
    from llamanb.servers.asked import Asked

HELLO = [{"role": "user", "content": "Hello"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}
NOW = {"type": "function", "function": {"name": "now"}}
NAMED = {"type": "function", "function": {"name": "get_weather"}}


def chat(headers: dict[str, str] | None = None, **body: Any) -> Asked:
    service = Service(ServerSettings(), ServedModels([]), RequestLog())
    request = ChatRequest.model_validate({"messages": HELLO, **body})
    return read_chat(request, headers or {}, service.sampling_of)


def text(**body: Any) -> Asked:
    service = Service(ServerSettings(), ServedModels([]), RequestLog())
    request = CompletionRequest.model_validate({"prompt": "Once", **body})
    return read_completion(request, {}, service.sampling_of)


def refused(**body: Any) -> str | None:
    """Give the field that a refusal names."""
    with pytest.raises(Refusal) as caught:
        chat(**body)
    assert caught.value.problem.status == 400
    return caught.value.problem.param
