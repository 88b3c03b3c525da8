"""The part of a long block that stays as it is while its end still grows.

Without it every change at the end of a list of 20,000 characters would mean reading
all of it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llamanb.notebook.markdown import (
    is_closed_code,
    plain_block,
    read_blocks,
    read_inlines,
    render_tokens,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markdown_it.token import Token

    from llamanb.notebook.markdown import Block

__all__ = ["Frame", "framed", "render_open"]

SHORTEST_FRAMED = 1_000
_CODE_BEGIN, _CODE_END = plain_block("|").split("|")


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a long block is cut: into which tokens, and what its HTML has around them."""

    piece: str
    level: int
    before: str
    after: str
    n_head_lines: int = 0
    n_skipped: int = 0


_KINDS: dict[str, _Kind] = {
    "bullet_list_open": _Kind("list_item_open", 1, "", "</ul>\n"),
    "ordered_list_open": _Kind("list_item_open", 1, "", "</ol>\n"),
    "table_open": _Kind("tr_open", 2, "<tbody>\n", "</tbody>\n</table>\n", 2, 1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What is settled of the block that grows.

    Attributes
    ----------
    opener : the block's first token.
    head : source that has to stand before the rest where the rest is read alone.
    rest : where the rest begins in the block's source.
    html : the settled part; the block is not closed in it.
    is_tight : of a list, whether there are no empty lines between its items.
    """

    opener: Token
    head: str
    rest: int
    html: str
    is_tight: bool = True

    def read(self, source: str, references: Mapping[str, Any]) -> list[Block]:
        """Give the blocks of the rest of ``source``; none if they do not go on with this."""
        blocks = read_blocks(self._rest_of(source), dict(references))
        return blocks if blocks and self._goes_on_with(blocks[0].tokens, source) else []

    def _rest_of(self, source: str) -> str:
        return self.head + source[self.rest :]

    def _goes_on_with(self, tokens: Sequence[Token], source: str) -> bool:
        first, opener = tokens[0], self.opener
        if (first.type, first.markup) != (opener.type, opener.markup) or (first.map or [1])[0]:
            return False
        if not first.type.endswith("list_open") or not self.is_tight:
            return True
        tight = _tightness(tokens)
        return "\n\n" not in source[self.rest :].rstrip("\n") if tight is None else tight


def render_open(
    source: str, frame: Frame | None, references: Mapping[str, Any], *, compact: bool
) -> str:
    """Give the HTML of an unfinished text, whose first block ``frame`` has begun."""
    blocks = frame.read(source, references) if frame else []
    if frame is None or not blocks:
        known = dict(references)
        return _render_all(read_blocks(source, known), known, compact=compact)
    begun = _render_rest(frame, blocks[0].tokens, references, compact=compact)
    return begun + _render_all(blocks[1:], references, compact=compact)


def framed(
    source: str, frame: Frame | None, block: Block, references: Mapping[str, Any], *, compact: bool
) -> Frame | None:
    """Settle what can be of the only block of ``source``, which are whole lines.

    Parameters
    ----------
    block : read from ``source``, or by ``frame``.
    """
    opener = block.tokens[0]
    if frame is None and len(source) < SHORTEST_FRAMED:
        return None
    if opener.type == "fence":
        return _framed_code(source, frame, opener)
    if opener.type in _KINDS:
        return _framed_pieces(source, frame, block.tokens, references, compact=compact)
    return None


def _render_all(blocks: list[Block], references: Mapping[str, Any], *, compact: bool) -> str:
    tokens = [token for block in blocks for token in block.tokens]
    if blocks and blocks[-1].tokens[0].type == "fence" and not is_closed_code(blocks[-1]):
        tokens[-1].info = ""  # code gets its colours when it is complete
    read_inlines(tokens, dict(references))
    return render_tokens(tokens, compact=compact)


def _render_rest(
    frame: Frame, tokens: list[Token], references: Mapping[str, Any], *, compact: bool
) -> str:
    if frame.opener.type == "fence":
        return frame.html + _escaped_code(tokens[0].content) + _CODE_END
    _set_tightness(tokens, is_tight=frame.is_tight)
    _, inside = _halves(tokens, references, compact=compact)
    return frame.html + inside + _KINDS[frame.opener.type].after


def _framed_code(source: str, frame: Frame | None, token: Token) -> Frame:
    inside = _escaped_code(token.content)
    if frame is not None:
        html, rest = frame.html + inside, len(source)
        return Frame(opener=frame.opener, head=frame.head, rest=rest, html=html)
    head = source.split("\n")[(token.map or [0])[0]] + "\n"
    return Frame(opener=token, head=head, rest=len(source), html=_CODE_BEGIN + inside)


def _escaped_code(text: str) -> str:
    return plain_block(text).removeprefix(_CODE_BEGIN).removesuffix(_CODE_END)


def _framed_pieces(
    source: str,
    frame: Frame | None,
    tokens: list[Token],
    references: Mapping[str, Any],
    *,
    compact: bool,
) -> Frame | None:
    kind = _KINDS[tokens[0].type]
    is_tight = frame.is_tight if frame else _tightness(tokens)
    places = [n for n, t in enumerate(tokens) if t.type == kind.piece and t.level == kind.level]
    places = places[kind.n_skipped :]
    if len(places) < 2 or is_tight is None:
        return frame
    _set_tightness(tokens, is_tight=is_tight)
    settled = [*tokens[: places[-1]], *tokens[_end_of_pieces(tokens, kind) :]]
    begin, inside = _halves(settled, references, compact=compact)
    head, rest = (frame.head, frame.rest) if frame else ("", 0)
    lines = (head + source[rest:]).split("\n")
    first, last = (tokens[0].map or [0])[0], (tokens[places[-1]].map or [0])[0]
    return Frame(
        opener=frame.opener if frame else tokens[0],
        head=head or "".join(f"{line}\n" for line in lines[first : first + kind.n_head_lines]),
        rest=rest - len(head) + sum(len(line) + 1 for line in lines[:last]),
        html=(frame.html if frame else begin) + inside,
        is_tight=is_tight,
    )


def _end_of_pieces(tokens: list[Token], kind: _Kind) -> int:
    """Give the place of the first token that only closes."""
    return len(tokens) - kind.after.count("\n")


def _halves(
    tokens: list[Token], references: Mapping[str, Any], *, compact: bool
) -> tuple[str, str]:
    """Give the HTML of a block up to its first piece, and of all its pieces."""
    kind = _KINDS[tokens[0].type]
    read_inlines(tokens, dict(references))
    html = render_tokens(tokens, compact=compact).removesuffix(kind.after)
    start = html.index(kind.before) + len(kind.before) if kind.before else html.index("<li>")
    return html[:start], html[start:]


def _tightness(tokens: Sequence[Token]) -> bool | None:
    """Tell whether a list has no empty lines between items, None where it does not show."""
    if tokens[0].type == "table_open":
        return True
    hidden = [token.hidden for token in tokens if _is_paragraph_of_item(token)]
    return all(hidden) if hidden else None


def _set_tightness(tokens: Sequence[Token], *, is_tight: bool) -> None:
    if tokens[0].type != "table_open":
        for token in tokens:
            if _is_paragraph_of_item(token):
                token.hidden = is_tight


def _is_paragraph_of_item(token: Token) -> bool:
    return token.level == 2 and token.type in ("paragraph_open", "paragraph_close")
