"""What is wrong with a grammar is said in one line, with the place in the user's text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llamanb.engine.constraint import GrammarCompiler
from llamanb.errors import GrammarError
from llamanb.settings import Constraint

if TYPE_CHECKING:
    from llamanb.engine import LoadedModel

CASES = [
    pytest.param("lark", 'start: "a" b\n', (1, 8), 'unknown name: "b"', id="lark: unknown rule"),
    pytest.param("lark", 'start: b\nb: "a\n', (2, 6), "lexer error", id="lark: open string"),
    pytest.param(
        "lark", 'start: "a" )', (1, 12), 'expecting rule.* \\(at "\\)"', id="lark: bracket"
    ),
    pytest.param(
        "lark",
        "start: x\nx: /a(/",
        (2, 4),
        r'invalid regex "a\(": unclosed group',
        id="lark: regex",
    ),
    pytest.param("lark", 'foo: "a"', (0, 0), "no start rule", id="lark: no start"),
    pytest.param("gbnf", 'root ::= "a" b', (1, 14), "Rule 'b' not found", id="gbnf: unknown rule"),
    pytest.param(
        "gbnf", 'root ::= x\nx ::= ( "a"\n', (2, 12), r"Expected '\)'$", id="gbnf: bracket"
    ),
    pytest.param("gbnf", 'root ::= "\\q"', (1, 12), "Invalid escape", id="gbnf: escape"),
    pytest.param("gbnf", 'root ::= "a" }\n', (1, 14), "Expected name$", id="gbnf: stray brace"),
    pytest.param(
        "gbnf", "root ::= b-c\n\n b-c ::= [z-a]\n", (3, 2), 'invalid regex "', id="gbnf: range"
    ),
    pytest.param("gbnf", 'x ::= "a"', (0, 0), "No 'root' rule", id="gbnf: no root"),
    pytest.param("regex", "ab(", (1, 3), "unclosed group", id="regex: bracket"),
    pytest.param("regex", "(?=a)", (1, 1), "look-around", id="regex: look-ahead"),
    pytest.param("json_schema", '{"type": "foo"}', (0, 0), "Invalid type: foo", id="schema: type"),
    pytest.param(
        "json_schema", '{"type": "string", "pattern": "(?=a)"}', (0, 0), "look-around", id="pattern"
    ),
]


@pytest.mark.parametrize(("kind", "source", "place", "message"), CASES)
def test_errors_name_the_place(
    demo: LoadedModel, kind: Any, source: str, place: tuple[int, int], message: str
) -> None:
    compiler = GrammarCompiler(demo.vocabulary)
    with pytest.raises(GrammarError, match=message) as refused:
        compiler.compile(Constraint(kind=kind, source=source))
    error = refused.value
    assert (error.line, error.column) == place
    assert "\n" not in str(error)
    assert (f"line {place[0]}, column {place[1]}: " in str(error)) == (place != (0, 0))


def test_a_place_leads_to_the_character_that_is_wrong(demo: LoadedModel) -> None:
    source = 'root ::= item ("," item)*\nitem ::= "a" | "é" | ?\n'
    with pytest.raises(GrammarError) as refused:
        GrammarCompiler(demo.vocabulary).compile(Constraint(kind="gbnf", source=source))
    line = source.splitlines()[refused.value.line - 1]
    assert line[refused.value.column - 1] == "?"
