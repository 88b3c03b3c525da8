"""``{{expression}}`` in prompts."""

from __future__ import annotations

import pytest

from llamanb.notebook.interpolation import interpolate
from llamanb.notebook.messages import UsageError


class _Shell:
    """The two things that interpolation needs of an IPython shell."""

    def __init__(self, **variables: object) -> None:
        self.user_ns = dict(variables)

    def ev(self, expr: str) -> object:
        return eval(expr, {}, self.user_ns)  # noqa: S307  # what IPython's own `ev` does


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Hi {{name}}!", "Hi Ada!", id="variable"),
        pytest.param("{{ 1 + 1 }}", "2", id="expression with blanks"),
        pytest.param("{{name}}{{name}}", "AdaAda", id="two in a row"),
        pytest.param("{{ {'a': {'b': 3}}['a']['b'] }}", "3", id="braces inside"),
        pytest.param("{{ {'a': {}} }}", "{'a': {}}", id="dict literal at the end"),
        pytest.param('{"a": {"b": 1}}', '{"a": {"b": 1}}', id="JSON is literal"),
        pytest.param("{name}", "{name}", id="single braces are literal"),
        pytest.param("\\{{name}}", "{{name}}", id="escaped"),
        pytest.param("$name costs $5", "$name costs $5", id="dollars are literal"),
        pytest.param("{{ '}}' }}", "}}", id="closing braces in a string"),
        pytest.param("{{'{{name}}'}}", "{{name}}", id="values are not expanded again"),
    ],
)
def test_interpolation(text: str, expected: str) -> None:
    assert interpolate(text, _Shell(name="Ada")) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("{{nmae}}", "unknown variable 'nmae'; did you mean 'name'", id="misspelt"),
        pytest.param("{{1/0}}", "{{1/0}} failed: ZeroDivisionError: division by zero", id="fails"),
        pytest.param("{{a b}}", "{{a b}} is not a Python expression", id="not Python"),
        pytest.param("{{name", "is not a Python expression", id="not closed"),
        pytest.param("{{}}", "is not a Python expression", id="empty"),
        pytest.param("{{x = 1}}", "is not a Python expression", id="statement"),
        pytest.param("{{ name\n  name }}", "{{name name}} is not", id="two lines"),
        pytest.param("{{ 1 / [\n0][0] }}", "{{1 / [ 0][0]}} failed", id="two lines fail"),
        pytest.param("{{1/" + "0" * 99 + "}}", "00…}} failed: Zero", id="long"),
        pytest.param("{{ user }}", "write \\{{ for two literal braces", id="another template's"),
    ],
)
def test_a_bad_expression_is_one_clear_line(text: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        interpolate(text, _Shell(name="Ada"))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.timeout(10)
def test_many_openers_are_bounded() -> None:
    with pytest.raises(UsageError):
        interpolate("{{" * 20_000 + "}}" * 20_000, _Shell())
