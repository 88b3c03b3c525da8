"""What one family of models is, as far as its output goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.elements import Element, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.chat_layer.syntax.description import Description, ToolShape, Wish

__all__ = ["NEW_LINE", "NOTHING", "Family"]

NOTHING, NEW_LINE = Literal(""), Literal("\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """How a family of models writes.

    Attributes
    ----------
    marks : groups of texts; a template with all texts of a group is of this family.
    not_marks : texts that a template of this family does not hold.
    call : one call of any of these tools, with its own markers.
    section : texts before the first and after the last call.
    separator : the text between calls.
    thinking : markers around reasoning; empty for none.
    triggers : texts at which the grammar of a free answer begins.
    trigger_patterns : RE2 patterns for the same, instead of the texts; ``{names}`` in
        one stands for the names of the tools that may be called.
    answer_starts, answer_ends : markers around an answer that are no part of it.
    unmarked : further calls that the parser takes where an answer begins.
    strays : markers that models write where they mean nothing; the parser passes them.
    is_parallel : whether one answer may hold several calls.
    anywhere : whether calls may follow other text.
    compose : for a family whose whole output has a structure of its own.
    begun : beginnings of an output that the prompt may have written already.
    answer_openings : what stands before an answer that the prompt begins, at the
        beginning and after reasoning; for a family whose answers are marked.
    variant : gives the family as one template has it, if templates differ.
    """

    name: str
    marks: tuple[tuple[str, ...], ...]
    not_marks: tuple[str, ...] = ()
    call: Callable[[tuple[ToolShape, ...]], Element]
    section: tuple[Element, Element] = (NOTHING, NOTHING)
    separator: Element = NEW_LINE
    thinking: tuple[str, str] = ("<think>", "</think>")
    triggers: tuple[str, ...] = ()
    trigger_patterns: tuple[str, ...] = ()
    answer_starts: tuple[str, ...] = ()
    answer_ends: tuple[str, ...] = ()
    unmarked: Callable[[tuple[ToolShape, ...]], tuple[Element, ...]] = lambda _: ()
    strays: tuple[Element, ...] = ()
    is_parallel: bool = True
    anywhere: bool = True
    compose: Callable[[Family, Wish], Description] | None = None
    begun: tuple[str, ...] = ()
    answer_openings: tuple[str, str] = ("", "")
    variant: Callable[[str], Family] | None = None

    def matches(self, source: str) -> bool:
        """Say whether the template ``source`` is of this family."""
        has_marks = any(all(mark in source for mark in group) for group in self.marks)
        return has_marks and not any(mark in source for mark in self.not_marks)
