"""Finds out what a template can do, by rendering odd words and looking for them."""

from __future__ import annotations

import json
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
NO_ARGUMENTS: tuple[Any, ...] = ({}, "{}")
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
    late_results : whether it does so after other words than the call.
    object_arguments : whether a call's arguments may be an object.
    tools : whether it shows tool definitions.
    tool_calls, parallel_calls : whether it shows a turn's call, and a second one.
    """

    string_content: bool = True
    typed_content: bool = False
    system_role: bool = True
    late_system: bool = True
    system_alone: bool = True
    tool_results: bool = True
    late_results: bool = True
    object_arguments: bool = True
    tools: bool = True
    tool_calls: bool = True
    parallel_calls: bool = True


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
        tool_results=_shows_result(source),
        late_results=_shows_result(source, USER),
        object_arguments=_shows_call(source, {"qZkeyZq": NEEDLE}, "", "qZresultZq"),
        tools=_shows_tools(source),
        tool_calls=_shows_calls(source, 1),
        parallel_calls=_shows_calls(source, 2),
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


def _shows_result(source: str, *before: dict[str, Any]) -> bool:
    return any(_shows_call(source, none, "", NEEDLE, *before) for none in NO_ARGUMENTS)


def _shows_call(
    source: str, arguments: Any, content: str, result: str, *before: dict[str, Any]
) -> bool:
    """Say whether the needle shows, which is in one of the parts of a tool call.

    ``before`` are messages between the call and its result.
    """
    function = {"name": "qZtoolZq", "arguments": arguments}
    call = {"id": "qZ0000001", "type": "function", "function": function}
    messages: Messages = [
        USER,
        {"role": "assistant", "content": content, "tool_calls": [call]},
        *before,
        {"role": "tool", "tool_call_id": "qZ0000001", "name": "qZtoolZq", "content": result},
    ]
    return NEEDLE in try_render(source, messages, tools=[TOOL])


def _shows_tools(source: str) -> bool:
    shown = try_render(
        source, [USER], tools=[TOOL], functions=json.dumps([TOOL]), add_generation_prompt=True
    )
    return "qZtoolZq" in shown


def _shows_calls(source: str, count: int) -> bool:
    """Say whether so many calls of one turn all show (or the turn is refused: then they might)."""
    names = [f"qZcall{number}Zq" for number in range(count)]
    values = [f"qZvalue{number}Zq" for number in range(count)]
    for is_text in (False, True):
        calls = [_call(*one, is_text=is_text) for one in zip(names, values, strict=True)]
        results: Messages = [
            {
                "role": "tool",
                "tool_call_id": call["id"],
                "name": "qZtoolZq",
                "content": "qZresultZq",
            }
            for call in calls
        ]
        messages: Messages = [USER, {"role": "assistant", "content": "", "tool_calls": calls}]
        for conversation in ([*messages, *results], messages):
            shown = try_render(source, conversation, tools=[TOOL])
            if shown:
                both = zip(names, values, strict=True)
                return all(name in shown or value in shown for name, value in both)
    return True


def _call(name: str, value: str, *, is_text: bool) -> dict[str, Any]:
    arguments: Any = {"qZkeyZq": value}
    function = {"name": name, "arguments": json.dumps(arguments) if is_text else arguments}
    return {"id": f"{name:0<9}"[-9:], "type": "function", "function": function}
