"""Turn the options of ``generate`` into a request for the engine."""

from __future__ import annotations

import inspect
import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from llamanb.engine.values import EngineRequest
from llamanb.errors import GrammarError, OptionError
from llamanb.settings import Constraint, SamplingSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from llamanb.engine import Vocabulary

__all__ = ["build_request", "read_constraint", "shows_options"]

NOT_YET = ("trigger_patterns", "trigger_tokens")
FURTHER_OPTIONS = ("grammar", "json_schema", "regex", "preserved_tokens")
F = TypeVar("F", bound="Callable[..., Any]")


def shows_options(function: F) -> F:
    """Let ``help()`` and completion show every option that ``**options`` takes."""
    signature = inspect.signature(function)
    named = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    defaults = {field.name: field.default for field in fields(SamplingSettings)}
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in {**defaults, **dict.fromkeys(FURTHER_OPTIONS)}.items()
    ]
    shown = signature.replace(parameters=[*named, *options])
    function.__signature__ = shown  # type: ignore[attr-defined]  # inspect's own protocol
    return function


def build_request(
    vocabulary: Vocabulary,
    prompt: str | Sequence[int],
    options: dict[str, Any],
    *,
    base: SamplingSettings | None = None,
) -> EngineRequest:
    """Tokenize a prompt and check every option.

    Raises
    ------
    OptionError, GrammarError
        Naming the option.
    """
    for option in NOT_YET:
        if options.pop(option, None):
            raise OptionError(f"{option}= is not available yet; use grammar= without a trigger")
    preserved = options.pop("preserved_tokens", None) or ()
    affinity = options.pop("affinity", None)
    constraint = read_constraint(
        **{name: options.pop(name, None) for name in ("grammar", "json_schema", "regex")}
    )
    return EngineRequest(
        prompt_tokens=_prompt_tokens(vocabulary, prompt),
        sampling=SamplingSettings.from_options(base, **options),
        constraint=constraint,
        preserved_tokens=frozenset(_preserved(vocabulary, preserved)),
        affinity=affinity,
    )


def _prompt_tokens(vocabulary: Vocabulary, prompt: str | Sequence[int]) -> tuple[int, ...]:
    """Give the ids; the text of control tokens in a prompt means those tokens."""
    if not isinstance(prompt, str):
        if isinstance(prompt, bytes) or not hasattr(prompt, "__iter__"):
            raise OptionError(f"a prompt is a str or token ids, not {type(prompt).__name__}")
        return tuple(prompt)
    tokens = vocabulary.tokenize(prompt, add_special=True, parse_special=True)
    # a rendered chat template often begins with the bos token that would be added again
    if len(tokens) > 1 and tokens[0] == tokens[1] == vocabulary.bos:
        tokens = tokens[1:]
    return tuple(tokens)


def _preserved(vocabulary: Vocabulary, tokens: Iterable[int | str]) -> list[int]:
    ids: list[int] = []
    for token in tokens:
        if isinstance(token, str):
            parsed = vocabulary.tokenize(token, add_special=False, parse_special=True)
            ids.extend(parsed if len(parsed) == 1 else ())
        else:
            ids.append(token)
    return ids


def read_constraint(
    *, grammar: Any = None, json_schema: Any = None, regex: Any = None
) -> Constraint | None:
    """Make a constraint of the one of three options that is given.

    ``grammar`` is Lark (``start: …``) or GBNF (``root ::= …``) text, or a ready
    Constraint; ``json_schema`` a dictionary, JSON text, or a pydantic model class.

    Raises
    ------
    OptionError
        If more than one is given, or of a wrong type.
    GrammarError
        If ``json_schema`` is not JSON.
    """
    given = {"grammar": grammar, "json_schema": json_schema, "regex": regex}
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise OptionError(f"give only one of {' and '.join(names)}")
    if isinstance(grammar, Constraint):
        return grammar
    if grammar is not None:
        return Constraint(kind="gbnf" if _is_gbnf(grammar) else "lark", source=grammar)
    if json_schema is not None:
        return Constraint(kind="json_schema", source=_schema_text(json_schema))
    return None if regex is None else Constraint(kind="regex", source=regex)


def _is_gbnf(grammar: Any) -> bool:
    if not isinstance(grammar, str):
        raise OptionError(f"grammar= is a str or a Constraint, not {type(grammar).__name__}")
    return "::=" in grammar


def _schema_text(schema: Any) -> str:
    if hasattr(schema, "model_json_schema"):
        schema = schema.model_json_schema()
    try:
        return json.dumps(json.loads(schema) if isinstance(schema, str) else schema)
    except (ValueError, TypeError, RecursionError) as error:
        raise GrammarError(f"json_schema= is not JSON: {error}") from error
