"""Tool calls in a transcript, and how they are drawn."""

from __future__ import annotations

import pytest

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
from llamanb.notebook.call_view import call_markdown
from llamanb.notebook.calls import Call
from llamanb.notebook.cell_output import final_bundle
from llamanb.notebook.reply_view import reply_bundle
from llamanb.notebook.text_output import TextOutput
from llamanb.notebook.transcript import Transcript
from tests.corpora.hostile_markdown import HOSTILE
from tests.support.inert import assert_inert

ARGUMENTS = '{"city": "Oslo"}'
EVENTS: list[ChatEvent] = [
    ReasoningDelta(text="Hm."),
    TextDelta(text="I look. "),
    ToolCallStart(index=0, id="a", name="moon"),
    ToolArgumentsDelta(index=0, text='{"city": '),
    ToolArgumentsDelta(index=0, text='"Oslo"}'),
    ToolCallEnd(index=0, id="a", name="moon", arguments=ARGUMENTS),
    ToolResult(id="a", name="moon", content="full\nmoon", stdout="hm", seconds=0.25),
    TextDelta(text="It is "),
    TextDelta(text="full."),
    Finished(reason="stop"),
]


def transcript_of(events: list[ChatEvent]) -> Transcript:
    transcript = Transcript(lambda: 0)
    for event in events:
        transcript.add(event)
    return transcript


def states() -> list[str]:
    transcript, found = Transcript(lambda: 0), []
    for event in EVENTS:
        transcript.add(event)
        found += [call.state for call in transcript.calls]
    return list(dict.fromkeys(found))


def test_parts_keep_the_order_and_the_answer_is_the_last_text() -> None:
    transcript = transcript_of(EVENTS)
    assert transcript.parts[::2] == ["I look. ", "It is full."]
    assert transcript.answer == "It is full."
    assert transcript.text == "I look. It is full."
    assert transcript.calls[0].args == {"city": "Oslo"}


def test_a_call_says_where_it_stands() -> None:
    assert states() == ["…", "running…", "250 ms"]
    call = transcript_of(EVENTS[:6]).calls[0]
    call.is_asked = True
    assert call.state == "waits for your answer"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.0001, "<1 ms"), (0.02, "20 ms"), (2.345, "2.3 s"), (0.0, "")]
)
def test_times_are_short(seconds: float, shown: str) -> None:
    assert Call(id="", name="f", is_whole=True, result="", seconds=seconds).state == shown


@pytest.mark.parametrize("arguments", ['{"city"', "[1]", "nothing", ""])
def test_arguments_that_are_no_object_are_shown_as_they_are(arguments: str) -> None:
    call = Call(id="", name="f", arguments=arguments, is_whole=True)
    assert call.args is None
    assert arguments in reply_bundle([call])["text/plain"]


def test_a_run_without_a_reader_shows_no_times() -> None:
    assert "250 ms" in final_bundle(transcript_of(EVENTS), "", "md")["text/html"]
    bundle = final_bundle(transcript_of(EVENTS), "", "md", with_speed=False)
    assert "ms" not in bundle["text/plain"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_calls_are_inert(text: str) -> None:
    call = Call(
        id="", name=text, arguments=text, is_whole=True, result=text, is_error=True, stdout=text
    )
    assert_inert(reply_bundle([text, call, text])["text/html"])


def test_a_result_cannot_close_its_code_block() -> None:
    call = Call(id="", name="f", is_whole=True, result="```\n# title\n````")
    fence = call_markdown(call).split("\n")[0]
    assert fence == "`````"


def test_a_terminal_gets_calls_and_results_as_lines() -> None:
    written: list[str] = []
    output, transcript = TextOutput(written.append, with_footer=True), Transcript(lambda: 0)
    for event in EVENTS:
        transcript.add(event)
        output.draw(transcript)
    output.finish(transcript, "footer", {})
    assert "".join(written) == (
        "<thinking>\nHm.\n</thinking>\n\nI look. \n"
        f"[moon {ARGUMENTS}]\n[printed: hm]\n[result: full\n    moon]\n"
        "It is full.\n[footer]\n"
    )


def test_the_raw_format_writes_text_alone() -> None:
    written: list[str] = []
    TextOutput(written.append, with_footer=False).finish(transcript_of(EVENTS), "footer", {})
    assert "".join(written) == "I look. It is full.\n"
