"""Find among the user's variables what an option names: tools, types, texts."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llamanb.conversation.tools import Tool, as_tools
from llamanb.errors import OptionError
from llamanb.notebook.messages import UsageError, one_line, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llamanb.notebook.interpolation import Namespace

__all__ = ["NO_TOOLS", "find_tools", "find_value", "find_variable", "names_of"]

NO_TOOLS = "none"
_LIBRARIES = ("pydantic", "typing", "enum", "dataclasses", "builtins")
_SCHEMA_KEYS = frozenset({"type", "properties", "$ref", "anyOf", "oneOf", "enum"})
_TOOLS_EXAMPLE = "%%llama -t get_weather"


def find_tools(written: str, shell: Namespace) -> list[Tool[..., Any]]:
    """Give the tools that ``written`` names, separated by commas; none for ``none``.

    A name may be that of a function, a ``Tool``, a definition or a list of these.

    Raises
    ------
    UsageError
        For a name that nothing has, and for what cannot be a tool.
    """
    if written.strip() == NO_TOOLS:
        return []
    names = [name.strip() for name in written.split(",") if name.strip()]
    if not names:
        raise UsageError(f"--tools needs names. Example: {_TOOLS_EXAMPLE}")
    sources = [source for name in dict.fromkeys(names) for source in _sources(name, shell)]
    try:
        return list(as_tools(sources).values())
    except OptionError as error:
        raise UsageError(f"--tools: {one_line(error)}") from None


def _sources(name: str, shell: Namespace) -> Iterator[Any]:
    value = find_value(name, shell, what="tool", known=names_of("tools", shell))
    several = value if isinstance(value, list | tuple | set) else [value]
    for source in several:
        if not (callable(source) or isinstance(source, Mapping) or hasattr(source, "name")):
            kind = type(source).__name__
            raise UsageError(f"{name!r} is no tool but {kind}. Example: {_TOOLS_EXAMPLE}")
        yield source


def find_value(name: str, shell: Namespace, *, what: str, known: list[str]) -> Any:
    """Give the value of ``name``, a Python expression among the user's variables.

    Raises
    ------
    UsageError
        If there is no such ``what``; the nearest of ``known`` is proposed.
    """
    try:
        return shell.ev(name)
    except NameError as error:
        missing = error.name or name
        raise unknown(what, missing, known, example=_EXAMPLES.get(what, "")) from None
    except Exception as error:  # noqa: BLE001  # the user's expression may raise anything
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise UsageError(f"{name!r} is no {what}: {reason}") from None


_EXAMPLES = {
    "tool": _TOOLS_EXAMPLE,
    "type": "%%llama --schema Person",
    "variable": "%llama parse $reply",
}


def find_variable(written: str, shell: Namespace) -> Any:
    """Give the value of ``$name``.

    Raises
    ------
    UsageError
        If there is no such variable.
    """
    known = names_of("variables", shell)
    return find_value(written.removeprefix("$"), shell, what="variable", known=known)


def names_of(kind: str, shell: Any) -> list[str]:
    """Give the user's variables that may be ``"tools"``, ``"types"`` or ``"variables"``."""
    hidden = getattr(shell, "user_ns_hidden", {})
    fits = _FITS[kind]
    return [
        name
        for name, value in list(shell.user_ns.items())
        if not name.startswith("_") and hidden.get(name) is not value and fits(value)
    ]


def _may_be_tool(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(map(_is_function, value))
    return _is_function(value)


def _is_function(value: Any) -> bool:
    return isinstance(value, Tool) or inspect.isfunction(value) or inspect.ismethod(value)


def _may_be_type(value: Any) -> bool:
    if isinstance(value, Mapping):
        return bool(_SCHEMA_KEYS & value.keys())
    if not isinstance(value, type):
        return typing.get_origin(value) is not None
    is_own = value.__module__.partition(".")[0] not in _LIBRARIES
    is_data = dataclasses.is_dataclass(value) or issubclass(value, dict | tuple | enum.Enum)
    return is_own and (is_data or hasattr(value, "model_json_schema"))


def _may_be_text(value: Any) -> bool:
    return isinstance(value, str)


_FITS: dict[str, Callable[[Any], bool]] = {
    "tools": _may_be_tool,
    "types": _may_be_type,
    "variables": _may_be_text,
}
