"""What a model is told about a function's arguments."""

from __future__ import annotations

import datetime as dt
import typing
from collections.abc import Callable  # noqa: TC003  # tools look their types up
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union

import pytest
import typing_extensions
from pydantic import BaseModel, Field

import llamanb
from llamanb.errors import OptionError


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    x: int
    y: int = 0


class Place(BaseModel):
    """A place on a map."""

    name: str = Field(description="What people call it.")
    at: Point


class OldPlace(typing.TypedDict):
    name: str
    height: typing.NotRequired[int]


class NewPlace(typing_extensions.TypedDict, total=False):
    name: str


class Tree(BaseModel):
    value: int
    children: list[Tree] = []


POINT = {
    "type": "object",
    "properties": {"x": {"type": "integer"}, "y": {"type": "integer", "default": 0}},
    "required": ["x"],
    "additionalProperties": False,
}
OLD_PLACE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "height": {"type": "integer"}},
    "required": ["name"],
    "additionalProperties": False,
}
TEXT_OR_NULL = {"anyOf": [{"type": "string"}, {"type": "null"}]}


def _argument(annotation: Any) -> dict[str, Any]:
    def look(argument: Any) -> None:
        """Look."""

    look.__annotations__["argument"] = annotation
    parameters = llamanb.tool(look).schema["function"]["parameters"]
    assert parameters["required"] == ["argument"]
    schema: dict[str, Any] = parameters["properties"]["argument"]
    return schema


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        pytest.param(str, {"type": "string"}, id="str"),
        pytest.param(int, {"type": "integer"}, id="int"),
        pytest.param(float, {"type": "number"}, id="float"),
        pytest.param(bool, {"type": "boolean"}, id="bool"),
        pytest.param(None, {"type": "null"}, id="none"),
        pytest.param(list[int], {"type": "array", "items": {"type": "integer"}}, id="list"),
        pytest.param(
            dict[str, int],
            {"type": "object", "additionalProperties": {"type": "integer"}},
            id="dict",
        ),
        pytest.param(
            tuple[int, str],
            {
                "type": "array",
                "prefixItems": [{"type": "integer"}, {"type": "string"}],
                "minItems": 2,
                "maxItems": 2,
            },
            id="tuple",
        ),
        pytest.param(Literal["c", "f"], {"type": "string", "enum": ["c", "f"]}, id="literal"),
        pytest.param(Colour, {"type": "string", "enum": ["red", "blue"]}, id="enum"),
        pytest.param(Optional[str], TEXT_OR_NULL, id="optional"),  # noqa: UP045  # as users write it
        pytest.param(Union[str, None], TEXT_OR_NULL, id="union"),  # noqa: UP007  # as users write it
        pytest.param(str | None, TEXT_OR_NULL, id="new union"),
        pytest.param(
            Annotated[int, Field(ge=1, description="How many.")],
            {"type": "integer", "minimum": 1, "description": "How many."},
            id="annotated field",
        ),
        pytest.param(
            Annotated[str, "Name of the city."],
            {"type": "string", "description": "Name of the city."},
            id="annotated text",
        ),
        pytest.param(Point, POINT, id="dataclass"),
        pytest.param(list[Point], {"type": "array", "items": POINT}, id="list of dataclasses"),
        pytest.param(OldPlace, OLD_PLACE, id="typing's TypedDict"),
        pytest.param(
            dict[str, OldPlace | None],
            {"type": "object", "additionalProperties": {"anyOf": [OLD_PLACE, {"type": "null"}]}},
            id="TypedDict inside",
        ),
        pytest.param(
            NewPlace,
            {
                "type": "object",
                "properties": {"name": {"type": "string"}},
                "additionalProperties": False,
            },
            id="TypedDict",
        ),
        pytest.param(dt.date, {"type": "string", "format": "date"}, id="date"),
        pytest.param(dt.datetime, {"type": "string", "format": "date-time"}, id="datetime"),
        pytest.param(Path, {"type": "string", "format": "path"}, id="path"),
        pytest.param("int", {"type": "integer"}, id="a type as text"),
        pytest.param(Any, {}, id="any"),
    ],
)
def test_a_type_becomes_a_schema(annotation: Any, schema: dict[str, Any]) -> None:
    assert _argument(annotation) == schema


def test_a_pydantic_model_is_written_out_without_titles_and_references() -> None:
    assert _argument(Place) == {
        "type": "object",
        "description": "A place on a map.",
        "properties": {
            "name": {"type": "string", "description": "What people call it."},
            "at": {key: POINT[key] for key in ("type", "properties", "required")},
        },
        "required": ["name", "at"],
    }


def test_a_recursive_model_keeps_its_reference() -> None:
    @llamanb.tool
    def grow(tree: Tree) -> None: ...

    parameters = grow.schema["function"]["parameters"]
    assert parameters["properties"]["tree"] == {"$ref": "#/$defs/Tree"}
    assert parameters["$defs"]["Tree"]["properties"]["children"]["items"] == {
        "$ref": "#/$defs/Tree"
    }


def test_an_argument_called_title_stays() -> None:
    @llamanb.tool
    def search(title: str) -> None: ...

    assert search.schema["function"]["parameters"]["properties"] == {"title": {"type": "string"}}


def test_defaults_are_shown_and_not_required() -> None:
    @llamanb.tool
    def paint(what: str, colour: Colour = Colour.BLUE, coats: int | None = None) -> None: ...

    parameters = paint.schema["function"]["parameters"]
    assert parameters["required"] == ["what"]
    assert parameters["properties"]["colour"]["default"] == "blue"
    assert parameters["properties"]["coats"]["default"] is None


def test_a_default_that_is_no_json_is_left_out() -> None:
    @llamanb.tool
    def look(at: Any = object()) -> None: ...  # noqa: B008  # on purpose

    assert look.schema["function"]["parameters"]["properties"] == {"at": {}}


def test_a_field_may_stand_where_the_default_does() -> None:
    @llamanb.tool
    def look(city: str = Field(description="Where."), days: int = Field(3, ge=1)) -> str:
        return f"{city} {days}"

    parameters = look.schema["function"]["parameters"]
    assert parameters["required"] == ["city"]
    assert parameters["properties"]["city"] == {"type": "string", "description": "Where."}
    assert look.call('{"city": "Oslo"}').content == "Oslo 3"


def test_names_that_pydantic_keeps_for_itself_are_fine() -> None:
    @llamanb.tool
    def odd(json: str, _x: int, model_config: int, copy: int = 1, schema: str = "s") -> str:
        return f"{json} {_x} {model_config} {copy} {schema}"

    assert list(odd.schema["function"]["parameters"]["properties"])[:3] == [
        "json",
        "_x",
        "model_config",
    ]
    assert odd.call('{"json": "j", "_x": 1, "model_config": 2}').content == "j 1 2 1 s"


def test_both_shapes_say_the_same() -> None:
    @llamanb.tool
    def look(city: str) -> None:
        """Look around."""

    function = look.schema["function"]
    assert look.schema["type"] == "function"
    assert look.anthropic_schema == {
        "name": "look",
        "description": "Look around.",
        "input_schema": function["parameters"],
    }


def test_changing_a_schema_changes_nothing() -> None:
    @llamanb.tool
    def look(city: str) -> None: ...

    look.schema["function"]["parameters"]["properties"].clear()
    assert "city" in look.schema["function"]["parameters"]["properties"]


def test_unknown_arguments_are_not_allowed() -> None:
    @llamanb.tool
    def look() -> None: ...

    parameters = look.schema["function"]["parameters"]
    assert parameters == {"type": "object", "properties": {}, "additionalProperties": False}


def _with_args(*cities: str) -> None: ...
def _with_kwargs(**cities: str) -> None: ...
def _with_a_callable(city: Callable[[], int]) -> None: ...
def _with_an_object(city: pytest.Item) -> None: ...


@pytest.mark.parametrize(
    ("function", "message"),
    [
        pytest.param(_with_args, r"\*cities", id="args"),
        pytest.param(_with_kwargs, r"\*\*cities", id="kwargs"),
        pytest.param(_with_a_callable, "'city'", id="callable"),
        pytest.param(_with_an_object, "'city'.*Item", id="unknown class"),
        pytest.param(lambda city: city, "name=", id="lambda"),
        pytest.param("text", "not callable", id="no function"),
    ],
)
def test_what_a_model_cannot_call_is_refused(function: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        llamanb.tool(function)


@pytest.mark.parametrize("name", ["get weather", "größe", "x" * 65, "a.b"])
def test_names_that_clients_refuse_are_refused(name: str) -> None:
    with pytest.raises(OptionError, match="cannot be called"):
        llamanb.tool(name=name)(_argument)


def test_a_type_that_is_defined_later_is_found_on_first_use() -> None:
    names: dict[str, Any] = {}
    source = "def look(at: 'Later') -> None: ..."
    exec(source, names)  # noqa: S102  # a module whose types come after its functions
    made = llamanb.tool(names["look"])
    with pytest.raises(OptionError, match="Later"):
        _ = made.schema
    names["Later"] = int
    assert made.schema["function"]["parameters"]["properties"] == {"at": {"type": "integer"}}
