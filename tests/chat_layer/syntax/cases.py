"""Tools, descriptions and readers that these tests share."""

from __future__ import annotations

import itertools
import random
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper

from llamanb.chat_layer import ChatEvent, ChatMessage, ToolCallEnd, ToolCallStart
from llamanb.chat_layer.syntax import (
    FAMILIES,
    Description,
    SyntaxParser,
    ToolShape,
    compose,
    join_events,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

PLACE = {
    "type": "object",
    "properties": {
        "lat": {"type": "number"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["lat"],
}
WEATHER = ToolShape(
    name="get_weather",
    parameters={
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "where"},
            "days": {"type": "integer"},
            "unit": {"enum": ["C", "F"]},
            "note": {"type": ["string", "null"]},
            "place": PLACE,
        },
        "required": ["city", "place"],
    },
)
TOOLS = (
    ToolShape(name="get", parameters={"type": "object", "properties": {}}),
    WEATHER,
    ToolShape(name="free"),
)
BY_NAME = {family.name: family for family in FAMILIES}
WISHES: tuple[dict[str, Any], ...] = (
    {},
    {"parallel": False},
    {"tool_choice": "required"},
    {"tool_choice": "get_weather", "parallel": False},
    {"tool_choice": "none"},
    {"thinking_open": True},
)


@cache
def described(name: str, wish: int = 0) -> Description:
    return compose(BY_NAME[name], TOOLS, **WISHES[wish])


class ByteVocabulary:
    """One token per byte, an end, and some special tokens."""

    def __init__(self, specials: tuple[str, ...]) -> None:
        self.eos_token_id = 256
        self.bos_token_id = None
        names = [b"<|eos|>", *(one.encode() for one in specials)]
        self.tokens = [*(bytes([one]) for one in range(256)), *names]
        self.special_token_ids = list(range(256, len(self.tokens)))
        self.ids = {one: 257 + number for number, one in enumerate(specials)}
        self._pattern = re.compile(
            f"({'|'.join(map(re.escape, specials))})" if specials else "(?!)"
        )

    def __call__(self, text: str) -> list[int]:
        return list(text.encode())

    def tokenize(self, text: str) -> list[int]:
        parts = self._pattern.split(text)
        return [
            one
            for part in parts
            for one in ([self.ids[part]] if part in self.ids else part.encode())
        ]


class LarkReader:
    """Says which texts a Lark grammar accepts, as llguidance reads it."""

    def __init__(self, grammar: str, vocabulary: ByteVocabulary | None = None) -> None:
        self._vocabulary = vocabulary or ByteVocabulary(())
        self._tokenizer = LLTokenizer(TokenizerWrapper(self._vocabulary))
        self._grammar = LLMatcher.grammar_from_lark(grammar)

    def accepts(self, text: str) -> bool:
        matcher = LLMatcher(self._tokenizer, self._grammar, log_level=0)
        assert not matcher.is_error(), matcher.get_error()
        tokens = self._vocabulary.tokenize(text)
        return bool(matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting())

    def begins(self, text: str) -> bool:
        """Say whether an accepted text may begin with ``text``."""
        matcher = LLMatcher(self._tokenizer, self._grammar, log_level=0)
        tokens = self._vocabulary.tokenize(text)
        return bool(matcher.try_consume_tokens(tokens) == len(tokens))

    def accepted_start(self, text: str) -> str:
        """Give the longest beginning of ``text`` that is accepted."""
        matcher = LLMatcher(self._tokenizer, self._grammar, log_level=0)
        assert not matcher.is_error(), matcher.get_error()
        tokens, size = self._vocabulary.tokenize(text), 0
        for number, token in enumerate(tokens, start=1):
            if not matcher.try_consume_tokens([token]):
                break
            size = number if matcher.is_accepting() else size
        return bytes(tokens[:size]).decode()


def events_of(description: Description, pieces: Iterable[str]) -> list[ChatEvent]:
    """Parse ``pieces``; calls without an id are numbered."""
    numbers = itertools.count()
    parser = SyntaxParser(description, make_id=lambda: f"id{next(numbers)}")
    events = [event for piece in pieces for event in parser.feed(piece)]
    return [*events, *parser.finish()]


def summary(events: list[ChatEvent]) -> tuple[ChatMessage, list[ChatEvent]]:
    """Give what does not depend on how the text was cut."""
    ends: list[ChatEvent] = [
        event for event in events if isinstance(event, ToolCallStart | ToolCallEnd)
    ]
    return join_events(events), ends


def randomness(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  # examples, no secrets


def pieces_of(text: str, size: int) -> list[str]:
    return [text[place : place + size] for place in range(0, len(text), size)]


def mutated(text: str, rng: random.Random) -> str:
    """Give ``text`` with parts deleted, doubled, moved or cut off."""
    for _ in range(rng.randint(1, 2)):
        place = rng.randint(0, len(text))
        length = rng.randint(1, 20)
        parts = [one for one in re.split(r"(?<=[>\]])|(?=[<\[])", text) if one]
        match rng.randint(0, 4):
            case 0:
                text = text[:place]
            case 1:
                text = text[:place] + text[place + length :]
            case 2:
                text = text[:place] + text[place : place + length] + text[place:]
            case 3:
                rng.shuffle(parts)
                text = "".join(parts)
            case _:
                text = "".join(one for one in parts if rng.random() > 0.2)
    return text
