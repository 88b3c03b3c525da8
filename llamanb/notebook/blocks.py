"""Markdown that still grows: finished blocks come out once, the last one as it changes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.shared_text import shared_length
from llamanb.notebook.clean_text import TextCleaner
from llamanb.notebook.markdown import (
    LONGEST_RENDERED,
    PLAIN_PIECE,
    is_closed_code,
    plain_block,
    read_blocks,
    read_inlines,
    render_blocks,
    render_tokens,
)
from llamanb.notebook.open_block import framed, render_open

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.notebook.markdown import Block
    from llamanb.notebook.open_block import Frame

__all__ = ["BlockChange", "MarkdownStream", "render_blocks"]

DEAR_S = 0.004
PAUSE_FACTOR = 9
MOST_RESENT, ALWAYS_RESENT = 1.5, 2_000


@dataclass(frozen=True, slots=True)
class BlockChange:
    """What a view has to change.

    With ``finished`` the open block ends as ``open[:keep] + finished[0]``, the others
    follow as blocks of their own, and ``tail`` is the new open block. Without it the
    open block is ``open[:keep] + tail`` from now on.

    Attributes
    ----------
    finished : HTML of blocks that will not change any more.
    keep : how much of the open block's HTML stays, in UTF-16 code units.
    tail : what follows it.
    is_anew : everything shown before goes away first; only in the last change, where a
        link was defined after it was used.
    """

    finished: tuple[str, ...]
    keep: int
    tail: str
    is_anew: bool = False


class MarkdownStream:
    """Renders a text while it grows.

    Stages: made → ``feed`` and ``take`` in any order → ``finish`` → ``take``. Then
    ``finished``, joined, is ``render_html`` of the whole text.

    Parameters
    ----------
    compact : colour code with short tags, see ``render_html``.
    clock : gives seconds; replaced in tests. Where a take was dear, the next ones give
        None for nine times as long, until ``finish``.

    Attributes
    ----------
    finished, open : what has been taken: HTML of finished blocks, and of the open one.
    """

    def __init__(
        self, *, compact: bool = True, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.finished: list[str] = []
        self.open = ""
        self._compact, self._clock = compact, clock
        self._next_s = clock()
        self._cleaner = TextCleaner()
        self._text: list[str] = []
        self._n_characters = 0
        self._source = self._beyond = ""
        self._n_read = 0
        self._frame: Frame | None = None
        self._references: dict[str, Any] = {}
        self._unsent: list[str] = []
        self._n_resent = 0
        self._is_over = self._has_news = False

    # ---- in and out -------------------------------------------------------------------

    def feed(self, text: str) -> None:
        """Take in what has come of the text."""
        self._append(self._cleaner.feed(text))

    def finish(self) -> None:
        """Note that nothing more will come: all blocks are finished."""
        if not self._is_over:
            self._append(self._cleaner.finish())
            self._is_over = self._has_news = True

    def take(self) -> BlockChange | None:
        """Give what has changed since the last time; None for nothing, or later."""
        begun_s = self._clock()
        if not self._has_news or (begun_s < self._next_s and not self._is_over):
            return None
        self._settle()
        change = self._change(self._open_html())
        cost_s = self._clock() - begun_s
        if cost_s > DEAR_S and not (change and change.finished):  # those are not drawn again
            self._next_s = begun_s + cost_s * (1 + PAUSE_FACTOR)
        return change

    def _append(self, text: str) -> None:
        if not text:
            return
        room = max(0, LONGEST_RENDERED - self._n_characters)
        self._source += text[:room]
        self._beyond += text[room:]
        self._n_characters += len(text)
        self._text.append(text)
        self._has_news = True

    # ---- blocks -----------------------------------------------------------------------

    def _settle(self) -> None:
        """Move all blocks that will not change any more from the source to ``_unsent``."""
        if self._is_over or self._beyond:
            self._finish_source(len(self._source))
        elif (end := self._source.rfind("\n") + 1) > self._n_read:
            self._n_read = end
            self._settle_lines(self._source[:end])
        while len(self._beyond) >= (1 if self._is_over else PLAIN_PIECE):
            self._unsent.append(plain_block(self._beyond[:PLAIN_PIECE]))
            self._beyond = self._beyond[PLAIN_PIECE:]

    def _settle_lines(self, lines: str) -> None:
        blocks = self._frame.read(lines, self._references) if self._frame else []
        if self._frame is None or _n_finished(blocks) != 0:
            self._frame = None
            blocks = read_blocks(lines, dict(self._references))
        n_finished = _n_finished(blocks)
        if n_finished > 0:
            last = blocks[n_finished - 1].end
            self._finish_source(sum(len(one) + 1 for one in lines.split("\n")[:last]))
        elif blocks:
            known, compact = self._references, self._compact
            self._frame = framed(lines, self._frame, blocks[0], known, compact=compact)

    def _finish_source(self, length: int) -> None:
        """Render the blocks of the source up to there."""
        for block in read_blocks(self._source[:length], self._references):
            read_inlines(block.tokens, self._references)
            self._unsent.append(render_tokens(block.tokens, compact=self._compact))
        self._source = self._source[length:]
        self._n_read = 0
        self._frame = None

    def _open_html(self) -> str:
        if self._beyond:
            return plain_block(self._beyond)
        known, compact = self._references, self._compact
        return render_open(self._source, self._frame, known, compact=compact)

    # ---- changes ----------------------------------------------------------------------

    def _change(self, html: str) -> BlockChange | None:
        if blocks := self._rendered_anew():
            return self._all_anew(blocks)
        first = self._unsent[0] if self._unsent else html
        keep = shared_length(self.open, first)
        if not self._may_resend(len(self.open) - keep):
            return None
        self._has_news = False
        if not self._unsent and html == self.open:
            return None
        kept = _utf16_length(self.open[:keep])
        sent = (first[keep:], *self._unsent[1:])
        change = BlockChange(sent, kept, html) if self._unsent else BlockChange((), kept, sent[0])
        self._put(html)
        return change

    def _may_resend(self, n_lost: int) -> bool:
        """Whether so much may be sent again; text that flips to and fro would be endless."""
        n_resent = self._n_resent + n_lost
        is_little = n_resent <= self._n_characters * MOST_RESENT + ALWAYS_RESENT
        if is_little or self._is_over:
            self._n_resent = n_resent
        return is_little or self._is_over

    def _put(self, html: str) -> None:
        self.finished += self._unsent
        self._unsent = []
        self.open = html

    def _rendered_anew(self) -> list[str]:
        """Give all blocks if a link was defined below its use: they were not right yet."""
        if not (self._is_over and self._references):
            return []
        blocks = render_blocks("".join(self._text), compact=self._compact)
        return blocks if blocks != [*self.finished, *self._unsent] else []

    def _all_anew(self, blocks: list[str]) -> BlockChange:
        self._has_news = False
        self.finished, self._unsent = [], blocks
        self._put("")
        return BlockChange(tuple(blocks), 0, "", is_anew=True)


def _n_finished(blocks: list[Block]) -> int:
    """Count the blocks that whole lines show to be finished; -1 without any block."""
    return len(blocks) - 1 + (bool(blocks) and _is_finished(blocks[-1]))


def _is_finished(block: Block) -> bool:
    """Whether nothing that follows can change a block of whole lines."""
    kind = block.tokens[0].type
    if kind in ("paragraph_open", "table_open"):
        return not block.is_last_line  # an empty line follows
    return kind in ("heading_open", "hr") or is_closed_code(block)


def _utf16_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
