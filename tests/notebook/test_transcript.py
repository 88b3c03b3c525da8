"""Events become the state of one reply."""

from __future__ import annotations

from llamanb.chat_layer.events import Finished, ReasoningDelta, TextDelta
from llamanb.notebook.cell_output import thinking_line, waiting_line
from llamanb.notebook.transcript import Transcript


def test_answer_and_thinking_are_kept_apart() -> None:
    counts = iter([7])
    transcript = Transcript(lambda: next(counts))
    transcript.add(ReasoningDelta(text="Hm, "))
    transcript.add(ReasoningDelta(text="yes."))
    assert transcript.is_thinking
    transcript.add(TextDelta(text="It "))
    transcript.add(TextDelta(text="is."))
    transcript.add(Finished(reason="stop"))
    assert (transcript.reasoning, transcript.text) == ("Hm, yes.", "It is.")
    assert transcript.reasoning_tokens == 7
    assert not transcript.is_thinking


def test_thinking_that_never_ends_is_measured_at_the_end() -> None:
    transcript = Transcript(lambda: 3)
    transcript.add(ReasoningDelta(text="Hm"))
    transcript.add(Finished(reason="length"))
    assert transcript.reasoning_tokens == 3


def test_events_are_kept_in_order() -> None:
    transcript = Transcript(lambda: 0)
    for text in "abc":
        transcript.add(TextDelta(text=text))
    transcript.catch_up("abcd", "")
    assert transcript.events[2:] == [TextDelta(text="c"), TextDelta(text="d")]


def test_waiting_is_counted_in_seconds_until_something_arrives() -> None:
    times = iter([10.0, 10.5, 13.2, 13.2])
    transcript = Transcript(lambda: 0, 1825, lambda: next(times))
    assert waiting_line(transcript) == "…"
    assert waiting_line(transcript) == "… waiting for the first word · 1,825 prompt tokens · 3 s"
    transcript.add(TextDelta(text="Yes"))
    assert transcript.waited_s == 0


def test_the_heading_of_growing_thoughts_shows_the_last_words() -> None:
    transcript = Transcript(lambda: 40)
    transcript.add(ReasoningDelta(text="first " * 30 + "and\nthen last"))
    heading = thinking_line(transcript)
    assert heading.startswith("Thinking… 40 tokens · …")
    assert heading.endswith("first and then last")
    assert len(heading) < 120
    transcript.add(TextDelta(text="Yes"))
    assert "last" not in thinking_line(transcript)
