"""A request of the Responses API in, what it asks for out; nothing is computed here."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from llamanb.models.chat_options import read_response_format
from llamanb.servers.asked import Asked
from llamanb.servers.openai_responses.items import additional_tools, complete_items, read_items
from llamanb.servers.openai_responses.requests import ResponsesRequest
from llamanb.servers.openai_responses.tools import Toolbox, read_toolbox
from llamanb.servers.problems import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llamanb.servers.openai_responses.requests import InputTokensRequest
    from llamanb.servers.openai_responses.store import ResponseStore, StoredResponse
    from llamanb.settings import SamplingSettings

__all__ = ["AskedResponse", "ReadSampling", "read_request"]

LOGPROBS = "message.output_text.logprobs"
SEALED_REASONING = "reasoning.encrypted_content"
SESSION_HEADERS = ("session-id", "x-session-id")
# templates of models that know degrees of effort know three
_EFFORTS = {"xhigh": "high", "max": "high", "ultra": "high"}
_NO_EFFORT = ("none", "minimal")
_UNSUPPORTED = {
    "background": "a response is made while the client waits: leave background out",
    "conversation": "conversations are not kept here: use previous_response_id or send all items",
    "prompt": "stored prompts are not supported: send instructions and input",
}


class ReadSampling(Protocol):
    """Gives sampling settings on top of the server's own; None leaves one out."""

    def __call__(self, **options: Any) -> SamplingSettings:
        """Read sampling options."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedResponse:
    """A request, read.

    Attributes
    ----------
    asked : what is asked of the model.
    toolbox : the tools that it may call.
    input_items : what this request says, as items with ids.
    earlier : the response that it goes on from.
    """

    asked: Asked
    toolbox: Toolbox
    input_items: list[dict[str, Any]]
    earlier: StoredResponse | None = None

    @property
    def sampling(self) -> SamplingSettings:
        """How the answer's tokens are chosen."""
        sampling: SamplingSettings = self.asked.options["sampling"]
        return sampling


def read_request(
    body: InputTokensRequest,
    *,
    headers: Mapping[str, str],
    store: ResponseStore,
    read_sampling: ReadSampling,
) -> AskedResponse:
    """Read a request.

    Raises
    ------
    Refusal, OptionError
        Naming the field that cannot be served.
    """
    _refuse_unsupported(body)
    earlier = store.previous(body.previous_response_id) if body.previous_response_id else None
    items = _resolved(complete_items(body.input, secrets.token_hex(10)), store)
    history = [*(earlier.history if earlier else ()), *items]
    messages = read_items(history, n_earlier=len(history) - len(items))
    if body.instructions:
        messages.insert(0, {"role": "system", "content": body.instructions})
    if not messages:
        raise Refusal("input: there is nothing to answer", param="input", code="missing_input")
    toolbox = read_toolbox([*(body.tools or ()), *additional_tools(history)], body.tool_choice)
    options = {
        **_tool_options(body, toolbox),
        **_thinking_options(body, toolbox),
        "json_schema": read_response_format(body.text.format if body.text else None),
        "continue_final_message": _goes_on(messages),
        "affinity": _affinity(body, headers),
        "sampling": _sampling(body, read_sampling),
    }
    return AskedResponse(
        asked=Asked(model=body.model, messages=messages, options=options),
        toolbox=toolbox,
        input_items=items,
        earlier=earlier,
    )


def _refuse_unsupported(body: InputTokensRequest) -> None:
    for name, why in _UNSUPPORTED.items():
        if getattr(body, name, None):
            raise Refusal(f"{name}: {why}", param=name, code="unsupported_parameter")


def _resolved(items: Sequence[dict[str, Any]], store: ResponseStore) -> list[dict[str, Any]]:
    """Put the items themselves where there are references to them."""
    return [
        store.item(item["id"], f"input[{number}]") if item["type"] == "item_reference" else item
        for number, item in enumerate(items)
    ]


def _tool_options(body: InputTokensRequest, toolbox: Toolbox) -> dict[str, Any]:
    if not toolbox.tools:
        return {}
    return {
        "tools": [tool.definition for tool in toolbox.tools],
        "tool_choice": toolbox.choice,
        "parallel_tool_calls": body.parallel_tool_calls,
    }


def _thinking_options(body: InputTokensRequest, toolbox: Toolbox) -> dict[str, Any]:
    """Read whether and how much to think; a forced call is thought about only if asked to."""
    effort = body.reasoning.effort if body.reasoning else None
    wanted = body.enable_thinking
    if wanted is None and toolbox.choice not in ("none", "auto"):
        wanted = False
    elif wanted is None and effort is not None:
        wanted = effort not in _NO_EFFORT
    variables = dict(body.chat_template_kwargs or {})
    if effort is not None and effort not in _NO_EFFORT:
        variables.setdefault("reasoning_effort", _EFFORTS.get(effort, effort))
    return {"enable_thinking": wanted, "chat_template_kwargs": variables or None}


def _goes_on(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the answer goes on with the last message, an assistant's that has no calls."""
    last = messages[-1]
    return last["role"] == "assistant" and not last.get("tool_calls")


def _affinity(body: InputTokensRequest, headers: Mapping[str, str]) -> str | None:
    named = (headers.get(name) for name in SESSION_HEADERS)
    return body.prompt_cache_key or next((name for name in named if name), None)


def _sampling(body: InputTokensRequest, read_sampling: ReadSampling) -> SamplingSettings:
    if not isinstance(body, ResponsesRequest):
        return read_sampling()
    has_logprobs = LOGPROBS in (body.include or ()) or body.top_logprobs
    return read_sampling(
        max_tokens=body.max_output_tokens,
        temperature=body.temperature,
        top_p=body.top_p,
        top_k=body.top_k,
        min_p=body.min_p,
        seed=body.seed,
        stop=body.stop,
        logprobs=(body.top_logprobs or 0) if has_logprobs else None,
    )
