"""Kinds of fields that requests of every dialect have."""

from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, Strict

__all__ = ["Flag", "Many", "Number", "Text", "Whole"]


def _whole(value: Any) -> Any:
    """Read 5.0 as 5, and nothing else: not "5", not true."""
    if isinstance(value, bool | str):
        raise ValueError("Input should be a valid integer")  # noqa: TRY004  # pydantic's protocol
    return value


Text = Annotated[str, Strict()]
Flag = Annotated[bool, Strict()]
Number = Annotated[float, Strict()]
Whole = Annotated[int, BeforeValidator(_whole)]
T = TypeVar("T")
Many = Annotated[list[T], Field(fail_fast=True)]  # one error is enough, of a million
