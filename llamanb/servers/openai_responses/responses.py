"""The bodies that the Responses API answers with, as plain dictionaries.

The shapes are those of https://platform.openai.com/docs/api-reference/responses/object;
the tests hold every one against the types of OpenAI's own client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llamanb.chat_layer import Finished
    from llamanb.servers.openai_responses.adapter import AskedResponse
    from llamanb.servers.openai_responses.requests import ResponsesRequest
    from llamanb.servers.problems import Problem

__all__ = [
    "deleted_body",
    "error_of",
    "input_tokens_body",
    "item_list",
    "response_head",
    "usage_of",
]

# the kinds of tools that the model is shown; others are left out, and not echoed
_SHOWN_TOOLS = ("function", "custom", "namespace")
_ECHOED = (
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "safety_identifier",
    "top_logprobs",
    "user",
)


def response_head(
    body: ResponsesRequest, asked: AskedResponse, *, id_seed: str, model: str, created: int
) -> dict[str, Any]:
    """Give what a response says from its first event on.

    Parameters
    ----------
    id_seed : the random part of the id.
    model : what the client called the model.
    created : seconds since 1970.
    """
    sampling = asked.sampling
    return {
        "id": f"resp_{id_seed}",
        "object": "response",
        "created_at": created,
        "model": model,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "completed_at": None,
        "metadata": body.metadata or {},
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "reasoning": _reasoning(body),
        "store": body.store is not False,
        "temperature": sampling.temperature,
        "text": _text(body),
        "tool_choice": body.tool_choice or "auto",
        "tools": [tool for tool in body.tools or () if tool.get("type") in _SHOWN_TOOLS],
        "top_p": sampling.top_p,
        "truncation": "disabled",
        **{name: getattr(body, name) for name in _ECHOED},
    }


def _reasoning(body: ResponsesRequest) -> dict[str, Any]:
    asked = body.reasoning
    return {
        "effort": asked.effort if asked else None,
        "summary": asked.summary if asked else None,
    }


def _text(body: ResponsesRequest) -> dict[str, Any]:
    asked = body.text
    return {
        "format": (asked.format if asked else None) or {"type": "text"},
        "verbosity": (asked.verbosity if asked else None) or "medium",
    }


def usage_of(finished: Finished) -> dict[str, Any]:
    """Give how many tokens were read and written."""
    counts = finished.usage
    read, written = counts.get("prompt_tokens", 0), counts.get("completion_tokens", 0)
    cached = counts.get("cached_tokens", 0)
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": read - cached},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": counts.get("reasoning_tokens", 0)},
        "total_tokens": read + written,
    }


def error_of(problem: Problem) -> dict[str, Any]:
    """Give ``error`` of a failed response, which has a few words for what went wrong."""
    code = "rate_limit_exceeded" if problem.status == 429 else "server_error"
    if problem.status < 429:
        code = "invalid_prompt"
    return {"code": code, "message": problem.message}


def input_tokens_body(n_tokens: int) -> dict[str, Any]:
    """Give the size of a prompt."""
    return {"object": "response.input_tokens", "input_tokens": n_tokens}


def deleted_body(response_id: str) -> dict[str, Any]:
    """Say that a response was forgotten."""
    return {"id": response_id, "object": "response", "deleted": True}


def item_list(
    items: Sequence[dict[str, Any]], *, after: str | None, limit: int, is_newest_first: bool
) -> dict[str, Any]:
    """Give a page of items: at most ``limit`` of those behind the item ``after``."""
    ordered = list(reversed(items)) if is_newest_first else list(items)
    ids = [item["id"] for item in ordered]
    begin = ids.index(after) + 1 if after in ids else 0
    page = ordered[begin : begin + limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else "",
        "last_id": page[-1]["id"] if page else "",
        "has_more": begin + limit < len(ordered),
    }
