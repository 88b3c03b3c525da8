"""Turn the options of ``generate`` into a request for the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from llamanb.engine.values import EngineRequest
from llamanb.errors import OptionError
from llamanb.models.constraints import CONSTRAINT_OPTIONS, read_constraint
from llamanb.models.options import FURTHER_OPTIONS
from llamanb.settings import SamplingSettings, Trigger, plain_number, refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llamanb.engine import Vocabulary
    from llamanb.settings import Constraint

__all__ = ["build_request", "check_options", "message_list", "prompt_tokens", "token_ids"]

OPTIONS = (
    *(field.name for field in fields(SamplingSettings)),
    *FURTHER_OPTIONS,
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
    preserved = options.pop("preserved_tokens", None) or ()
    affinity = options.pop("affinity", None)
    constraint = _lazy(
        read_constraint(**{name: options.pop(name, None) for name in CONSTRAINT_OPTIONS}),
        _strings("trigger_patterns", options.pop("trigger_patterns", None)),
        _token_ids_of("trigger_tokens", vocabulary, options.pop("trigger_tokens", None) or ()),
    )
    sampling = SamplingSettings.from_options(base, **options)
    _check_biased(sampling, vocabulary.n_tokens)
    return EngineRequest(
        prompt_tokens=prompt_tokens(vocabulary, prompt),
        sampling=sampling,
        constraint=constraint,
        preserved_tokens=_token_ids_of("preserved_tokens", vocabulary, preserved),
        affinity=affinity,
    )


def _check_biased(sampling: SamplingSettings, n_tokens: int) -> None:
    for token, _ in sampling.logit_bias:
        if token >= n_tokens:
            raise OptionError(
                f"logit_bias: token {token} is not in the vocabulary (0 … {n_tokens - 1})"
            )


def prompt_tokens(vocabulary: Vocabulary, prompt: str | Sequence[int]) -> tuple[int, ...]:
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


def _token_ids_of(option: str, vocabulary: Vocabulary, tokens: Any) -> frozenset[int]:
    """Read ids, or the texts of tokens; a text that is not one token is left out."""
    listed = [tokens] if isinstance(tokens, str) else tokens
    if not hasattr(listed, "__iter__"):
        raise OptionError(f"{option}={tokens!r} is not possible: give token ids or texts")
    ids: list[int] = []
    for token in map(plain_number, listed):
        if isinstance(token, str):
            parsed = vocabulary.tokenize(token, add_special=False, parse_special=True)
            ids.extend(parsed if len(parsed) == 1 else ())
        else:
            ids.append(token)
    return frozenset(ids)


def _strings(option: str, value: Any) -> tuple[str, ...]:
    listed = (value,) if isinstance(value, str) else tuple(value or ())
    if not all(isinstance(text, str) and text for text in listed):
        raise OptionError(f"{option}={value!r} is not possible: give texts")
    return listed


def _lazy(
    constraint: Constraint | None, patterns: tuple[str, ...], tokens: frozenset[int]
) -> Constraint | None:
    """Have a constraint begin at a trigger, if one is given."""
    if not patterns and not tokens:
        return constraint
    if constraint is None:
        raise OptionError("a trigger needs a grammar=, json_schema=, regex= or choices= to start")
    return replace(constraint, trigger=Trigger(patterns=patterns, tokens=tokens))
