"""Read what a user wants the text to match: grammar, schema, pattern or choices."""

from __future__ import annotations

import json
from typing import Any, get_origin

from llamanb.errors import GrammarError, OptionError
from llamanb.settings import Constraint

__all__ = ["CONSTRAINT_OPTIONS", "json_schema_of", "read_constraint"]

CONSTRAINT_OPTIONS = ("grammar", "json_schema", "regex", "choices")


def read_constraint(
    *, grammar: Any = None, json_schema: Any = None, regex: Any = None, choices: Any = None
) -> Constraint | None:
    """Make a constraint of the one option that is given.

    ``grammar`` is Lark (``start: …``) or GBNF (``root ::= …``) text, or a ready
    Constraint; ``json_schema`` a dictionary, JSON text, or a type that pydantic can
    describe (a model, dataclass, TypedDict …); ``choices`` the texts of which one is
    to be written.

    Raises
    ------
    OptionError
        If more than one is given, or of a wrong type.
    GrammarError
        If ``json_schema`` is not JSON.
    """
    values = (grammar, json_schema, regex, choices)
    given = dict(zip(CONSTRAINT_OPTIONS, values, strict=True))
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise OptionError(f"give only one of {' and '.join(names)}")
    if isinstance(grammar, Constraint):
        return grammar
    if grammar is not None:
        return Constraint(kind="gbnf" if _is_gbnf(grammar) else "lark", source=grammar)
    if json_schema is not None:
        return Constraint(kind="json_schema", source=json.dumps(json_schema_of(json_schema)))
    if choices is not None:
        return Constraint(kind="lark", source=_one_of(choices))
    return None if regex is None else Constraint(kind="regex", source=regex)


def _is_gbnf(grammar: Any) -> bool:
    if not isinstance(grammar, str):
        raise OptionError(f"grammar= is a str or a Constraint, not {type(grammar).__name__}")
    return "::=" in grammar


def json_schema_of(schema: Any) -> Any:
    """Give the JSON Schema that a dictionary, JSON text or a type stands for.

    Raises
    ------
    GrammarError
        If a text is not JSON.
    OptionError
        If a type cannot be described in JSON.
    """
    if _is_type(schema):
        from llamanb.chat_layer.syntax.schemas import closed
        from llamanb.models.typed import target_of  # pydantic, for those who use it

        return closed(target_of(schema).schema)
    try:
        return json.loads(schema if isinstance(schema, str) else json.dumps(schema))
    except (ValueError, TypeError, RecursionError) as error:
        raise GrammarError(f"json_schema= is not JSON: {error}") from None


def _is_type(value: Any) -> bool:
    return isinstance(value, type) or get_origin(value) is not None


def _one_of(choices: Any) -> str:
    listed = () if isinstance(choices, str) else tuple(choices)
    if not listed or not all(isinstance(choice, str) and choice for choice in listed):
        raise OptionError(f"choices={choices!r} is not possible: give a list of texts")
    return "start: " + " | ".join(json.dumps(choice, ensure_ascii=False) for choice in listed)
