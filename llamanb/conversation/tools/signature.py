"""Reads a function's signature: each parameter's type, meaning and default."""

from __future__ import annotations

import inspect
import sys
import typing
from inspect import Parameter, Signature
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from pydantic import Field
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from llamanb.conversation.tools.functions import name_of, unwrapped
from llamanb.errors import OptionError
from llamanb.models.typed_dicts import with_known_typed_dicts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llamanb.conversation.tools.docstrings import Documented

__all__ = ["caller_names", "described_signature", "plain_signature"]

_STARS: Mapping[Any, str] = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}


def described_signature(
    function: Callable[..., Any], documented: Documented, names: Mapping[str, Any]
) -> Signature:
    """Give the signature with ``Annotated[T, Field(description=…)]`` for each parameter.

    Parameters
    ----------
    function : a function, method or other callable.
    documented : what its docstring says.
    names : what string annotations may refer to besides the function's own globals.

    Raises
    ------
    OptionError
        For ``*args`` and ``**kwargs``, and callables without a signature.
    NameError
        When an annotation refers to a name that is not defined (yet).
    """
    signature = plain_signature(function)
    parameters = []
    for parameter in signature.parameters.values():
        annotation = _annotation(function, parameter, documented, names)
        typed = _without_field(parameter.replace(annotation=annotation))
        description = documented.descriptions.get(parameter.name)
        parameters.append(typed.replace(annotation=_described(typed.annotation, description)))
    return signature.replace(parameters=parameters)


def plain_signature(function: Callable[..., Any]) -> Signature:
    """Give the signature as written; OptionError where a model could not call it."""
    name = name_of(function)
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError) as error:
        raise OptionError(f"{name} cannot be a tool: its signature is not known") from error
    for parameter in signature.parameters.values():
        if stars := _STARS.get(parameter.kind):
            raise OptionError(
                f"{name} cannot be a tool with {stars}{parameter.name}: "
                "a model must know every argument; write them out, or take a list or a dict"
            )
    return signature


def _annotation(
    function: Callable[..., Any],
    parameter: Parameter,
    documented: Documented,
    names: Mapping[str, Any],
) -> Any:
    """Give a parameter's type, from the hint or else from the docstring."""
    if parameter.annotation is Parameter.empty:
        return documented.types.get(parameter.name, Any)
    known = {**getattr(unwrapped(function), "__globals__", {}), **names}
    holder = SimpleNamespace(__annotations__={"hint": parameter.annotation})
    hints = typing.get_type_hints(holder, known, include_extras=True)
    return with_known_typed_dicts(_without_strings(hints["hint"]))


def _without_strings(annotation: Any) -> Any:
    """Turn ``Annotated[T, "text"]`` into ``Annotated[T, Field(description="text")]``."""
    if get_origin(annotation) is not Annotated:
        return annotation
    bare, *metadata = get_args(annotation)
    fields = [Field(description=one) if isinstance(one, str) else one for one in metadata]
    return Annotated[(bare, *fields)]


def _without_field(parameter: Parameter) -> Parameter:
    """Turn ``city: str = Field(…)``, as pydantic models have it, into hint and default."""
    field = parameter.default
    if not isinstance(field, FieldInfo):
        return parameter
    default = Parameter.empty if field.default is PydanticUndefined else field.default
    return parameter.replace(annotation=Annotated[parameter.annotation, field], default=default)


def _described(annotation: Any, description: str | None) -> Any:
    """Gather all that is known about a parameter in one ``Field``: readers take the first."""
    field = FieldInfo.from_annotation(annotation)
    if field.description is None and description:
        annotation = Annotated[annotation, Field(description=description)]
        field = FieldInfo.from_annotation(annotation)
    if get_origin(annotation) is not Annotated:
        return annotation
    return Annotated[field.annotation, field]


def caller_names(depth: int) -> dict[str, Any]:
    """Give the local names of the function ``depth`` calls up, for its string annotations."""
    frame = sys._getframe(depth + 1)  # noqa: SLF001  # what typing and pydantic use, too
    return {} if frame.f_locals is frame.f_globals else dict(frame.f_locals)
