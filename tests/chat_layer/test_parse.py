"""Raw text in, events out, however the text is cut."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llamanb.chat_layer import (
    ChatEvent,
    ChatPrompt,
    ReasoningDelta,
    StreamParser,
    Syntax,
    TextDelta,
    parse,
)

THINK = Syntax(thinking_starts=("<think>",), thinking_ends=("</think>",))
CHANNELS = Syntax(
    thinking_starts=("<|channel|>analysis<|message|>",),
    thinking_ends=("<|end|><|channel|>final<|message|>", "<|call|>"),
    content_starts=("<|channel|>final<|message|>",),
)
OFFERED = ChatPrompt(prompt="", syntax=THINK)
OPENED = ChatPrompt(prompt="", syntax=THINK, thinking_open=True)
PROMPTS = {
    "plain": ChatPrompt(prompt=""),
    "offered": OFFERED,
    "opened": OPENED,
    "channels": ChatPrompt(prompt="", syntax=CHANNELS),
    "channels-opened": ChatPrompt(prompt="", syntax=CHANNELS, thinking_open=True),
    "left-alone": replace(OPENED, reasoning_format="none"),
}
PIECES = st.sampled_from(
    [
        *("<think>", "</think>", "<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
        *("<|end|><|channel|>final<|message|>", "<|call|>", "<thi", "</th", "<|end|>", "<"),
        *("Hello", " ", "\n", "\n\n", "é", "{", '{"a": 1}', "<tool_call>", "x" * 30, " " * 1030),
    ]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)


def joined(events: list[ChatEvent]) -> list[ChatEvent]:
    """Join neighbouring deltas of one kind."""
    found: list[ChatEvent] = []
    for event in events:
        last = found[-1] if found else None
        if isinstance(event, TextDelta) and isinstance(last, TextDelta):
            found[-1] = TextDelta(text=last.text + event.text)
        elif isinstance(event, ReasoningDelta) and isinstance(last, ReasoningDelta):
            found[-1] = ReasoningDelta(text=last.text + event.text)
        else:
            found.append(event)
    return found


def events_of(prompt: ChatPrompt, pieces: list[str]) -> list[ChatEvent]:
    parser = StreamParser(prompt)
    events = [event for piece in pieces for event in parser.feed(piece)]
    return joined([*events, *parser.finish()])


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
@settings(deadline=None, max_examples=60)
@given(text=TEXTS, places=st.lists(st.integers(0, 200), max_size=8))
def test_text_cut_anywhere_gives_the_same_events(
    prompt: ChatPrompt, text: str, places: list[int]
) -> None:
    cuts = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    pieces = [text[a:b] for a, b in itertools.pairwise(cuts)]
    assert events_of(prompt, pieces) == events_of(prompt, [text])


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
@settings(deadline=None, max_examples=60)
@given(text=TEXTS)
def test_text_fed_by_character_gives_the_same_events(prompt: ChatPrompt, text: str) -> None:
    assert events_of(prompt, list(text)) == events_of(prompt, [text])


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
@settings(deadline=None, max_examples=60)
@given(text=TEXTS, place=st.integers(0, 200))
def test_parse_of_a_prefix_is_a_prefix_of_the_parse(
    prompt: ChatPrompt, text: str, place: int
) -> None:
    part, whole = parse(text[:place], prompt, is_partial=True), parse(text, prompt)
    assert whole.content.startswith(part.content)
    assert whole.reasoning_content.startswith(part.reasoning_content)


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
@settings(deadline=None, max_examples=60)
@given(text=TEXTS)
def test_no_text_is_lost(prompt: ChatPrompt, text: str) -> None:
    message = parse(text, prompt)
    kept = f"{message.reasoning_content} {message.content}"  # never forms a marker
    rest = text
    for marker in (*CHANNELS.thinking_ends, *CHANNELS.thinking_starts, *CHANNELS.content_starts):
        rest, kept = rest.replace(marker, ""), kept.replace(marker, "")
    for marker in (*THINK.thinking_starts, *THINK.thinking_ends):
        rest, kept = rest.replace(marker, ""), kept.replace(marker, "")
    assert "".join(kept.split()) == "".join(rest.split())


@pytest.mark.parametrize(
    ("prompt", "text", "reasoning", "content"),
    [
        pytest.param(OFFERED, "<think>\nHm.\n</think>\n\nHello", "Hm.", "Hello", id="offered"),
        pytest.param(OPENED, "Hm.\n</think>\n\nHello", "Hm.", "Hello", id="opened"),
        pytest.param(OFFERED, "Hello", "", "Hello", id="no-thinking"),
        pytest.param(OFFERED, " \n<think>a</think>b", "a", "b", id="white-space-first"),
        pytest.param(OFFERED, "<think>\n\n</think>\n\nHello", "", "Hello", id="empty"),
        pytest.param(OFFERED, "Use <think> tags", "", "Use <think> tags", id="tag-in-content"),
        pytest.param(OFFERED, "a</think>b", "", "a</think>b", id="end-without-start"),
        pytest.param(OPENED, "cut off", "cut off", "", id="truncated-in-reasoning"),
        pytest.param(OPENED, "cut off</thi", "cut off</thi", "", id="truncated-in-tag"),
        pytest.param(OFFERED, "<think", "", "<think", id="truncated-in-opener"),
        pytest.param(OPENED, "<think>a</think>b", "<think>a", "b", id="opened-twice"),
        pytest.param(OPENED, "a</think><think>b</think>c", "ab", "c", id="two-blocks"),
        pytest.param(OPENED, "", "", "", id="nothing"),
        pytest.param(
            PROMPTS["left-alone"], "a</think>b", "", "a</think>b", id="reasoning-format-none"
        ),
        pytest.param(
            OFFERED,
            "<think>x</think>\n<tool_call>\n{}\n</tool_call>",
            "x",
            "<tool_call>\n{}\n</tool_call>",
            id="call-stays-content",
        ),
    ],
)
def test_reasoning_is_separated(
    prompt: ChatPrompt, text: str, reasoning: str, content: str
) -> None:
    message = prompt.parse(text)
    assert (message.reasoning_content, message.content) == (reasoning, content)


def test_any_end_marker_ends_reasoning() -> None:
    assert parse("a<|call|>b", PROMPTS["channels-opened"]).content == "b"


def test_text_shows_as_soon_as_it_cannot_be_a_marker() -> None:
    parser = StreamParser(OFFERED)
    assert parser.feed("<thi") == []
    assert parser.feed("s") == [TextDelta(text="<this")]
    assert parser.feed(" and <think>") == [TextDelta(text=" and <think>")]


def test_time_grows_with_the_text_only() -> None:
    start = time.monotonic()
    parser = StreamParser(OPENED)
    for _ in range(100_000):
        parser.feed(" ")
        parser.feed("<")
    parser.finish()
    assert time.monotonic() - start < 5.0
