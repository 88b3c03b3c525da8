"""Turn the options of ``generate`` into a request for the engine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from llamanb.engine.values import EngineRequest
from llamanb.errors import GrammarError, OptionError
from llamanb.models.options import FURTHER_OPTIONS
from llamanb.settings import Constraint, SamplingSettings, plain_number, refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llamanb.engine import Vocabulary

__all__ = ["build_request", "check_options", "message_list", "read_constraint", "token_ids"]

NOT_YET = ("trigger_patterns", "trigger_tokens")
OPTIONS = (
    *(field.name for field in fields(SamplingSettings)),
    *FURTHER_OPTIONS,
    *NOT_YET,
    "affinity",
)
CHAT_HINT = "for chat messages use llamanb.reply(model, messages) or llamanb.Session(model)"


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options that ``generate`` does not know.

    Raises
    ------
    OptionError
        Proposing the nearest that it knows.
    """
    if "stream" in options:
        raise OptionError("stream= is not an option here; call stream() instead of generate()")
    if "messages" in options:
        raise OptionError(f"messages= is not an option here; {CHAT_HINT}")
    refuse_unknown(options, OPTIONS)


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
    check_options(options)
    for option in NOT_YET:
        if options.pop(option, None):
            raise OptionError(f"{option}= is not available yet; use grammar= without a trigger")
    preserved = options.pop("preserved_tokens", None) or ()
    affinity = options.pop("affinity", None)
    constraint = read_constraint(
        **{name: options.pop(name, None) for name in ("grammar", "json_schema", "regex")}
    )
    sampling = SamplingSettings.from_options(base, **options)
    _check_biased(sampling, vocabulary.n_tokens)
    return EngineRequest(
        prompt_tokens=_prompt_tokens(vocabulary, prompt),
        sampling=sampling,
        constraint=constraint,
        preserved_tokens=frozenset(_preserved(vocabulary, preserved)),
        affinity=affinity,
    )


def _check_biased(sampling: SamplingSettings, n_tokens: int) -> None:
    for token, _ in sampling.logit_bias:
        if token >= n_tokens:
            raise OptionError(
                f"logit_bias: token {token} is not in the vocabulary (0 … {n_tokens - 1})"
            )


def _prompt_tokens(vocabulary: Vocabulary, prompt: str | Sequence[int]) -> tuple[int, ...]:
    """Give the ids; the text of control tokens in a prompt means those tokens."""
    if not isinstance(prompt, str):
        return token_ids(prompt)
    tokens = vocabulary.tokenize(prompt, add_special=True, parse_special=True)
    # a rendered chat template often begins with the bos token that would be added again
    if len(tokens) > 1 and tokens[0] == tokens[1] == vocabulary.bos:
        tokens = tokens[1:]
    return tuple(tokens)


def token_ids(tokens: Any, what: str = "a prompt") -> tuple[int, ...]:
    """Give token ids as Python's numbers; the engine checks their values.

    Raises
    ------
    OptionError
        If they are no sequence, or look like something that belongs elsewhere.
    """
    if isinstance(tokens, str | bytes | Mapping) or not hasattr(tokens, "__iter__"):
        kinds = "a str or token ids" if what == "a prompt" else "a list of token ids"
        raise OptionError(f"{what} must be {kinds}, not {_kind(tokens)}")
    ids = tuple(map(plain_number, tokens))
    if ids and isinstance(ids[0], Mapping):
        raise OptionError(f"a prompt must be a str or token ids, not a list of dict; {CHAT_HINT}")
    if ids and isinstance(ids[0], str):
        raise OptionError(
            "a prompt must be a str or token ids, not a list of str; use generate_batch() for several"
        )
    return ids


def message_list(messages: Any) -> list[Any]:
    """Give chat messages as a list; the chat layer checks each of them.

    Raises
    ------
    OptionError
        If they are a str, a single message or nothing at all.
    """
    if isinstance(messages, str | bytes | Mapping) or not hasattr(messages, "__iter__"):
        raise OptionError(
            "messages must be a list such as [{'role': 'user', 'content': 'Hello'}], "
            f"not {_kind(messages)}"
        )
    return list(messages)


def _kind(value: object) -> str:
    return "None" if value is None else type(value).__name__


def _preserved(vocabulary: Vocabulary, tokens: Any) -> list[int]:
    listed = [tokens] if isinstance(tokens, str) else tokens
    if not hasattr(listed, "__iter__"):
        raise OptionError(f"preserved_tokens={tokens!r} is not possible: give token ids or texts")
    ids: list[int] = []
    for token in map(plain_number, listed):
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
        raise GrammarError(f"json_schema= is not JSON: {error}") from None
