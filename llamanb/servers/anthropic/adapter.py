"""Anthropic's requests in, what all dialects share out."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from llamanb.servers.anthropic.conversation import read_conversation
from llamanb.servers.anthropic.requests import MessagesRequest
from llamanb.servers.asked import Asked
from llamanb.servers.problems import Refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from llamanb.servers.anthropic.requests import (
        CountTokensRequest,
        ThinkingParam,
        ToolChoice,
        ToolParam,
    )
    from llamanb.servers.service import Service
    from llamanb.settings import SamplingSettings

__all__ = ["hides_thinking", "read_request"]

MAX_AFFINITY_CHARS = 128
_SESSION = re.compile(r"_session_([0-9A-Za-z-]+)\Z")
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def read_request(body: CountTokensRequest, headers: Mapping[str, str], service: Service) -> Asked:
    """Read a request for a message, or for its number of tokens.

    Parameters
    ----------
    headers : of the request; betas are ignored.
    service : gives what holds where the request says nothing.

    Raises
    ------
    Refusal, OptionError
        Naming what cannot be done.
    """
    _refuse_threads(body.thread)
    talk = read_conversation(body)
    tools = _shown_tools(body.tools or (), {*talk.used_tools, *_named(body.tool_choice)})
    is_forced = body.tool_choice is not None and body.tool_choice.type in {"any", "tool"}
    if is_forced and not tools:
        raise Refusal("tool_choice asks for a call, but there are no tools", param="tool_choice")
    options: dict[str, Any] = {
        "json_schema": _json_schema(body),
        # A call that is asked for comes first: nothing may be thought or said before.
        "enable_thinking": not is_forced and _thinks(body.thinking, service),
        "continue_final_message": talk.is_begun,
        "affinity": _affinity(body, headers),
    }
    if tools:
        options |= {"tools": tools, **_read_choice(body.tool_choice)}
    if isinstance(body, MessagesRequest):
        options["sampling"] = _sampling(body, service)
    return Asked(model=body.model or None, messages=talk.messages, options=options)


def hides_thinking(body: CountTokensRequest) -> bool:
    """Whether the client wants thinking blocks without their text."""
    return body.thinking is not None and body.thinking.display == "omitted"


def _refuse_threads(thread: Any) -> None:
    """Refuse to continue a talk that is kept here; the client then sends it all."""
    if thread is not None:
        raise Refusal(
            "threads are not kept here: send all messages and no 'thread'",
            param="thread",
            details={"error_code": "thread_unsupported_request"},
        )


def _sampling(body: MessagesRequest, service: Service) -> SamplingSettings:
    return service.sampling_of(
        max_tokens=body.max_tokens,
        stop=body.stop_sequences,
        temperature=body.temperature,
        top_p=body.top_p,
        top_k=body.top_k,
    )


def _json_schema(body: CountTokensRequest) -> dict[str, Any] | None:
    asked = (body.output_config.format if body.output_config else None) or body.output_format
    return None if asked is None else asked.schema_


def _thinks(asked: ThinkingParam | None, service: Service) -> bool:
    """Whether to think; ``adaptive`` leaves it to the server, which thinks unless told not to."""
    default = service.settings.enable_thinking
    if asked is None:
        return bool(default)
    if asked.type == "adaptive":
        return default is not False
    return asked.type != "disabled"


# ---- tools -----------------------------------------------------------------------------


def _named(choice: ToolChoice | None) -> Sequence[str]:
    return [choice.name] if choice is not None and choice.name else ()


def _shown_tools(tools: Sequence[ToolParam], wanted: Collection[str]) -> list[dict[str, Any]]:
    """Give the tools that the model is to see, as OpenAI definitions.

    Tools of kinds that Anthropic defines are left out. Those to be loaded later are
    shown once they are ``wanted``.
    """
    own = [tool for tool in tools if tool.is_custom]
    if tools and not own:
        kinds = ", ".join(sorted({repr(tool.type) for tool in tools}))
        raise Refusal(
            f"tools of the kinds {kinds} are not possible here; define tools with an input_schema",
            param="tools",
        )
    _refuse_doubles(own)
    shown = [tool for tool in own if not tool.defer_loading or tool.name in wanted]
    return [_definition(tool) for tool in shown or own]


def _refuse_doubles(tools: Sequence[ToolParam]) -> None:
    seen: set[str | None] = set()
    for tool in tools:
        if tool.name in seen:
            raise Refusal(f"tools: two have the name {tool.name!r}", param="tools")
        seen.add(tool.name)


def _definition(tool: ToolParam) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    return {"type": "function", "function": {**function, "parameters": tool.input_schema}}


def _read_choice(choice: ToolChoice | None) -> dict[str, Any]:
    if choice is None:
        return {}
    if choice.type == "tool":
        read: Any = {"type": "function", "function": {"name": choice.name}}
    else:
        read = _CHOICES[choice.type]
    is_single = {"parallel_tool_calls": False} if choice.disable_parallel_tool_use else {}
    return {"tool_choice": read, **is_single}


# ---- whose cached prefix ---------------------------------------------------------------


def _affinity(body: CountTokensRequest, headers: Mapping[str, str]) -> str | None:
    user = body.metadata.user_id if body.metadata else None
    name = headers.get("x-claude-code-session-id") or _session(user or "")
    return name[:MAX_AFFINITY_CHARS] or None


def _session(user_id: str) -> str:
    """Give the session in Claude Code's user id, which is JSON or ends with it."""
    found = _SESSION.search(user_id)
    if found:
        return found.group(1)
    try:
        session = json.loads(user_id)["session_id"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return user_id
    return session if isinstance(session, str) else user_id
