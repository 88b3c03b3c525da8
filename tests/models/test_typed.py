"""Typed answers: a value of a Python type out of a text."""

from __future__ import annotations

import asyncio
import enum
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypedDict

import pydantic
import pytest
from pydantic import Field

from llamanb.errors import ExtractionError, OptionError
from llamanb.models.typed import target_of

if TYPE_CHECKING:
    from pathlib import Path

    from llamanb.models import Model, ModelManager

NOISE: Any = {"temperature": 1.5, "max_tokens": 900}
Short = Annotated[str, Field(max_length=8)]


class Unit(enum.Enum):
    CELSIUS = "C"
    FAHRENHEIT = "F"


class Place(pydantic.BaseModel):
    """Where something is."""

    name: Short
    floor: Annotated[int, Field(ge=0, le=9)] = 0


class Visit(pydantic.BaseModel):
    where: Place
    others: Annotated[list[Place], Field(max_length=2)]
    unit: Unit | None
    kind: Literal["work", "fun"]


@dataclass
class Point:
    x: Annotated[int, Field(ge=0, le=9)]
    y: Annotated[int, Field(ge=0, le=9)]


class Person(TypedDict):
    name: Short
    old: bool


class Pair(NamedTuple):
    left: bool
    right: Short


class Cat(pydantic.BaseModel):
    kind: Literal["cat"]
    lives: Annotated[int, Field(ge=0, le=9)]


class Dog(pydantic.BaseModel):
    kind: Literal["dog"]
    tags: Annotated[set[Short], Field(max_length=3)]


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Even(pydantic.BaseModel):
    n: Literal[1, 3]

    @pydantic.field_validator("n")
    @classmethod
    def is_even(cls, n: int) -> int:
        if n % 2:
            raise ValueError("must be even")  # what no JSON Schema says
        return n


@pytest.fixture
def noise(real: ModelManager, tiny_gguf: Path) -> Model:
    """Give a model that writes noise: the type alone makes sense of it."""
    return real.load(tiny_gguf, n_ctx=4096, n_seq_max=2, n_threads=1)


TYPES = [
    pytest.param(Visit, Visit, id="nested models"),
    pytest.param(Point, Point, id="dataclass"),
    pytest.param(Person, dict, id="TypedDict"),
    pytest.param(Pair, Pair, id="NamedTuple"),
    pytest.param(Unit, Unit, id="Enum"),
    pytest.param(Literal["yes", "no"], str, id="Literal"),
    pytest.param(Annotated[list[Place], Field(max_length=2)], list, id="list of models"),
    pytest.param(Pet, (Cat, Dog), id="union with a discriminator"),
    pytest.param(bool | None, (bool, type(None)), id="optional"),
]


@pytest.mark.parametrize(("wanted", "kind"), TYPES)
def test_noise_becomes_a_value_of_the_type(noise: Model, wanted: Any, kind: Any) -> None:
    for seed in range(3):
        found = noise.extract("Some text.", wanted, seed=seed, **NOISE)
        assert isinstance(found, kind)
        pydantic.TypeAdapter(target_of(wanted).adapter._type).validate_python(found)


def test_async_gives_the_same(noise: Model) -> None:
    found = asyncio.run(noise.aextract("Some text.", Visit, seed=1, **NOISE))
    assert found == noise.extract("Some text.", Visit, seed=1, **NOISE)


def test_the_model_is_shown_text_instructions_and_schema(noise: Model) -> None:
    noise.extract("In Oslo.", Place, instructions="Find the place.", seed=1, **NOISE)
    target = target_of(Place)
    assert json.dumps(target.schema) in target.description
    assert "title" not in target.schema
    assert target.schema["description"] == "Where something is."


def test_the_demo_reads_a_text(demo: Model) -> None:
    assert demo.extract("What is the weather in Oslo?", Literal["weather", "sport"]) in {
        "weather",
        "sport",
    }


def test_an_answer_cut_off_is_one_clear_error(noise: Model) -> None:
    with pytest.raises(
        ExtractionError, match=r"max_tokens ran out: pass a larger max_tokens="
    ) as cut:
        noise.extract("Some text.", Visit, max_tokens=5, seed=1)
    assert cut.value.finish_reason == "length"
    assert cut.value.text.startswith("{")
    assert repr(cut.value.text) in str(cut.value)


def test_a_check_that_no_grammar_knows_is_an_error_with_the_text(noise: Model) -> None:
    with pytest.raises(ExtractionError, match="no Even: n: Value error, must be even") as failed:
        noise.extract("Some text.", Even, **NOISE)
    assert json.loads(failed.value.text)["n"] in {1, 3}
    assert failed.value.finish_reason == "stop"


@pytest.mark.parametrize(
    ("arguments", "options", "told"),
    [
        pytest.param((7, Place), {}, "reads a str, not int", id="no text"),
        pytest.param(("x", "Place"), {}, "give a type", id="a name"),
        pytest.param(("x", {"type": "object"}), {}, "give a type", id="a schema"),
        pytest.param(("x", None), {}, "give a type", id="None"),
        pytest.param(("x", type(lambda: 0)), {}, "cannot be described in JSON", id="function"),
        pytest.param(("x", Place), {"tools": []}, "tools= is not an option", id="tools"),
        pytest.param(
            ("x", Place), {"response_format": None}, "response_format= is not", id="format"
        ),
        pytest.param(("x", Place), {"temperatur": 1}, "did you mean 'temperature'", id="option"),
    ],
)
def test_a_mistake_is_named(
    demo: Model, arguments: tuple[Any, ...], options: dict[str, Any], told: str
) -> None:
    with pytest.raises(OptionError, match=told):
        demo.extract(*arguments, **options)


@pytest.mark.parametrize("wanted", [Point, Person, Place, Annotated[int, Field(ge=1, le=5)]])
def test_generate_takes_types_for_schemas(noise: Model, wanted: Any) -> None:
    text = noise.generate("x", json_schema=wanted, max_tokens=600, seed=3)
    target_of(wanted).adapter.validate_json(text)


def test_response_format_may_be_a_type(noise: Model) -> None:
    messages = [{"role": "user", "content": "x"}]
    answer = noise.create_chat_completion(
        messages, response_format=Place, enable_thinking=False, max_tokens=600, seed=2
    )
    Place.model_validate_json(answer["choices"][0]["message"]["content"])
