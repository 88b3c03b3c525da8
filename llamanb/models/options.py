"""Clear errors for misspelt options, and signatures that are good to read."""

from __future__ import annotations

import inspect
from dataclasses import fields
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from llamanb.errors import OptionError
from llamanb.settings import SamplingSettings, refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "DEFAULT_SAMPLING",
    "FURTHER_OPTIONS",
    "changed",
    "checks_names",
    "plain_signature",
    "show_options",
    "shows_options",
]

DEFAULT_SAMPLING = SamplingSettings(max_tokens=2048)  # of chats; a plain text gets less

FURTHER_OPTIONS = (
    "grammar",
    "json_schema",
    "regex",
    "choices",
    "trigger_patterns",
    "trigger_tokens",
    "preserved_tokens",
    "answer_tokens",
)
F = TypeVar("F", bound="Callable[..., Any]")
P = ParamSpec("P")
R = TypeVar("R")


def checks_names(method: Callable[P, R]) -> Callable[P, R]:
    """Let a method raise OptionError, not TypeError, for an option it does not know.

    Editors and type checkers go on seeing its own signature.
    """
    parameters = list(inspect.signature(method).parameters.values())
    options = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    unnamed = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]

    @wraps(method)
    def checked(*arguments: P.args, **given: P.kwargs) -> R:
        if len(arguments) > len(unnamed):
            raise OptionError(_too_many(method.__name__, unnamed[1:], options))
        refuse_unknown(given, [*options, *unnamed])
        return method(*arguments, **given)

    return checked


def _too_many(name: str, unnamed: list[str], options: list[str]) -> str:
    if not options:
        return f"{name}() takes nothing in its brackets"
    example = ", ".join([*unnamed, f"{options[:2][-1]}=…"])
    return f"{name}() takes its options by name, as in {name}({example})"


def changed(function: Callable[..., Any], options: dict[str, Any]) -> list[str]:
    """Name the options that differ from the function's defaults."""
    parameters = inspect.signature(function).parameters
    return [name for name, value in options.items() if value != parameters[name].default]


def plain_signature(function: Callable[..., Any]) -> inspect.Signature:
    """Give a signature without ``self`` and annotations, as ``help()`` should show it."""
    shown = inspect.signature(function)
    parameters = [
        parameter.replace(annotation=parameter.empty)
        for name, parameter in shown.parameters.items()
        if name != "self"
    ]
    return inspect.Signature(parameters)


def shows_options(function: F) -> F:
    """Let ``help()`` and completion show every option that ``**options`` takes."""
    return show_options(function, SamplingSettings(), FURTHER_OPTIONS)


def show_options(function: F, sampling: SamplingSettings, further: Iterable[str]) -> F:
    """Show the options of sampling with their defaults, and ``further`` ones."""
    signature = inspect.signature(function)
    named = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    defaults = {field.name: getattr(sampling, field.name) for field in fields(sampling)}
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in {**defaults, **dict.fromkeys(further)}.items()
    ]
    shown = signature.replace(parameters=[*named, *options])
    function.__signature__ = shown  # type: ignore[attr-defined]  # inspect's own protocol
    return function
