"""For all types: the schema and the check of the arguments agree."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from enum import Enum
from types import GenericAlias
from typing import Any, Literal, Optional

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter

import llamanb


class Colour(Enum):
    RED = "red"
    NONE = "none"


@dataclass(frozen=True)
class Point:
    x: int
    label: str = ""


class Place(BaseModel):
    name: str
    at: Point | None = None


PLAIN: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (str, st.text(max_size=8)),
    (int, st.integers(-(2**70), 2**70)),
    (float, st.floats(allow_nan=False, allow_infinity=False)),
    (bool, st.booleans()),
    (None, st.none()),
    (Literal["a", "b c", 3], st.sampled_from(["a", "b c", 3])),
    (Colour, st.sampled_from(Colour)),
    (dt.date, st.dates()),
    (Point, st.builds(Point, x=st.integers(), label=st.text(max_size=4))),
    (
        Place,
        st.builds(
            Place, name=st.text(max_size=4), at=st.none() | st.builds(Point, x=st.integers())
        ),
    ),
]
Typed = tuple[Any, st.SearchStrategy[Any]]


def _wider(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    return (
        inner.map(lambda one: (GenericAlias(list, one[0]), st.lists(one[1], max_size=3)))
        | inner.map(lambda one: (GenericAlias(dict, (str, one[0])), _dictionaries(one[1])))
        | inner.map(lambda one: (Optional[one[0]], st.none() | one[1]))  # noqa: UP045  # None | None is an error
        | st.tuples(inner, inner).map(_pair)
    )


def _dictionaries(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.text(max_size=3), values, max_size=3)


def _pair(two: tuple[Typed, Typed]) -> Typed:
    (one, ones), (other, others) = two
    return GenericAlias(tuple, (one, other)), st.tuples(ones, others)


TYPES = st.recursive(st.sampled_from(PLAIN), _wider, max_leaves=4)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from(["", "a", "red", "1", "2026-03-01"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["x", "name", "at", "label", "y"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def _tool_for(annotation: Any, seen: list[Any]) -> llamanb.Tool[..., Any]:
    def take(value: Any) -> str:
        seen.append(value)
        return "taken"

    take.__annotations__["value"] = annotation
    return llamanb.tool(take)


@settings(max_examples=150, deadline=None)
@given(TYPES, st.data())
def test_the_schema_accepts_every_value_of_the_type_and_it_arrives(
    typed: Typed, data: st.DataObject
) -> None:
    annotation, values = typed
    value, seen = data.draw(values), list[Any]()
    made = _tool_for(annotation, seen)
    arguments = {"value": TypeAdapter(annotation).dump_python(value, mode="json")}
    jsonschema.validate(arguments, made.schema["function"]["parameters"])
    outcome = made.call(json.dumps(arguments))
    assert (outcome.content, seen) == ("taken", [value])


@settings(max_examples=150, deadline=None)
@given(TYPES, JSON)
def test_what_the_schema_accepts_the_tool_takes(typed: Typed, value: Any) -> None:
    made = _tool_for(typed[0], [])
    parameters, arguments = made.schema["function"]["parameters"], {"value": value}
    validator = jsonschema.Draft202012Validator(
        parameters, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    outcome = made.call(json.dumps(arguments))
    if validator.is_valid(arguments):
        assert outcome.content == "taken"
    elif outcome.is_error:
        assert outcome.content.startswith("wrong arguments: ")


@settings(deadline=None)
@given(TYPES)
def test_schemas_are_valid_and_without_loose_ends(typed: Typed) -> None:
    parameters = _tool_for(typed[0], []).schema["function"]["parameters"]
    jsonschema.Draft202012Validator.check_schema(parameters)
    assert "$ref" not in json.dumps(parameters)


@settings(deadline=None)
@given(st.text(max_size=60) | JSON.map(json.dumps))
def test_no_text_of_a_model_breaks_a_call(text: str) -> None:
    outcome = _tool_for(Place, []).call(text)
    assert outcome.content == "taken" or outcome.content.startswith("wrong arguments: ")
