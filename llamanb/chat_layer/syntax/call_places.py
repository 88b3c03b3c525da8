"""Notes where in a text each call stands while it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.elements import Rule
from llamanb.chat_layer.syntax.parser import SyntaxParser

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.description import Description
    from llamanb.chat_layer.syntax.elements import Element
    from llamanb.chat_layer.syntax.reader import Waiting

__all__ = ["CallPlace", "PlaceParser"]

Range = tuple[int, int]
CALL_RULE = "call"  # a call with its own markers; what stands around several is not in it


@dataclass(slots=True, kw_only=True)
class CallPlace:
    """Where a call stands.

    Attributes
    ----------
    core : from its first word to its last, markers left out where they hold no word.
    whole : with the markers that belong to it alone, if it has any.
    section : the marked part of the text that it is in, alone or with others.
    """

    core: Range
    whole: Range | None = None
    section: Range | None = None


class PlaceParser(SyntaxParser):
    """Reads as its base does, and knows the places of the calls that it has read."""

    def __init__(self, description: Description) -> None:
        self._places: dict[int, CallPlace] = {}
        super().__init__(description)

    @property
    def places(self) -> list[CallPlace]:
        """The places of the calls so far, in their order."""
        return [self._places[number] for number in range(self._n_calls)]

    def _call(self, child: Element) -> Waiting[bool]:
        start, number = self._reader.place, self._n_calls
        is_call = yield from super()._call(child)
        if is_call:
            self._places[number] = CallPlace(core=(start, self._reader.place))
        return is_call

    def _match(self, element: Element) -> Waiting[bool]:
        start, number = self._reader.place, self._n_calls
        is_there = yield from super()._match(element)
        is_one = self._n_calls == number + 1
        if is_one and isinstance(element, Rule) and element.name == CALL_RULE:
            self._places[number].whole = (start, self._reader.place)
        return is_there

    def _block(self, mark: str, *, only_anywhere: bool = True) -> Waiting[bool]:
        start, first = self._reader.place, self._n_calls
        is_there = yield from super()._block(mark, only_anywhere=only_anywhere)
        for number in range(first, self._n_calls):
            place = self._places[number]
            place.section = place.section or (start, self._reader.place)
        return is_there
