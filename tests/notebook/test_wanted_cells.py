"""``--schema``, ``--choices`` and ``--regex`` in a real kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.notebook.conftest import Kernel

TYPES = """
import dataclasses, enum, pydantic
from typing import Literal, TypedDict

@dataclasses.dataclass
class Pick:
    color: Literal["red", "green"]
    count: Literal[1, 2, 3]

class Person(pydantic.BaseModel):
    name: str = pydantic.Field(max_length=8)

class Odd(pydantic.BaseModel):
    n: Literal[2, 4]
    @pydantic.field_validator("n")
    def _check(cls, n):
        raise ValueError("must be odd")

class Mood(enum.Enum):
    HAPPY = "happy"
    SAD = "sad"

class Sure(TypedDict):
    word: Literal["yes", "no"]

Word = Literal["up", "down"]
ready = {"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"]}
number = 3
"""
ASK = "%%llama --new --temp 0 -n 60 -o got"


@pytest.fixture(autouse=True)
def _types(kernel: Kernel) -> None:
    assert kernel.run(TYPES).reply["status"] == "ok"


@pytest.mark.parametrize(
    ("schema", "check"),
    [
        pytest.param("Pick", "isinstance(got, Pick) and got.count in (1, 2, 3)", id="dataclass"),
        pytest.param("Person", "isinstance(got, Person) and len(got.name) <= 8", id="pydantic"),
        pytest.param("Mood", "isinstance(got, Mood)", id="enum"),
        pytest.param("Sure", "got['word'] in ('yes', 'no')", id="typed dictionary"),
        pytest.param("Word", "got in ('up', 'down')", id="literal"),
        pytest.param("tuple[Word,Word]", "len(got) == 2 and got[1] in ('up', 'down')", id="tuple"),
        pytest.param("ready", "got['a'] in (1, 2)", id="JSON Schema in a variable"),
        pytest.param('\'{"enum": ["x", "y"]}\'', "got in ('x', 'y')", id="JSON Schema"),
    ],
)
def test_the_variable_is_the_value(kernel: Kernel, schema: str, check: str) -> None:
    cell = kernel.run(f"{ASK} --schema {schema}\nSay pear")
    assert cell.reply["status"] == "ok", cell.stderr
    assert kernel.value(check), kernel.value("repr(got)")
    assert kernel.value("_.parsed == got or type(_).__name__")  # the reply itself is in _


def test_a_reply_has_text_and_value(kernel: Kernel) -> None:
    kernel.run("said = %llama ask --new --temp 0 --schema Pick Say pear")
    assert kernel.value("isinstance(said.parsed, Pick) and '\"color\"' in said.text")


def test_an_answer_that_was_cut_off_is_an_error_and_stays(kernel: Kernel) -> None:
    cell = kernel.run("%%llama --new --temp 0 -n 3 --schema Pick -o got\nSay pear")
    assert cell.reply["status"] == "error"
    assert "give a larger --max-tokens" in cell.stderr
    assert len(cell.stderr.strip().splitlines()) == 1
    assert cell.displays[-1]["data"]["text/plain"].startswith("{")
    assert kernel.value("[got.finish_reason, got.parsed]") == ["length", None]
    assert "assistant: {" in str(kernel.run("%llama history").of_type("execute_result"))


def test_a_check_that_fails_is_an_error(kernel: Kernel) -> None:
    cell = kernel.run(f"{ASK} --schema Odd\nSay pear")
    assert "must be odd" in cell.stderr
    assert len(cell.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        pytest.param("--choices yes,no", "yes|no", id="choices"),
        pytest.param("""--choices '["a, b", "c"]'""", "a, b|c", id="choices as JSON"),
        pytest.param("--regex '[0-9]{4}'", "[0-9]{4}", id="pattern"),
        pytest.param("--raw --choices yes,no", "yes|no", id="raw choices"),
        pytest.param("--raw --regex '[0-9]{4}'", "[0-9]{4}", id="raw pattern"),
    ],
)
def test_the_answer_matches(kernel: Kernel, options: str, pattern: str) -> None:
    cell = kernel.run(f"{ASK} {options}\nSay pear")
    assert cell.reply["status"] == "ok", cell.stderr
    assert kernel.value(f"bool(__import__('re').fullmatch({pattern!r}, got.text))")


def test_a_raw_text_may_have_a_schema(kernel: Kernel) -> None:
    kernel.run(f"{ASK} --raw --schema Mood\nMy mood is ")
    assert kernel.value("isinstance(got, Mood)")


def test_tools_may_be_called_before_a_typed_answer(kernel: Kernel) -> None:
    tool = 'def moon_phase(city: str) -> str:\n    "Get the phase of the moon."\n    return "full"'
    kernel.run(tool)
    options = "-t moon_phase --approve auto --schema Word"
    cell = kernel.run(f"{ASK} {options}\nWhat is the moon phase in Oslo?")
    assert cell.reply["status"] == "ok", cell.stderr
    assert kernel.value("got in ('up', 'down')")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param("--schema Persn", "did you mean 'Person'?", id="near name"),
        pytest.param("--schema number", "3 is not possible: give a type", id="a number"),
        pytest.param("--schema '{\"type\":'", "is no JSON", id="broken JSON"),
        pytest.param("--schema Pick --choices a,b", "only one of --schema and", id="two"),
        pytest.param("--choices a,,b", "is no list of texts", id="empty choice"),
        pytest.param("--regex '['", "UsageError", id="broken pattern"),
    ],
)
def test_mistakes_are_one_line(kernel: Kernel, options: str, expected: str) -> None:
    cell = kernel.run(f"{ASK} {options}\nSay pear")
    assert cell.reply["status"] == "error"
    assert expected in cell.stderr
    assert len(cell.stderr.strip().splitlines()) == 1


def test_types_are_completed(kernel: Kernel) -> None:
    content = kernel.client.complete("%%llama --schema P", reply=True, timeout=45)["content"]
    assert content["matches"] == ["Person", "Pick"]
