"""Looks at a function: its name, its docstring, and what kind it is."""

from __future__ import annotations

import functools
import inspect
from typing import Any

__all__ = [
    "doc_of",
    "is_async",
    "is_coroutine_function",
    "is_in_class_body",
    "name_of",
    "unwrapped",
]


def unwrapped(function: Any) -> Any:
    """Find the plain function whose globals and annotations count."""
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, type):
        return vars(function).get("__init__", function)
    if not is_written_out(function):
        function = type(function).__call__
    return inspect.unwrap(getattr(function, "__func__", function))


def name_of(function: Any) -> str:
    """Give a callable's name; of an object, that of its class."""
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


def doc_of(function: Any) -> str | None:
    """Give a callable's docstring; of an object, that of its ``__call__`` or its class."""
    if isinstance(function, functools.partial):
        return doc_of(function.func)
    if isinstance(function, type) or is_written_out(function):
        text: str | None = function.__doc__
        return text
    return type(function).__call__.__doc__ or type(function).__doc__


def is_written_out(function: Any) -> bool:
    """Tell whether it is a function or method, rather than an object that can be called."""
    return inspect.isroutine(function) or isinstance(function, classmethod | staticmethod)


def is_in_class_body(function: Any) -> bool:
    """Tell whether a function is written in a class, so that it waits to be bound."""
    if isinstance(function, classmethod | staticmethod):
        return True
    inner = getattr(function, "__qualname__", "").rpartition("<locals>.")[2]
    return inspect.isfunction(function) and "." in inner


def is_coroutine_function(function: Any) -> bool:
    """Tell whether calling it gives a coroutine, also through partials and objects."""
    return inspect.iscoroutinefunction(unwrapped(function))


def is_async(function: Any) -> bool:
    """Tell whether its results need an event loop: coroutines and async generators."""
    return is_coroutine_function(function) or inspect.isasyncgenfunction(unwrapped(function))
