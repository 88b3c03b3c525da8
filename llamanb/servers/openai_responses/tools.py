"""The tools of a request: what the model is shown, and whose call comes back.

A model calls functions, one flat list of them. Functions are shown as they are, those
of a ``namespace`` as ``namespace__name``, and a ``custom`` tool (free text in) as a
function with one text. Tools that OpenAI would run by itself, as ``web_search``, are
left out. The call is then written in the shape of the tool that the client meant.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from llamanb.servers.problems import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["OfferedTool", "Toolbox", "custom_input", "read_toolbox", "shown_name"]

CUSTOM_TEXT = "input"
_CUSTOM_PARAMETERS = {
    "type": "object",
    "properties": {CUSTOM_TEXT: {"type": "string"}},
    "required": [CUSTOM_TEXT],
}
_NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}
_MODES = ("none", "auto", "required")


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedTool:
    """One tool that the model may call.

    Attributes
    ----------
    name, namespace : what the client calls it.
    kind : whether its call has JSON arguments (``function``) or a text (``custom``).
    """

    name: str
    namespace: str | None = None
    kind: Literal["function", "custom"] = "function"
    description: str = ""
    parameters: Mapping[str, Any]

    @property
    def shown(self) -> str:
        """What the model calls it."""
        return shown_name(self.name, self.namespace)

    @property
    def definition(self) -> dict[str, Any]:
        """Its definition in the words of chat completions, for the template."""
        function = {"name": self.shown, "parameters": dict(self.parameters)}
        if self.description:
            function["description"] = self.description
        return {"type": "function", "function": function}


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolbox:
    """The tools that a request offers, and which of them must be called.

    Attributes
    ----------
    choice : ``tool_choice`` as a reply takes it.
    """

    tools: tuple[OfferedTool, ...] = ()
    choice: str | dict[str, Any] = "auto"

    def find(self, shown: str) -> OfferedTool | None:
        """Give the tool that the model calls ``shown``."""
        return next((tool for tool in self.tools if tool.shown == shown), None)


def shown_name(name: str, namespace: str | None) -> str:
    """Give the name that a model knows a tool by."""
    return f"{namespace}__{name}" if namespace else name


def custom_input(arguments: str) -> str:
    """Give the text inside the arguments of a custom tool; whole if it is not there."""
    try:
        text = json.loads(arguments)[CUSTOM_TEXT]
    except (ValueError, TypeError, KeyError, RecursionError):
        return arguments
    return text if isinstance(text, str) else arguments


def read_toolbox(tools: Sequence[Mapping[str, Any]], choice: Any) -> Toolbox:
    """Read ``tools`` and ``tool_choice``.

    Raises
    ------
    Refusal
        If a tool has no name, or the choice is none of the tools.
    """
    offered = {tool.shown: tool for place, one in _placed(tools) for tool in _read(one, place)}
    toolbox = _choose(tuple(offered.values()), choice)
    if toolbox.choice not in ("none", "auto") and not toolbox.tools:
        raise _wrong_choice("it needs tools that can be called, and there are none")
    return toolbox


# ---- tools -------------------------------------------------------------------------------


def _placed(tools: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((f"tools[{number}]", tool) for number, tool in enumerate(tools))


def _read(tool: Mapping[str, Any], place: str, namespace: str | None = None) -> list[OfferedTool]:
    match tool.get("type"):
        case "function":
            return [_function(tool, place, namespace)]
        case "custom":
            return [_custom(tool, place, namespace)]
        case "namespace" if namespace is None:
            return list(_inner(tool, place))
        case _:
            return []


def _inner(tool: Mapping[str, Any], place: str) -> Iterator[OfferedTool]:
    name, inner = _text(tool, "name", place), tool.get("tools") or []
    if not isinstance(inner, list) or not all(isinstance(one, Mapping) for one in inner):
        raise _wrong(f"{place}.tools", "it must be a list of tools")
    for number, one in enumerate(inner):
        yield from _read(one, f"{place}.tools[{number}]", name)


def _function(tool: Mapping[str, Any], place: str, namespace: str | None) -> OfferedTool:
    nested = tool.get("function")  # the shape of chat completions
    tool = nested if isinstance(nested, Mapping) else tool
    parameters = tool.get("parameters") or _NO_PARAMETERS
    if not isinstance(parameters, Mapping):
        raise _wrong(f"{place}.parameters", "it must be a JSON Schema (an object)")
    return OfferedTool(
        name=_text(tool, "name", place),
        namespace=namespace,
        description=_text(tool, "description", place, default=""),
        parameters=parameters,
    )


def _custom(tool: Mapping[str, Any], place: str, namespace: str | None) -> OfferedTool:
    return OfferedTool(
        name=_text(tool, "name", place),
        namespace=namespace,
        kind="custom",
        description=_text(tool, "description", place, default=""),
        parameters=_CUSTOM_PARAMETERS,
    )


def _text(tool: Mapping[str, Any], key: str, place: str, default: str | None = None) -> str:
    value = tool.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or (default is None and not value):
        raise _wrong(f"{place}.{key}", "it must be a text")
    return value


def _wrong(place: str, why: str) -> Refusal:
    return Refusal(f"{place}: {why}", param=place)


# ---- tool_choice -------------------------------------------------------------------------


def _choose(tools: tuple[OfferedTool, ...], choice: Any) -> Toolbox:
    if choice is None or choice in _MODES:
        return Toolbox(tools=tools, choice=choice or "auto")
    if not isinstance(choice, Mapping):
        raise _wrong_choice(f"{choice!r} is not possible; use {', '.join(map(repr, _MODES))}")
    if choice.get("type") == "allowed_tools":
        return _allowed(tools, choice)
    chosen = _named(tools, choice)
    if not chosen:
        raise _wrong_choice("it names none of the tools that the model can call")
    name = {"type": "function", "function": {"name": chosen[0].shown}}
    return Toolbox(tools=tools, choice=name)


def _allowed(tools: tuple[OfferedTool, ...], choice: Mapping[str, Any]) -> Toolbox:
    """Offer some of the tools only."""
    mode, rows = choice.get("mode") or "auto", choice.get("tools")
    if mode not in ("auto", "required"):
        raise _wrong_choice("mode must be 'auto' or 'required'")
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise _wrong_choice("allowed_tools needs a list of tools")
    allowed = {tool.shown: tool for row in rows for tool in _named(tools, row)}
    return Toolbox(tools=tuple(tool for tool in tools if tool.shown in allowed), choice=mode)


def _named(tools: Iterable[OfferedTool], row: Mapping[str, Any]) -> list[OfferedTool]:
    """Give the tools that ``{"type": …, "name": …}`` means."""
    nested = row.get("function")
    name = (nested if isinstance(nested, Mapping) else row).get("name")
    if row.get("type") == "namespace":
        return [tool for tool in tools if tool.namespace == name]
    namespace = row.get("namespace")
    return [tool for tool in tools if tool.name == name and namespace in (None, tool.namespace)]


def _wrong_choice(why: str) -> Refusal:
    return Refusal(f"tool_choice: {why}", param="tool_choice")
