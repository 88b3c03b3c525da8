"""Turns a rendered prompt into token ids, without letting contents pose as markup."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from llamanb.chat_layer import ChatPrompt

__all__ = [
    "PromptVocabulary",
    "marked_tokens",
    "preserved_ids",
    "prompt_tokens",
    "special_tokens",
]


class PromptVocabulary(Protocol):
    """What is needed of a vocabulary (``llamanb.engine.Vocabulary`` has it)."""

    bos: int | None
    add_bos: bool
    control: frozenset[int]

    def tokenize(
        self, text: str, *, add_special: bool = True, parse_special: bool = False
    ) -> list[int]:
        """Turn text into ids."""

    def token_to_piece(self, token: int) -> str:
        """Give the text of a token."""


_specials: WeakKeyDictionary[PromptVocabulary, dict[str, int]] = WeakKeyDictionary()
_patterns: WeakKeyDictionary[PromptVocabulary, re.Pattern[str]] = WeakKeyDictionary()


def prompt_tokens(prompt: ChatPrompt, vocabulary: PromptVocabulary) -> tuple[int, ...]:
    """Give the ids of ``prompt.prompt``.

    The text of a control token means that token where the template wrote it, and
    is plain text where a user, a tool or the model wrote it. A prompt whose
    contents name no control token is tokenised in one piece. The begin-of-sequence
    token comes first once, whether the template writes it or the model wants it.
    """
    ids = marked_tokens(prompt.prompt, prompt.content_spans, vocabulary)
    bos = vocabulary.bos
    if vocabulary.add_bos and bos is not None and ids[:1] != [bos]:
        ids.insert(0, bos)
    return tuple(ids)


def marked_tokens(
    text: str, content_spans: Iterable[tuple[int, int]], vocabulary: PromptVocabulary
) -> list[int]:
    """Give the ids of a text in which markup means tokens, outside of ``content_spans``."""
    ids: list[int] = []
    for part, is_markup in _pieces(text, content_spans, _control_pattern(vocabulary)):
        ids += vocabulary.tokenize(part, add_special=False, parse_special=is_markup)
    return ids


def special_tokens(vocabulary: PromptVocabulary) -> dict[str, int]:
    """Give the texts and ids of the control tokens (gathered once per vocabulary)."""
    known = _specials.get(vocabulary)
    if known is None:
        known = {vocabulary.token_to_piece(token): token for token in sorted(vocabulary.control)}
        _specials[vocabulary] = known
    return known


def preserved_ids(tags: Collection[str], vocabulary: PromptVocabulary) -> frozenset[int]:
    """Give the control tokens within ``tags``, which must show in the output."""
    return frozenset(
        token
        for tag in tags
        for token in vocabulary.tokenize(tag, add_special=False, parse_special=True)
        if token in vocabulary.control
    )


def _pieces(
    text: str, content_spans: Iterable[tuple[int, int]], control: re.Pattern[str]
) -> Iterator[tuple[str, bool]]:
    """Cut the text around the contents that name control tokens."""
    done = 0
    for start, end in content_spans:
        if control.search(text, start, end):
            if start > done:
                yield text[done:start], True
            yield text[start:end], False
            done = end
    if done < len(text):
        yield text[done:], True


def _control_pattern(vocabulary: PromptVocabulary) -> re.Pattern[str]:
    """Give the pattern that finds any control token's text (made once per vocabulary)."""
    pattern = _patterns.get(vocabulary)
    if pattern is None:
        texts = {vocabulary.token_to_piece(token) for token in vocabulary.control}
        known = sorted((text for text in texts if text.strip()), key=len, reverse=True)
        pattern = re.compile("|".join(map(re.escape, known)) or r"(?!)")
        _patterns[vocabulary] = pattern
    return pattern
