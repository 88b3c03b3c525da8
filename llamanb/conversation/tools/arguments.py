"""Checks a model's arguments before a tool runs, and says what is wrong with them."""

from __future__ import annotations

import inspect
import json
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from llamanb.conversation.tools.outcome import PlainFailureError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import BaseModel

__all__ = ["Arguments", "check_against_schema", "parsed_object", "read_arguments"]

Arguments = tuple[tuple[Any, ...], dict[str, Any]]  # positional and by name

_MOST_PROBLEMS = 5
_MOST_INPUT = 80


def read_arguments(text: str, model: type[BaseModel], signature: Signature) -> Arguments:
    """Give the arguments of a call, converted to the types of the signature.

    Parameters
    ----------
    text : a JSON object; nothing, ``null`` and an object written as a string will do.
    model : from ``arguments_model``.
    signature : the one the model was made from.

    Raises
    ------
    PlainFailureError
        With a message for the model that names each bad argument.
    """
    try:
        checked = model.model_validate_json(_object_text(text))
    except ValidationError as error:
        raise PlainFailureError(_explanation(error, signature)) from error
    given = {
        parameter.name: getattr(checked, field)
        for field, parameter in zip(
            type(checked).model_fields, signature.parameters.values(), strict=True
        )
        if field in checked.model_fields_set or parameter.default is Parameter.empty
    }
    return _bound(signature, given)


def check_against_schema(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Read arguments of a tool whose types only somebody else knows.

    Checks that they are an object with the required names and no unknown ones.
    """
    arguments = parsed_object(text)
    known = schema.get("properties") or {}
    problems = [
        f"{name!r} is missing" for name in schema.get("required", ()) if name not in arguments
    ]
    if not schema.get("additionalProperties", not known):
        problems += [_unknown(name, known) for name in arguments if name not in known]
    if problems:
        raise PlainFailureError(f"wrong arguments: {'; '.join(problems[:_MOST_PROBLEMS])}")
    return arguments


def parsed_object(text: str) -> dict[str, Any]:
    """Read a JSON object, as leniently as ``read_arguments`` does."""
    try:
        arguments = json.loads(_object_text(text))
    except (ValueError, RecursionError) as error:
        raise PlainFailureError(f"wrong arguments: not valid JSON ({error})") from error
    if not isinstance(arguments, dict):
        raise PlainFailureError("wrong arguments: give one JSON object")
    return arguments


def _object_text(text: str) -> str:
    """Accept what models write for "no arguments", and arguments encoded twice."""
    stripped = text.strip()
    if stripped in {"", "null"}:
        return "{}"
    if not stripped.startswith('"'):
        return stripped
    try:
        inner = json.loads(stripped)
    except ValueError:
        return stripped
    return inner if isinstance(inner, str) and inner.lstrip().startswith("{") else stripped


def _bound(signature: Signature, given: dict[str, Any]) -> Arguments:
    ordered = {name: given[name] for name in signature.parameters if name in given}
    bound = inspect.BoundArguments(signature, ordered)
    bound.apply_defaults()
    return bound.args, bound.kwargs


def _explanation(error: ValidationError, signature: Signature) -> str:
    problems = error.errors(include_url=False)
    texts = [_problem(problem, signature.parameters) for problem in problems[:_MOST_PROBLEMS]]
    if len(problems) > _MOST_PROBLEMS:
        texts.append(f"and {len(problems) - _MOST_PROBLEMS} more")
    return f"wrong arguments: {'; '.join(texts)}"


def _problem(problem: Any, known: Iterable[str]) -> str:
    place = ".".join(map(str, problem["loc"]))
    match problem["type"]:
        case "json_invalid":
            return f"not valid JSON ({problem['ctx']['error']})"
        case "model_type":
            return "give one JSON object"
        case "missing":
            return f"{place!r} is missing"
        case "extra_forbidden" if len(problem["loc"]) == 1:
            return _unknown(place, known)
    return f"{place!r}: {problem['msg']} (got {_shown(problem['input'])})"


def _unknown(name: str, known: Iterable[str]) -> str:
    names = ", ".join(map(repr, known)) or "none"
    return f"{name!r} is no argument (there are: {names})"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_INPUT else f"{text[:_MOST_INPUT]}…"
