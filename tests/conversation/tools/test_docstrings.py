"""Docstrings of every style, and of none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llamanb
from llamanb.conversation.tools.docstrings import read_docstring

GOOGLE = """Give the weather.

    It is measured
    at noon.

    Args:
        city (str): Name of
            the city.
        unit: One of: "c", "f".

    Returns:
        str: The weather.
    """
NUMPY = """Give the weather.

    It is measured
    at noon.

    Parameters
    ----------
    city : str
        Name of
        the city.
    unit : {"c", "f"}, optional
        One of: "c", "f".

    Returns
    -------
    str
        The weather.
    """
SPHINX = """Give the weather.

    It is measured
    at noon.

    :param str city: Name of
        the city.
    :param unit: One of: "c", "f".
    :returns: The weather.
    """


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(GOOGLE, id="google"),
        pytest.param(NUMPY, id="numpy"),
        pytest.param(SPHINX, id="sphinx"),
    ],
)
def test_every_style_says_the_same(text: str) -> None:
    found = read_docstring(text)
    assert found.summary == "Give the weather. It is measured at noon."
    assert found.descriptions == {"city": "Name of the city.", "unit": 'One of: "c", "f".'}
    assert found.types == {"city": str}


def test_two_parameters_may_share_a_description() -> None:
    found = read_docstring("Add.\n\nParameters\n----------\na, b : int\n    A number.\n")
    assert found.descriptions == {"a": "A number.", "b": "A number."}


@pytest.mark.parametrize("text", [None, "", "   \n  "])
def test_nothing_says_nothing(text: str | None) -> None:
    assert read_docstring(text).summary == ""


def test_free_text_is_all_summary() -> None:
    assert read_docstring("Do it.\n\nAt: once @ home.").summary == "Do it. At: once @ home."


def test_a_broken_section_is_kept_as_text() -> None:
    assert "the x" in read_docstring("One.\n\nArgs:\n  x: the x\n  y\n").summary


@settings(deadline=None)
@given(st.text(alphabet=":-@ \nArgsPametrw\t", max_size=80))
def test_no_text_breaks_the_reader(text: str) -> None:
    read_docstring(text)


def test_the_hint_describes_before_the_docstring() -> None:
    from typing import Annotated

    @llamanb.tool
    def look(city: Annotated[str, "from the hint"], unit: str) -> None:
        """Look.

        Args:
            city: from the docstring
            unit: from the docstring
        """

    properties = look.schema["function"]["parameters"]["properties"]
    assert properties["city"]["description"] == "from the hint"
    assert properties["unit"]["description"] == "from the docstring"


def test_without_hints_the_docstring_gives_the_types() -> None:
    def look(city, days=1):  # type: ignore[no-untyped-def]  # on purpose
        """Look.

        Parameters
        ----------
        city : str
            Where.
        days : int, optional
            How long.
        """

    properties = llamanb.tool(look).schema["function"]["parameters"]["properties"]
    assert properties["city"] == {"type": "string", "description": "Where."}
    assert properties["days"] == {"type": "integer", "description": "How long.", "default": 1}
