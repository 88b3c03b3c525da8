"""Turn the options of ``generate`` into a request for the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeAlias

from typing_extensions import TypeIs

from llamanb.engine.values import EngineRequest, TokenLogprob
from llamanb.errors import OptionError
from llamanb.models.constraints import CONSTRAINT_OPTIONS, read_constraint
from llamanb.models.options import FURTHER_OPTIONS
from llamanb.models.tokens import prompt_tokens as chat_prompt_tokens
from llamanb.models.triggers import read_preserved, read_trigger, with_trigger
from llamanb.settings import SamplingSettings, plain_number, refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llamanb.chat_layer import ChatPrompt
    from llamanb.engine import Vocabulary

    Prompt: TypeAlias = str | ChatPrompt | Sequence[int]
    AnswerTokens: TypeAlias = Sequence[int] | Sequence[TokenLogprob]

__all__ = [
    "AnswerTokens",
    "build_request",
    "check_options",
    "message_list",
    "prompt_tokens",
    "read_answer_tokens",
    "token_ids",
]

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
    prompt: Prompt,
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
    preserved = options.pop("preserved_tokens", None)
    affinity = options.pop("affinity", None)
    answer_tokens, answer_logprobs = read_answer_tokens(options.pop("answer_tokens", None))
    patterns, tokens = (options.pop(f"trigger_{kind}", None) for kind in ("patterns", "tokens"))
    trigger = read_trigger(vocabulary, patterns, tokens)
    constraint = with_trigger(
        read_constraint(**{name: options.pop(name, None) for name in CONSTRAINT_OPTIONS}), trigger
    )
    sampling = SamplingSettings.from_options(base, **options)
    _check_biased(sampling, vocabulary.n_tokens)
    return EngineRequest(
        prompt_tokens=prompt_tokens(vocabulary, prompt),
        answer_tokens=answer_tokens,
        answer_logprobs=answer_logprobs,
        sampling=sampling,
        constraint=constraint,
        preserved_tokens=read_preserved(vocabulary, preserved, trigger),
        affinity=affinity,
    )


def _check_biased(sampling: SamplingSettings, n_tokens: int) -> None:
    for token, _ in sampling.logit_bias:
        if token >= n_tokens:
            raise OptionError(
                f"logit_bias: token {token} is not in the vocabulary (0 … {n_tokens - 1})"
            )


def prompt_tokens(vocabulary: Vocabulary, prompt: Prompt) -> tuple[int, ...]:
    """Give the ids of a prompt.

    In a text, the text of a control token means that token, whoever wrote it; in a
    ``ChatPrompt`` only where the template wrote it.
    """
    if _is_chat_prompt(prompt):
        return chat_prompt_tokens(prompt, vocabulary)
    if not isinstance(prompt, str):
        return token_ids(prompt)
    tokens = vocabulary.tokenize(prompt, add_special=True, parse_special=True)
    # a rendered chat template often begins with the bos token that would be added again
    if len(tokens) > 1 and tokens[0] == tokens[1] == vocabulary.bos:
        tokens = tokens[1:]
    return tuple(tokens)


def _is_chat_prompt(prompt: Any) -> TypeIs[ChatPrompt]:
    """Tell a ``ChatPrompt`` from others, without importing the chat layer for it."""
    return hasattr(prompt, "content_spans")


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


def read_answer_tokens(
    given: AnswerTokens | None,
) -> tuple[tuple[int, ...], tuple[TokenLogprob, ...]]:
    """Give the ids of an answer's beginning, and its log-probabilities if all are known.

    Raises
    ------
    OptionError
        If these are no token ids, nor the entries of an earlier answer.
    """
    if given is None:
        return (), ()
    if isinstance(given, str | bytes | Mapping) or not hasattr(given, "__iter__"):
        raise OptionError(f"answer_tokens must be a list of token ids, not {_kind(given)}")
    entries = tuple(given)
    known = tuple(one for one in entries if isinstance(one, TokenLogprob))
    ids = [one.token if isinstance(one, TokenLogprob) else one for one in entries]
    return token_ids(ids, "answer_tokens"), known if len(known) == len(ids) else ()


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
