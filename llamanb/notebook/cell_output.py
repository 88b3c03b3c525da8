"""Where a reply is drawn while it arrives: a notebook cell, or nowhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from IPython.display import display, update_display

from llamanb.notebook.calls import Call
from llamanb.notebook.clean_text import clean_text
from llamanb.notebook.reply_view import growing_bundle, reply_bundle
from llamanb.notebook.throttle import Throttle

if TYPE_CHECKING:
    from llamanb.notebook.transcript import Part, Transcript

__all__ = ["CellOutput", "FinalOutput", "Output", "SilentOutput"]

LONGEST_TAIL = 80


class Output(Protocol):
    """Shows one reply. Stages: ``begin`` → ``draw`` many times → ``finish``."""

    def begin(self) -> None:
        """Show that something is on its way."""

    def draw(self, transcript: Transcript, *, at_once: bool = False) -> None:
        """Show the state, if it is time, or ``at_once``."""

    def finish(self, transcript: Transcript, footer: str, metadata: dict[str, Any]) -> None:
        """Show the final state, always."""

    @property
    def remaining_s(self) -> float:
        """Seconds until ``draw`` would show something."""

    @property
    def shows_speed(self) -> bool:
        """Whether the footer tells what differs from run to run."""


class SilentOutput:
    """Shows nothing."""

    remaining_s = 1.0
    shows_speed = True

    def begin(self) -> None:
        """Show nothing."""

    def draw(self, transcript: Transcript, *, at_once: bool = False) -> None:
        """Show nothing."""

    def finish(self, transcript: Transcript, footer: str, metadata: dict[str, Any]) -> None:
        """Show nothing."""


class FinalOutput(SilentOutput):
    """One display of the complete reply, for runs without a reader.

    A greedy reply looks the same in every run, so saved notebooks can be compared.
    """

    shows_speed = False

    def __init__(self, style: str) -> None:
        self._style = style

    def finish(self, transcript: Transcript, footer: str, metadata: dict[str, Any]) -> None:
        """Display the reply."""
        bundle = final_bundle(transcript, footer, self._style, with_speed=False)
        display(bundle, raw=True, metadata={"llamanb": metadata})


class CellOutput:
    """A display in the cell's output that is redrawn at most 12 times per second.

    Parameters
    ----------
    style : one of ``options.FORMATS``.
    """

    def __init__(self, style: str) -> None:
        self._style = style
        self._display_id = ""
        self._throttle = Throttle()
        self._drawn = (0, 0)
        self.shows_speed = True

    @property
    def remaining_s(self) -> float:
        """Seconds until the next redraw is due."""
        return self._throttle.remaining_s

    def begin(self) -> None:
        """Show an ellipsis, so that the cell reacts at once."""
        bundle = growing_bundle((), reasoning="", thinking="", style=self._style)
        handle = display(bundle, raw=True, display_id=True)
        self._display_id = str(handle.display_id) if handle is not None else ""

    def draw(self, transcript: Transcript, *, at_once: bool = False) -> None:
        """Redraw if something is new and a redraw is due, or ``at_once``."""
        state = (transcript.version, transcript.waited_s)
        if not at_once and (state == self._drawn or self._throttle.remaining_s > 0):
            return
        self._drawn = state
        with self._throttle.measured():
            bundle = growing_bundle(
                transcript.parts,
                reasoning=transcript.reasoning,
                thinking=thinking_line(transcript),
                style=self._style,
                waiting=waiting_line(transcript),
            )
            update_display(bundle, display_id=self._display_id, raw=True)

    def finish(self, transcript: Transcript, footer: str, metadata: dict[str, Any]) -> None:
        """Draw the complete reply."""
        bundle = final_bundle(transcript, footer, self._style)
        update_display(
            bundle, display_id=self._display_id, raw=True, metadata={"llamanb": metadata}
        )


def thinking_line(transcript: Transcript, *, with_speed: bool = True) -> str:
    """Give the heading of the folded reasoning, with the last words while it grows.

    A redraw closes the fold, so it could not be read before its end otherwise.
    """
    if transcript.is_thinking:
        tail = " ".join(clean_text(transcript.reasoning[-LONGEST_TAIL:]).split())
        return f"Thinking… {transcript.count_tokens()} tokens · …{tail}"
    seconds = f" for {transcript.reasoning_s:.1f} s" if with_speed else ""
    return f"Thought{seconds} · {transcript.reasoning_tokens} tokens"


def waiting_line(transcript: Transcript) -> str:
    """Give what stands in the cell until there is text; a long prompt takes its time."""
    if not transcript.waited_s:
        return "…"
    n_tokens = f"{transcript.n_prompt_tokens:,} prompt tokens"
    return f"… waiting for the first word · {n_tokens} · {transcript.waited_s} s"


def final_bundle(
    transcript: Transcript, footer: str, style: str, *, with_speed: bool = True
) -> dict[str, str]:
    """Give the display data of a complete reply."""
    error = (transcript.finished.error if transcript.finished else None) or ""
    parts = transcript.parts
    return reply_bundle(
        parts if with_speed else [_without_time(part) for part in parts],
        reasoning=transcript.reasoning,
        thinking=thinking_line(transcript, with_speed=with_speed),
        footer=footer,
        error=error,
        style=style,
    )


def _without_time(part: Part) -> Part:
    return replace(part, seconds=0.0) if isinstance(part, Call) else part
