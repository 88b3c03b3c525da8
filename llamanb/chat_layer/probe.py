"""Finds out what a template can do, by rendering odd words and looking for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from llamanb.chat_layer.template import render_template
from llamanb.errors import TemplateError, TemplateLimitError

__all__ = ["Capabilities", "probe", "try_render"]

NOON = datetime(2026, 1, 2, 12, 0, 0)
NEEDLE = "qZneedleZq"
USER = {"role": "user", "content": "qZuserZq"}
TOOL = {
    "type": "function",
    "function": {
        "name": "qZtoolZq",
        "description": "qZdescriptionZq",
        "parameters": {
            "type": "object",
            "properties": {"qZkeyZq": {"type": "string", "description": "qZtextZq"}},
            "required": ["qZkeyZq"],
        },
    },
}
Messages = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a template takes as it is.

    Attributes
    ----------
    string_content, typed_content : forms of a message's content that it shows.
    system_role, late_system : whether it shows a system message first, and later.
    system_alone : whether it shows one that nothing follows.
    tool_results : whether it shows what a tool gave back.
    object_arguments : whether a call's arguments may be an object.
    """

    string_content: bool = True
    typed_content: bool = False
    system_role: bool = True
    late_system: bool = True
    system_alone: bool = True
    tool_results: bool = True
    object_arguments: bool = True


def try_render(source: str, messages: Messages, **variables: Any) -> str:
    """Render, or give "" if the template refuses; limits still raise."""
    context = {"messages": messages, "bos_token": "", "eos_token": "", **variables}
    try:
        return render_template(source, context, now=NOON)
    except TemplateLimitError:
        raise
    except TemplateError:
        return ""


@lru_cache(maxsize=128)
def probe(source: str) -> Capabilities:
    """Give the capabilities of the template ``source`` (cached)."""
    system = {"role": "system", "content": NEEDLE}
    answered = [USER, {"role": "assistant", "content": "qZanswerZq"}]
    string_content = _shows(source, [{"role": "user", "content": NEEDLE}])
    return Capabilities(
        string_content=string_content,
        typed_content=_shows_typed(source),
        system_role=_shows(source, _typed_if([system, USER], typed=not string_content)),
        late_system=_shows(source, _typed_if([*answered, system, USER], typed=not string_content)),
        system_alone=_shows(source, _typed_if([system], typed=not string_content)),
        tool_results=_shows_call(source, {}, "", NEEDLE) or _shows_call(source, "{}", "", NEEDLE),
        object_arguments=_shows_call(source, {"qZkeyZq": NEEDLE}, "", "qZresultZq"),
    )


def _typed_if(messages: Messages, *, typed: bool) -> Messages:
    if not typed:
        return messages
    return [m | {"content": [{"type": "text", "text": m["content"]}]} for m in messages]


def _shows(source: str, messages: Messages) -> bool:
    return NEEDLE in try_render(source, messages, add_generation_prompt=True)


def _shows_typed(source: str) -> bool:
    content = [{"type": "text", "text": NEEDLE}]
    output = try_render(source, [{"role": "user", "content": content}], add_generation_prompt=True)
    return NEEDLE in output and f"'{NEEDLE}'" not in output and f'"{NEEDLE}"' not in output


def _shows_call(source: str, arguments: Any, content: str, result: str) -> bool:
    """Say whether the needle shows, which is in one of the parts of a tool call."""
    function = {"name": "qZtoolZq", "arguments": arguments}
    call = {"id": "qZ0000001", "type": "function", "function": function}
    messages: Messages = [
        USER,
        {"role": "assistant", "content": content, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "qZ0000001", "name": "qZtoolZq", "content": result},
    ]
    return NEEDLE in try_render(source, messages, tools=[TOOL])
