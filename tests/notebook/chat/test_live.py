"""What there is to see of one turn, and what is told of it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from llamanb.chat_layer.events import (
    ChatEvent,
    Finished,
    ReasoningDelta,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallEnd,
    ToolCallStart,
    ToolResult,
)
from llamanb.notebook.chat.live import LiveTurn
from tests.notebook.chat.page import apply, size_of

ARGUMENTS = '{"city": "Os🦙o"}'
EVENTS: tuple[ChatEvent, ...] = (
    ReasoningDelta(text="Let me **see**."),
    TextDelta(text="\n\n"),
    TextDelta(text="I look.\n\n- one\n- tw"),
    ToolCallStart(index=0, id="c1", name="look"),
    ToolArgumentsDelta(index=0, text=ARGUMENTS[:9]),
    ToolArgumentsDelta(index=0, text=ARGUMENTS[9:]),
    ToolCallEnd(index=0, id="c1", name="look", arguments=ARGUMENTS),
    ToolResult(id="c1", name="look", content="12", stdout="looking\n", seconds=0.25),
    ReasoningDelta(text="So."),
    TextDelta(text="It is `12`."),
    Finished(reason="stop"),
)


def follow(takes: list[bool]) -> tuple[LiveTurn, list[dict[str, Any]]]:
    """Feed all events, and let a page follow where ``takes`` says so."""
    live, parts = LiveTurn("Hi"), list[dict[str, Any]]()
    for event, is_taken in zip(EVENTS, takes, strict=True):
        live.add(event)
        for op in live.take() if is_taken else ():
            apply(parts, op)
    for op in live.take():
        apply(parts, op)
    return live, parts


@given(takes=st.lists(st.booleans(), min_size=len(EVENTS), max_size=len(EVENTS)))
def test_a_page_that_follows_shows_what_a_new_page_gets(takes: list[bool]) -> None:
    live, parts = follow(takes)
    assert [size_of(part) for part in parts] == live.sizes
    for shown, whole in zip(parts, live.row()["parts"], strict=True):
        assert joined(shown) == joined(whole)


def joined(part: dict[str, Any]) -> dict[str, Any]:
    """A part with its blocks as one text: a page cuts them where they came."""
    if part["kind"] == "call":
        return part
    text = "".join(part["html"]) + part["open"]
    return {"text": text, **{key: part[key] for key in ("kind", "heading") if key in part}}


def test_parts_come_in_their_order() -> None:
    _, parts = follow([True] * len(EVENTS))
    assert [part["kind"] for part in parts] == ["thought", "text", "call", "thought", "text"]
    call = parts[2]
    assert (call["state"], call["result"], call["ms"]) == ("done", "12", 250)
    assert call["arguments"] == ARGUMENTS
    assert [part["is_open"] for part in parts if part["kind"] == "thought"] == [False, False]


def test_phases_follow_what_goes_on() -> None:
    live, phases = LiveTurn("Hi"), ["waiting"]
    for event in EVENTS[:-1]:
        live.add(event)
        phases.append(live.phase)
        if isinstance(event, ToolCallEnd):
            live.mark_asked("c1", is_asked=True)
            phases.append(live.phase)
    assert list(dict.fromkeys(phases)) == ["waiting", "thinking", "writing", "tool", "asking"]


def test_nothing_new_is_nothing_told() -> None:
    live, _ = follow([True] * len(EVENTS))
    assert live.take() == []


def test_what_a_turn_was_is_what_it_shows() -> None:
    live, _ = follow([False] * len(EVENTS))
    again = LiveTurn("Hi", parts=live.view().parts)
    assert again.status == "done"
    assert list(map(joined, again.row()["parts"]))[1:2] == [joined(live.row()["parts"][1])]
    assert again.view().parts == live.view().parts


def test_an_end_closes_calls_that_nobody_answered() -> None:
    live = LiveTurn("Hi")
    for event in EVENTS[3:7]:
        live.add(event)
    live.add(Finished(reason="cancelled"))
    assert live.status == "stopped"
    assert live.row()["parts"][0]["state"] == ""


def test_hostile_names_and_results_are_text_without_controls() -> None:
    live = LiveTurn("<b>")
    live.add(ToolCallStart(index=0, id="c", name="<img>\x1b[31m"))
    live.add(ToolCallEnd(index=0, id="c", name="<img>", arguments='{"a": "<script>"}'))
    live.add(ToolResult(id="c", name="<img>", content="\u202e<b>", is_error=True))
    live.take()
    row = live.row()["parts"][0]
    assert (row["name"], row["result"], row["state"]) == ("<img>", "<b>", "error")
    assert "<script>" not in row["args_html"]
    assert live.row()["question"]["html"] == "<p>&lt;b&gt;</p>\n"
