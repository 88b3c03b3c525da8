"""Makes ``typing.TypedDict`` known to pydantic on Python 3.11.

There pydantic accepts only the one of ``typing_extensions``:
https://docs.pydantic.dev/latest/errors/usage_errors/#typed-dict-version
"""

from __future__ import annotations

import sys
import types
import typing
from typing import Annotated, Any, get_args, get_origin

import typing_extensions

__all__ = ["with_known_typed_dicts"]

_MARKS = (typing.Required, typing.NotRequired)


def with_known_typed_dicts(annotation: Any) -> Any:
    """Give the same type with every ``typing.TypedDict`` in it replaced by its equal."""
    if sys.version_info >= (3, 12):
        return annotation
    if isinstance(annotation, type) and _is_old(annotation):
        return _rebuilt(annotation)
    arguments = get_args(annotation)
    renewed = tuple(with_known_typed_dicts(argument) for argument in arguments)
    if all(new is old for new, old in zip(renewed, arguments, strict=True)):
        return annotation
    return _with_arguments(annotation, renewed)


def _is_old(kind: type) -> bool:
    return typing.is_typeddict(kind) and type(kind).__module__ == "typing"


def _rebuilt(kind: Any) -> Any:
    fields: dict[str, Any] = {}
    for name, hint in typing.get_type_hints(kind, include_extras=True).items():
        is_marked = get_origin(hint) in _MARKS  # not seen by __required_keys__ if it was a string
        mark: Any = get_origin(hint) if is_marked else _MARKS[name not in kind.__required_keys__]
        fields[name] = mark[with_known_typed_dicts(get_args(hint)[0] if is_marked else hint)]
    make: Any = typing_extensions.TypedDict
    made = make(kind.__name__, fields)
    made.__doc__, made.__module__ = kind.__doc__, kind.__module__
    return made


def _with_arguments(annotation: Any, arguments: tuple[Any, ...]) -> Any:
    origin = get_origin(annotation)
    if origin is Annotated:
        return Annotated[(arguments[0], *annotation.__metadata__)]
    if origin in {typing.Union, types.UnionType}:
        return typing.Union[arguments]  # noqa: UP007  # as many as there are
    return (
        annotation.copy_with(arguments) if hasattr(annotation, "copy_with") else origin[arguments]
    )
