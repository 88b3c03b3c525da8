"""Where a reply is drawn while it arrives: a notebook cell, a terminal, or nowhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

from IPython.display import display, update_display

from llamanb.notebook.clean_text import clean_delta, clean_text
from llamanb.notebook.reply_view import growing_bundle, reply_bundle
from llamanb.notebook.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.notebook.transcript import Transcript

__all__ = ["CellOutput", "FinalOutput", "Output", "SilentOutput", "TextOutput"]

LONGEST_TAIL = 80


class Output(Protocol):
    """Shows one reply. Stages: ``begin`` → ``draw`` many times → ``finish``."""

    def begin(self) -> None:
        """Show that something is on its way."""

    def draw(self, transcript: Transcript) -> None:
        """Show the state, if it is time."""

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

    def draw(self, transcript: Transcript) -> None:
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
        bundle = growing_bundle("", reasoning="", thinking="", style=self._style)
        handle = display(bundle, raw=True, display_id=True)
        self._display_id = str(handle.display_id) if handle is not None else ""

    def draw(self, transcript: Transcript) -> None:
        """Redraw if something is new and a redraw is due."""
        state = (transcript.version, transcript.waited_s)
        if state == self._drawn or self._throttle.remaining_s > 0:
            return
        self._drawn = state
        with self._throttle.measured():
            bundle = growing_bundle(
                transcript.text,
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


class TextOutput:
    """Plain text as it comes, for a terminal and for ``-f raw``.

    Parameters
    ----------
    write : takes text; standard output by default.
    with_footer : whether a line about the reply follows it.
    """

    remaining_s = 0.0
    shows_speed = True

    def __init__(self, write: Callable[[str], Any] | None = None, *, with_footer: bool) -> None:
        self._write = write or sys.stdout.write
        self._with_footer = with_footer
        self._n_text = 0
        self._n_reasoning = 0

    def begin(self) -> None:
        """Show nothing yet."""

    def draw(self, transcript: Transcript) -> None:
        """Write what is new."""
        text, reasoning = transcript.pieces_from(self._n_text, self._n_reasoning)
        if reasoning and self._with_footer:
            self._write(("" if self._n_reasoning else "<thinking>\n") + _clean(reasoning))
        if text and self._n_reasoning + len(reasoning) and not self._n_text and self._with_footer:
            self._write("\n</thinking>\n\n")
        self._write(_clean(text))
        self._n_text += len(text)
        self._n_reasoning += len(reasoning)
        sys.stdout.flush()

    def finish(self, transcript: Transcript, footer: str, metadata: dict[str, Any]) -> None:
        """End the line and say how it went."""
        del metadata
        self.draw(transcript)
        self._write("\n")
        if self._with_footer:
            error = transcript.finished.error if transcript.finished else None
            self._write(f"[{error or footer}]\n")
        sys.stdout.flush()


def _clean(pieces: list[str]) -> str:
    return clean_delta("".join(pieces))


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
    return reply_bundle(
        transcript.text,
        reasoning=transcript.reasoning,
        thinking=thinking_line(transcript, with_speed=with_speed),
        footer=footer,
        error=error,
        style=style,
    )
