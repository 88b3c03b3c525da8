"""Compares rendered texts marker by marker: what they share, what stands around calls.

A marker (``<…>``, ``[…]``) is shared as a whole or not at all: ``<call>`` and
``<calls>`` have nothing in common.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from llamanb.chat_layer.shared_text import shared_length

__all__ = ["CALL_ID", "INDEX", "Frame", "first_markers", "frame_of", "shared_end", "shared_start"]

CALL_ID, INDEX = "\ue001", "\ue002"
"""Stand in compared texts for a call's id and for its number."""
MAX_MARKER_CHARS = 64
_ATOM = re.compile(r"<[^<>\s][^<>\n]{0,60}(?:>|\Z)|\[[^\[\]\s]{1,60}\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What stands around calls: section(prefix call suffix, separator, …)section.

    ``section_end`` and ``rest`` are white space apart: ``rest`` may follow the calls,
    and need not.
    """

    section_start: str = ""
    prefix: str = ""
    suffix: str = ""
    separator: str = ""
    section_end: str = ""
    rest: str = ""


def shared_start(one: str, other: str) -> int:
    """Give how many characters two texts share at the beginning, in whole markers."""
    end = shared_length(one, other)
    for text in (one, other):
        atom = _atom_across(text, end)
        end = min(end, atom.start()) if atom else end
    return end


def shared_end(one: str, other: str) -> int:
    """Give how many characters two texts share at the end, in whole markers."""
    size = shared_length(one[::-1], other[::-1])
    for text in (one, other):
        atom = _atom_across(text, len(text) - size)
        size = len(text) - atom.end() if atom else size
    return size


def _atom_across(text: str, place: int) -> re.Match[str] | None:
    """Give the marker that begins before ``place`` and ends after it."""
    begin, end = max(0, place - MAX_MARKER_CHARS), place + MAX_MARKER_CHARS
    atoms = _ATOM.finditer(text, begin, min(end, len(text)))
    return next((atom for atom in atoms if atom.start() < place < atom.end()), None)


def up_to_markers(text: str, count: int) -> str:
    """Give ``text`` through its marker number ``count``; with none, up to the first."""
    atoms = [atom for atom in _ATOM.finditer(text) if atom.group()[0] == "<" or count]
    if not count:
        return text[: atoms[0].start()] if atoms else text
    return text[: atoms[count - 1].end()] if len(atoms) >= count else text


def frame_of(head: str, middle: str | None, tail: str) -> Frame:
    """Tell section markers from call markers.

    Parameters
    ----------
    head, tail : what stands before the first call and after the last; the tail may
        go on after the end of the calls.
    middle : what stands between two calls; None where only one is shown.
    """
    if middle is None:
        suffix = up_to_markers(tail, _n_markers(head)).rstrip()
        return Frame(prefix=head, suffix=suffix, rest=_spaces(tail[len(suffix) :]))
    suffix = middle[: shared_start(middle, tail)].rstrip()
    size = min(shared_end(middle, head), len(middle) - len(suffix))
    prefix = middle[len(middle) - size :].lstrip()
    section_start = head[: len(head) - len(prefix)]
    after = tail[len(suffix) :]
    section_end = up_to_markers(after, _n_markers(section_start)) if section_start else ""
    section_end = section_end.rstrip()
    return Frame(
        section_start=section_start,
        prefix=prefix,
        suffix=suffix,
        separator=middle[len(suffix) : len(middle) - len(prefix)],
        section_end=section_end,
        rest=_spaces(after[len(section_end) :]),
    )


def _n_markers(text: str) -> int:
    return len(_ATOM.findall(text))


def _spaces(text: str) -> str:
    """Give the white space at the beginning of ``text``."""
    return text[: len(text) - len(text.lstrip())]


def first_markers(text: str, other: str) -> str:
    """Give the first marker of ``text``, with more of them as far as ``other`` begins alike."""
    count = 1 if _ATOM.match(text) else 0
    found = up_to_markers(text, count)
    while len(found) < len(text) and other.startswith(found.strip()):
        count += 1
        found = up_to_markers(text, count)
    return found.strip()
