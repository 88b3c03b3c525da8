"""Scripted models for kernels of the browser tests: paced ones, and how their talk is measured."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import llamanb
from llamanb.engine.values import FinalRecord, Piece, Timings, Usage
from tests.notebook.chat.page import PageModel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llamanb.engine.generation import Generation

__all__ = ["MARK", "CountedChat", "PacedModel"]

MARK = "the-last-token"
LINGER_S = 0.4  # the end of a turn shows everything at once: the last token comes well before


class PacedModel(PageModel):
    """Says ``pieces`` at a steady rate, then ``MARK``, and ends a little later.

    Attributes
    ----------
    last_at_s : when the last token was there, in seconds since 1970.
    main_thread_share, kernel_share : how much of the time the kernel's main thread, and
        all of its threads together, were computing.
    """

    last_at_s = 0.0
    main_thread_share = kernel_share = 0.0

    def pace(self, pieces: Iterable[str], per_second: float) -> None:
        """Let the next reply say this."""
        self.pieces, self.per_second = list(pieces), per_second
        self.enqueue([], reason=None)

    def submit(self, request: Any) -> Generation:
        """Begin a reply, said by a thread as the engine's is."""
        generation = super().submit(request)
        threading.Thread(target=self._say_all, args=(generation,), daemon=True).start()
        return generation

    def _say_all(self, generation: Generation) -> None:
        clock = time.pthread_getcpuclockid(threading.main_thread().ident or 0)
        begun_s, worked_s = time.perf_counter(), time.clock_gettime(clock)
        all_worked_s = time.process_time()
        for number, text in enumerate(self.pieces):
            wait_s = begun_s + number / self.per_second - time.perf_counter()
            if wait_s > 0:
                threading.Event().wait(wait_s)
            generation.deliver(Piece(text=text, tokens=(5,)))
        self.last_at_s = time.time()
        generation.deliver(Piece(text=MARK, tokens=(5,)))
        taken_s = time.perf_counter() - begun_s
        self.main_thread_share = (time.clock_gettime(clock) - worked_s) / taken_s
        self.kernel_share = (time.process_time() - all_worked_s) / taken_s
        threading.Event().wait(LINGER_S)
        n_tokens = len(self.pieces) + 1
        generation.deliver(
            FinalRecord(
                finish_reason="stop",
                usage=Usage(prompt_tokens=7, completion_tokens=n_tokens),
                timings=Timings(generation_s=time.perf_counter() - begun_s),
                seed=0,
            )
        )


class CountedChat(llamanb.ChatWidget):
    """A chat that counts what it sends and hears.

    Attributes
    ----------
    sent_bytes : of messages to the page, as JSON.
    n_sent : how many they were.
    heard : the kinds of messages of the page.
    """

    sent_bytes = n_sent = 0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.heard: list[str] = []
        super().__init__(*arguments, **options)

    def send(self, content: Any, buffers: Any = None) -> None:
        """Send to the page."""
        self.sent_bytes += len(json.dumps(content).encode())
        self.n_sent += 1
        super().send(content, buffers)

    def hear(self, message: Any) -> None:
        """Take a message of the page."""
        self.heard.append(message["k"])
        super().hear(message)
