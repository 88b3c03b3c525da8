"""Turns a described signature into a pydantic model and a JSON Schema."""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model
from pydantic.errors import PydanticUserError

from llamanb.errors import OptionError
from llamanb.models.tidy import QuietSchema, tidy_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["arguments_model", "parameters_schema"]


def arguments_model(name: str, signature: Signature) -> type[BaseModel]:
    """Give the model that checks a call's arguments: one field per parameter.

    The fields are called ``argument_0`` and so on, with the parameters' names as
    aliases, because pydantic refuses or shadows names such as ``json`` and ``_x``.

    Raises
    ------
    OptionError
        If a type cannot be described in JSON; names the parameter.
    """
    fields = dict(_fields(signature))
    try:
        model: type[BaseModel] = create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
        model.model_json_schema(schema_generator=QuietSchema)
    except (PydanticUserError, TypeError, NameError) as error:
        raise _unusable(name, signature, error) from error
    return model


def parameters_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Give the JSON Schema of the arguments: no titles, references written out."""
    return tidy_schema(model.model_json_schema(schema_generator=QuietSchema))


def _fields(signature: Signature) -> Iterator[tuple[str, Any]]:
    for number, parameter in enumerate(signature.parameters.values()):
        yield f"argument_{number}", (parameter.annotation, _field(parameter))


def _field(parameter: Parameter) -> Any:
    default = parameter.default
    if default is Parameter.empty:
        return Field(alias=parameter.name)
    return Field(default, alias=parameter.name)


def _unusable(name: str, signature: Signature, error: Exception) -> OptionError:
    for parameter in signature.parameters.values():
        try:
            TypeAdapter(parameter.annotation).json_schema(schema_generator=QuietSchema)
        except (PydanticUserError, TypeError, NameError) as reason:
            return OptionError(
                f"{name}: a model cannot give the argument {parameter.name!r}: {_first_line(reason)}"
            )
    return OptionError(f"{name} cannot be a tool: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
