"""Read when a constraint is to begin, and which control tokens are to show."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llamanb.errors import OptionError
from llamanb.models.tokens import preserved_ids
from llamanb.settings import Trigger, plain_number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llamanb.engine import Vocabulary
    from llamanb.settings import Constraint

__all__ = ["read_preserved", "read_trigger", "with_trigger"]


def read_trigger(vocabulary: Vocabulary, patterns: Any, tokens: Any) -> Trigger | None:
    """Make a trigger of ``trigger_patterns=`` and ``trigger_tokens=``; None for neither.

    A text among the tokens that is a control token means that token; any other is
    watched for as text, however the model cuts it into tokens.

    Raises
    ------
    OptionError
        If a pattern or a token is no such thing, or empty.
    """
    ids, texts = _ids_and_texts("trigger_tokens", tokens)
    whole = {
        text: vocabulary.tokenize(text, add_special=False, parse_special=True) for text in texts
    }
    control = {text for text, found in whole.items() if _is_control(found, vocabulary)}
    watched = tuple(re.escape(text) for text in texts if text not in control)
    found = (*_patterns(patterns), *watched)
    starts = ids | {whole[text][0] for text in control}
    return Trigger(patterns=found, tokens=starts) if found or starts else None


def with_trigger(constraint: Constraint | None, trigger: Trigger | None) -> Constraint | None:
    """Have a constraint begin at a trigger, if one is given.

    Raises
    ------
    OptionError
        If there is a trigger and nothing that could begin.
    """
    if trigger is None:
        return constraint
    if constraint is None:
        raise OptionError("a trigger needs a grammar=, json_schema=, regex= or choices= to start")
    return replace(constraint, trigger=trigger)


def read_preserved(vocabulary: Vocabulary, tokens: Any, trigger: Trigger | None) -> frozenset[int]:
    """Give the control tokens that show in the text: those listed, and the trigger's.

    Raises
    ------
    OptionError
        If they are neither ids nor texts.
    """
    ids, texts = _ids_and_texts("preserved_tokens", tokens)
    return ids | preserved_ids(texts, vocabulary) | (trigger.tokens if trigger else frozenset())


def _is_control(tokens: list[int], vocabulary: Vocabulary) -> bool:
    return len(tokens) == 1 and tokens[0] in vocabulary.control


def _ids_and_texts(option: str, tokens: Any) -> tuple[frozenset[int], tuple[str, ...]]:
    listed: Iterable[Any] = [tokens] if isinstance(tokens, str) else tokens or ()
    if not hasattr(listed, "__iter__"):
        raise OptionError(f"{option}={tokens!r} is not possible: give token ids or texts")
    given = [plain_number(token) for token in listed]
    if "" in given:
        raise OptionError(f"{option}={tokens!r} is not possible: a text is empty")
    texts = tuple(token for token in given if isinstance(token, str))
    return frozenset(token for token in given if not isinstance(token, str)), texts


def _patterns(value: Any) -> tuple[str, ...]:
    listed = (value,) if isinstance(value, str) else tuple(value or ())
    if not all(isinstance(text, str) and text for text in listed):
        raise OptionError(f"trigger_patterns={value!r} is not possible: give texts")
    return listed
