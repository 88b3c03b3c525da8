"""Which tools the model is shown, and which of them it may or must call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from llamanb.servers.problems import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llamanb.servers.openai.requests import ChatRequest, Function, Tool

__all__ = ["AskedTools", "read_tools"]

_WORDS = {"none": "none", "auto": "auto", "required": "required", "any": "required"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedTools:
    """What a request says about tools.

    Attributes
    ----------
    definitions : functions in OpenAI's shape; other kinds of tools are left out.
    choice : ``"none"``, ``"auto"``, ``"required"`` or the name of one of them.
    is_legacy : whether the client speaks of ``functions`` and expects a ``function_call``.
    """

    definitions: tuple[dict[str, Any], ...] = ()
    choice: str = "auto"
    is_legacy: bool = False

    @property
    def is_forced(self) -> bool:
        """Whether the answer has to be a call."""
        return self.choice not in {"none", "auto"}


def read_tools(body: ChatRequest) -> AskedTools:
    """Read ``tools`` and ``tool_choice``, or the old ``functions`` and ``function_call``.

    Raises
    ------
    Refusal
        If a choice is unknown, or names a tool that there is not.
    """
    is_legacy = body.tools is None and body.functions is not None
    if is_legacy:
        choice, place = body.function_call, "function_call"
        definitions = [_definition(function) for function in body.functions or ()]
    else:
        choice, place = body.tool_choice, "tool_choice"
        definitions = _definitions(body.tools or ())
    asked = AskedTools(definitions=tuple(definitions), is_legacy=is_legacy)
    return _checked(_chosen(asked, choice, place), place)


def _definitions(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    return [
        _function_of(number, tool) for number, tool in enumerate(tools) if tool.type == "function"
    ]


def _function_of(number: int, tool: Tool) -> dict[str, Any]:
    """Give a tool whose function is inside it, or written flat as for ``/v1/responses``."""
    if tool.function is not None:
        return _definition(tool.function)
    flat = {key: value for key, value in (tool.model_extra or {}).items() if value is not None}
    if not isinstance(flat.get("name"), str) or not flat["name"]:
        place = f"tools[{number}].function.name"
        raise Refusal(f"{place}: a function needs a name", param=place)
    if not isinstance(flat.get("parameters", {}), dict):
        place = f"tools[{number}].parameters"
        raise Refusal(f"{place}: it must be a JSON Schema", param=place)
    return {"type": "function", "function": flat}


def _definition(function: Function) -> dict[str, Any]:
    given = function.model_dump(exclude_unset=True).items()
    return {
        "type": "function",
        "function": {key: value for key, value in given if value is not None},
    }


def _chosen(asked: AskedTools, choice: str | Mapping[str, Any] | None, place: str) -> AskedTools:
    if choice is None:
        return asked
    if isinstance(choice, str):
        if choice not in _WORDS:
            raise _unknown(choice, place)
        return replace(asked, choice=_WORDS[choice])
    if choice.get("type") == "allowed_tools":
        return _allowed(asked, choice, place)
    function = choice.get("function", choice)
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str) or choice.get("type", "function") not in ("function", "tool"):
        raise _unknown(choice, place)
    return _named(asked, name, place)


def _allowed(asked: AskedTools, choice: Mapping[str, Any], place: str) -> AskedTools:
    """Leave out the tools that may not be called."""
    inner = choice.get("allowed_tools", choice)
    listed = inner.get("tools") if isinstance(inner, dict) else None
    if not isinstance(listed, list) or inner.get("mode", "auto") not in ("auto", "required"):
        raise _unknown(choice, place)
    names = [_name_in(tool) for tool in listed]
    kept = tuple(one for one in asked.definitions if one["function"]["name"] in names)
    return replace(asked, definitions=kept, choice=inner.get("mode", "auto"))


def _name_in(tool: Any) -> Any:
    function = tool.get("function", tool) if isinstance(tool, dict) else {}
    return function.get("name") if isinstance(function, dict) else None


def _named(asked: AskedTools, name: str, place: str) -> AskedTools:
    names = [one["function"]["name"] for one in asked.definitions]
    if name not in names:
        known = ", ".join(map(repr, names)) or "none"
        raise Refusal(f"{place}: there is no tool {name!r}; there is {known}", param=place)
    definitions = tuple(
        _with_all_required(one) if one["function"]["name"] == name else one
        for one in asked.definitions
    )
    return replace(asked, definitions=definitions, choice=name)


def _with_all_required(definition: dict[str, Any]) -> dict[str, Any]:
    """Require every argument of a tool whose schema never says which are.

    Programs that want data and not a call force such a tool; ``{}`` would tell them nothing.
    """
    function = definition["function"]
    schema = function.get("parameters") or {}
    properties = schema.get("properties")
    if "required" in schema or not isinstance(properties, dict) or not properties:
        return definition
    parameters = {**schema, "required": list(properties)}
    return {**definition, "function": {**function, "parameters": parameters}}


def _checked(asked: AskedTools, place: str) -> AskedTools:
    if asked.definitions or asked.choice in {"none", "auto"}:
        return asked
    raise Refusal(f"{place}: a call is asked for, but there are no tools", param=place)


def _unknown(choice: Any, place: str) -> Refusal:
    known = ", ".join(map(repr, ["none", "auto", "required"]))
    return Refusal(
        f"{place}={choice!r} is not possible; use {known} or "
        "{'type': 'function', 'function': {'name': …}}",
        param=place,
    )
