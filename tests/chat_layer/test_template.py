"""The dialect of jinja2 that chat templates are written in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from llamanb.chat_layer import render_template
from llamanb.errors import TemplateError

NOW = datetime(2026, 3, 4, 5, 6, 7)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("{% if true %}\nx\n{% endif %}\ny", "x\ny", id="trim-blocks"),
        pytest.param("  {% if true %}x{% endif %}", "x", id="lstrip-blocks"),
        pytest.param("{{ {'a': [1, 'é<']} | tojson }}", '{"a": [1, "é<"]}', id="tojson"),
        pytest.param("{{ nothing | tojson }}", "null", id="tojson-undefined"),
        pytest.param("{{ [1, 2] | map('string') | tojson }}", '["1", "2"]', id="tojson-generator"),
        pytest.param("{{ {'a': 1} | tojson(indent=1) }}", '{\n "a": 1\n}', id="tojson-indent"),
        pytest.param("{{ nothing.at.all }}|", "|", id="undefined-chain"),
        pytest.param("{{ 'a' + nothing }}{{ none + 'b' }}", "ab", id="undefined-added"),
        pytest.param("{{ '<b>' | safe + '&' }}", "<b>&", id="safe-is-identity"),
        pytest.param("{% generation %}x{% endgeneration %}", "x", id="generation-tag"),
        pytest.param(
            "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}"
            "{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}",
            "013",
            id="loop-controls",
        ),
        pytest.param(
            "{% set x = [] %}{% set _ = x.append(1) %}{% set _ = x.append(2) %}{{ x.pop(0) }}{{ x }}",
            "1[2]",
            id="list-append-and-pop",
        ),
        pytest.param(
            "{% for i in 'abc' | list %}{{ loop.index }}{{ loop.length }}{{ loop.last }} {% endfor %}",
            "13False 23False 33True ",
            id="loop-variables",
        ),
        pytest.param("{{ '{}-{name}'.format(1, name='x') }}", "1-x", id="format"),
        pytest.param("{{ '%s=%d' | format('a', 3) }}", "a=3", id="format-filter"),
        pytest.param("{{ strftime_now('%d %b %Y') }}", "04 Mar 2026", id="clock"),
        pytest.param(
            "{{ 'a.b'.split('.')[-1] }}{{ 'xay'.replace('a', '-') }}", "bx-y", id="methods"
        ),
        pytest.param(
            "{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}", "12", id="macro"
        ),
        pytest.param("{{ '[1]' | from_json | first }}", "1", id="from-json"),
        pytest.param(
            "{{ 7 // 2 }}{{ 7 % 4 }}{{ 2 ** 3 }}{{ 'ab' * 2 }}", "338abab", id="arithmetic"
        ),
        pytest.param("{{ {'b': 1, 'a': 2} | dictsort }}", "[('a', 2), ('b', 1)]", id="dictsort"),
        pytest.param("{{ [[1], [2]] | sum(start=0) if false else 'ok' }}", "ok", id="lazy-branch"),
    ],
)
def test_dialect(source: str, expected: str) -> None:
    assert render_template(source, {}, now=NOW) == expected


def test_malformed_template_names_the_line() -> None:
    with pytest.raises(TemplateError, match="line 2"):
        render_template("a\n{% if %}", {})


def test_template_is_compiled_once() -> None:
    from llamanb.chat_layer import template

    before = template._compile.cache_info()
    variables: dict[str, Any] = {}
    for _ in range(3):
        render_template("{{ 'compiled once' }}", variables)
    after = template._compile.cache_info()
    assert (after.misses - before.misses, after.hits - before.hits) == (1, 2)


def test_variables_win_over_the_functions() -> None:
    assert render_template("{{ strftime_now }}", {"strftime_now": "mine"}) == "mine"
