"""Parts in any order, as a Lark grammar can say it: all orders, written out."""

from __future__ import annotations

from llamanb.chat_layer.syntax.lowered import (
    Lowered,
    LoweredChoice,
    LoweredRepeat,
    LoweredRule,
    LoweredSequence,
)

__all__ = ["all_orders"]

MAX_FREE = 4  # parts that may change places


def all_orders(items: tuple[Lowered, ...]) -> Lowered:
    """Give ``items`` in all orders that are not too many; a repetition need not be there.

    With more than ``MAX_FREE`` items optional ones may come between any others, even
    twice; with more needed items than that, those keep their order.
    """
    if len(items) < 2:
        return LoweredSequence(items)
    optional = tuple(_rule(one.child) for one in items if isinstance(one, LoweredRepeat))
    needed = tuple(_rule(one) for one in items if not isinstance(one, LoweredRepeat))
    if len(items) <= MAX_FREE:
        return _left(needed, optional, ())
    more = LoweredRepeat(LoweredRule("optional", LoweredChoice(optional)), 0, len(optional))
    gap = (more,) if optional else ()
    if len(needed) <= MAX_FREE:
        return LoweredSequence((*gap, _left(needed, (), gap)))
    return LoweredSequence((*gap, *(part for one in needed for part in (one, *gap))))


def _rule(item: Lowered) -> LoweredRule:
    return LoweredRule("argument", item)


def _left(
    needed: tuple[Lowered, ...], optional: tuple[Lowered, ...], gap: tuple[Lowered, ...]
) -> Lowered:
    """Give all orders of these parts, with ``gap`` after each."""
    parts = (*needed, *optional)

    def ways(places: frozenset[int]) -> Lowered:
        return LoweredChoice(tuple(way(place, places - {place}) for place in sorted(places)))

    def way(place: int, others: frozenset[int]) -> Lowered:
        return LoweredSequence((parts[place], *gap, *left(others)))

    def left(places: frozenset[int]) -> tuple[Lowered, ...]:
        if not places:
            return ()
        is_enough = all(place >= len(needed) for place in places)
        return (LoweredRepeat(ways(places), 0, 1) if is_enough else ways(places),)

    return LoweredSequence(left(frozenset(range(len(parts)))))
