"""Takes tools in every form users have them: functions, definitions, MCP tools."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from llamanb.conversation.tools.arguments import Arguments, check_against_schema
from llamanb.conversation.tools.description import Description, checked_name
from llamanb.conversation.tools.functions import is_async
from llamanb.conversation.tools.outcome import PlainFailureError
from llamanb.conversation.tools.tool import Tool, make_tool
from llamanb.errors import OptionError

__all__ = ["as_tool", "as_tools"]

Caller = Callable[[str, dict[str, Any]], Any]
_SCHEMA_KEYS = ("parameters", "input_schema", "inputSchema")


def as_tool(source: Any, *, call: Caller | None = None) -> Tool[..., Any]:
    """Give a ``Tool`` for anything that describes one.

    Parameters
    ----------
    source : a ``Tool``; a function or other callable; a definition in OpenAI's,
        Anthropic's or MCP's shape; an object with ``name``, ``description`` and
        ``inputSchema``, such as an MCP client lists; or one with ``func`` and
        ``schema``, such as chatlas has.
    call : who carries out a definition that has no function, with the name and the
        arguments: ``mcp_session.call_tool``, for instance. May be async (then use
        ``acall`` if it belongs to a running event loop).

    Raises
    ------
    OptionError
        If it is none of these.
    """
    if isinstance(source, Tool):
        return source
    if isinstance(own := getattr(source, "func", None), Tool) and hasattr(source, "schema"):
        return own
    definition = _definition(source)
    if definition is not None:
        return _DefinedTool(definition, call or _own_function(source))
    if callable(source):
        return make_tool(source)
    raise OptionError(
        f"{source!r} cannot be a tool: give a function, or a dictionary such as "
        '{"type": "function", "function": {"name": …, "parameters": …}}'
    )


def as_tools(sources: Iterable[Any]) -> dict[str, Tool[..., Any]]:
    """Give tools by name; OptionError if two have the same."""
    if isinstance(sources, str | Mapping) or not isinstance(sources, Iterable):
        raise OptionError(f"tools must be a list, such as [get_weather]; it is {sources!r}")
    tools: dict[str, Tool[..., Any]] = {}
    for made in map(as_tool, sources):
        if tools.setdefault(made.name, made) is not made:
            raise OptionError(f"two tools are called {made.name!r}: give one another name=")
    return tools


class _DefinedTool(Tool[..., Any]):
    """A tool known by its definition; somebody else carries it out, or nobody does."""

    def __init__(self, definition: Mapping[str, Any], call: Caller | None) -> None:
        name = checked_name(definition["name"])
        self._definition, self._call = dict(definition), call
        super().__init__(functools.partial(_carry_out, call, name), name=name)
        self.__doc__ = definition["description"]
        self._is_async = call is not None and is_async(call)

    @property
    def can_run(self) -> bool:
        """Whether somebody carries the calls out."""
        return self._call is not None

    def _describe(self, names: Mapping[str, Any]) -> None:
        parameters = self._definition["parameters"]
        self._shared["it"] = Description(
            name=self.name,
            summary=self._definition["description"],
            parameters=parameters,
            read=functools.partial(_read, parameters),
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _DefinedTool, (self._definition, self._call)


def _carry_out(call: Caller | None, name: str, arguments: dict[str, Any]) -> Any:
    if call is None:
        raise PlainFailureError(f"{name} is only described here: there is nothing to run")
    return call(name, arguments)


def _read(schema: Mapping[str, Any], text: str) -> Arguments:
    return (check_against_schema(text, schema),), {}


def _definition(source: Any) -> dict[str, Any] | None:
    """Give name, description and parameters of a definition; None if it is none."""
    fields = _fields(source)
    schema = next((fields[key] for key in _SCHEMA_KEYS if fields.get(key) is not None), None)
    if not isinstance(fields.get("name"), str) or (
        schema is None and not isinstance(source, Mapping)
    ):
        return None
    if not isinstance(schema or {}, Mapping):
        raise OptionError(f"the parameters of tool {fields['name']!r} must be a JSON Schema")
    return {
        "name": fields["name"],
        "description": str(fields.get("description") or ""),
        "parameters": dict(schema or {"type": "object", "properties": {}}),
    }


def _fields(source: Any) -> Mapping[str, Any]:
    if not isinstance(source, Mapping):
        source = getattr(source, "schema", None) if hasattr(source, "func") else _attributes(source)
    if not isinstance(source, Mapping):
        return {}
    inner = source.get("function")
    return inner if isinstance(inner, Mapping) else source


def _attributes(source: Any) -> dict[str, Any]:
    return {key: getattr(source, key, None) for key in ("name", "description", *_SCHEMA_KEYS)}


def _own_function(source: Any) -> Caller | None:
    function = getattr(source, "func", None)
    return functools.partial(_by_name, function) if callable(function) else None


def _by_name(function: Callable[..., Any], _name: str, arguments: dict[str, Any]) -> Any:
    return function(**arguments)
