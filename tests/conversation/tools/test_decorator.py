"""A tool is still the function it was made from."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import pickle
from enum import Enum
from typing import Any

import pytest

import llamanb
from llamanb import Tool
from llamanb.errors import OptionError


@llamanb.tool
def add(a: int, b: int = 1) -> int:
    """Add two numbers.

    Args:
        a: The first.
        b: The second.
    """
    return a + b


@llamanb.tool(approve=True, timeout=5, name="minus")
async def subtract(a: int, b: int) -> int:
    """Subtract."""
    return a - b


def plain(a: int) -> int:
    """Give it back."""
    return a


class Shelf:
    """Holds books."""

    def __init__(self, *books: str) -> None:
        self.books = books

    @llamanb.tool
    def find(self, title: str) -> bool:
        """Find a book."""
        return title in self.books

    @llamanb.tool
    async def find_later(self, title: str) -> bool:
        return title in self.books

    @llamanb.tool
    @classmethod
    def kind(cls, upper: bool = False) -> str:
        return cls.__name__.upper() if upper else cls.__name__

    @llamanb.tool
    @staticmethod
    def double(n: int) -> int:
        return 2 * n

    def __call__(self, title: str) -> str:
        """Read a book aloud."""
        return f"{title}!"

    def __reduce__(self) -> tuple[Any, ...]:
        return Shelf, self.books


def test_it_is_called_as_before() -> None:
    assert (add(1), add(1, 2), add(a=3, b=4)) == (2, 3, 7)
    assert asyncio.run(subtract(5, 3)) == 2


def test_it_keeps_its_name_and_place() -> None:
    assert (add.__name__, add.__qualname__, add.__module__) == ("add", "add", __name__)
    assert add.function.__doc__ != add.__doc__ == "Add two numbers."
    assert repr(add) == "<Tool add(a: 'int', b: 'int' = 1) -> 'int'>"


def test_its_signature_has_the_same_parameters() -> None:
    now, before = inspect.signature(add), inspect.signature(add.function)
    assert list(now.parameters) == list(before.parameters)
    assert now.parameters["b"].default == 1


def test_options_are_kept() -> None:
    assert (subtract.name, subtract.approve, subtract.timeout) == ("minus", True, 5.0)
    assert (add.approve, add.timeout) == (False, None)
    assert subtract.schema["function"]["name"] == "minus"


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), "5", True])
def test_impossible_timeouts_are_refused(timeout: Any) -> None:
    with pytest.raises(OptionError, match="timeout="):
        llamanb.tool(timeout=timeout)(plain)


@pytest.mark.parametrize("made", [add, subtract], ids=["sync", "async"])
def test_a_decorated_function_pickles_by_name(made: Tool[..., Any]) -> None:
    assert pickle.loads(pickle.dumps(made)) is made  # noqa: S301  # what this test wrote
    assert copy.deepcopy(made) is made


def test_a_tool_beside_its_function_pickles_with_it() -> None:
    made = llamanb.tool(name="other", timeout=3)(plain)
    again = pickle.loads(pickle.dumps(made))  # noqa: S301  # what this test wrote
    assert (again.name, again.timeout, again.function) == ("other", 3.0, plain)


def test_a_bound_tool_pickles_with_its_object() -> None:
    again = pickle.loads(pickle.dumps(Shelf("Emma").find))  # noqa: S301  # what this test wrote
    assert again.call('{"title": "Emma"}').content == "true"


def test_a_method_becomes_a_tool_of_its_instance() -> None:
    shelf = Shelf("Emma")
    assert shelf.find("Emma") is True
    assert Shelf.find(shelf, "Ulysses") is False
    assert list(shelf.find.schema["function"]["parameters"]["properties"]) == ["title"]
    assert shelf.find.call('{"title": "Emma"}').content == "true"
    assert shelf.find_later.call('{"title": "Emma"}').content == "true"


def test_the_methods_of_a_class_are_described_once() -> None:
    assert Shelf("a").find.description is Shelf("b").find.description


def test_a_method_without_its_object_is_refused() -> None:
    with pytest.raises(OptionError, match="find is a method"):
        _ = Shelf.find.schema
    assert Shelf.find.call("{}").is_error


def test_class_and_static_methods_are_tools() -> None:
    assert Shelf.kind.call('{"upper": true}').content == "SHELF"
    assert Shelf("a").kind.call().content == "Shelf"
    assert Shelf.double.call('{"n": 4}').content == "8"
    assert Shelf.double(4) == 8


def test_objects_partials_and_bound_methods_are_tools() -> None:
    shelf = llamanb.tool(Shelf())
    assert (shelf.name, shelf.__doc__) == ("Shelf", "Read a book aloud.")
    assert shelf.call('{"title": "Emma"}').content == "Emma!"
    with_two = llamanb.tool(functools.partial(add.function, b=2))
    assert with_two.call('{"a": 1}').content == "3"
    assert llamanb.tool("a,b".split, name="split").name == "split"


def test_a_decorated_tool_is_left_as_it_is() -> None:
    assert llamanb.tool(add) is add


def test_types_of_the_surrounding_function_are_found() -> None:
    class Local(Enum):
        ONE = 1

    @llamanb.tool
    def look(n: Local) -> Local:
        return n

    properties = look.schema["function"]["parameters"]["properties"]
    assert properties == {"n": {"type": "integer", "enum": [1]}}
