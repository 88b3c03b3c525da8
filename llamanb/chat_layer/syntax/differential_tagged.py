"""Reads the texts around each argument, where arguments are written one by one."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.syntax.differential_calls import KEY, TEXT, shown_calls, with_index
from llamanb.chat_layer.syntax.differential_shown import NAMES
from llamanb.chat_layer.syntax.differential_texts import INDEX, shared_start

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.differential_calls import Shown
    from llamanb.chat_layer.syntax.differential_shown import Past
    from llamanb.chat_layer.syntax.differential_texts import Frame

__all__ = ["TaggedCalls", "read_tagged_calls"]

OTHER_KEY, PLAIN = "qZotherkeyZq", "qZplainZq"
_VALUES: dict[str, tuple[Any, ...]] = {
    "number": (8675309, -3.25),
    "boolean": (True, False),
    "null": (None,),
    "array": ([8675309, "qZ"],),
    "object": ({"qZinnerZq": [8675309]},),
}
_MARKUP = re.compile(r"[<\[|]")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedCalls:
    """Calls that write each argument by itself: the texts around its parts.

    Attributes
    ----------
    named, named_alone : after the tool's name, with arguments and without.
    argument, end : before an argument's name, and after its value.
    value : between name and value of a text.
    typed : the same for each other kind of value.
    after : after the last argument.
    raw : what else stands around a text that holds markup.
    is_json : whether texts are written as JSON, too.
    """

    named: str
    named_alone: str
    argument: str
    value: str
    end: str
    after: str
    typed: tuple[tuple[str, str], ...]
    raw: tuple[str, str]
    is_json: bool


@dataclass(frozen=True, slots=True)
class _Single:
    """One call with one argument, cut at the argument's name and value."""

    named: str
    value: str
    text: str
    tail: str


def read_tagged_calls(past: Past) -> tuple[Frame, TaggedCalls] | None:
    """Read calls with tagged arguments."""
    shown = shown_calls(past, {KEY: PLAIN})
    single = None if shown is None else _single(past)
    if shown is None or single is None:
        return None
    ends = [shown.text.find(single.text, place) + len(single.text) for place in shown.places]
    if ends != sorted({*ends}) or ends[0] < shown.places[0]:
        return None
    frame = shown.frame(tuple(zip(shown.places, ends, strict=True)))
    cut, raw, typed = _cut(past, single, frame.suffix), _raw(past, single), _typed(past, single)
    named = None if cut is None else _numbered(shown, cut[0])
    if cut is None or raw is None or typed is None or named is None:
        return None
    after = frame.suffix[len(cut[2]) :]
    alone = _named_alone(past, after)
    return frame, TaggedCalls(
        named=named,
        named_alone=named if alone in {"", cut[0]} else alone,
        argument=cut[1],
        value=single.value,
        end=cut[2],
        after=after,
        typed=typed,
        raw=raw,
        is_json=single.text != PLAIN,
    )


def _single(past: Past) -> _Single | None:
    """Render one call with one argument, a plain text."""
    named, found, rest = past.shows({KEY: PLAIN}).partition(NAMES[0])[2].partition(KEY)
    text = next((one for one in (json.dumps(PLAIN), PLAIN) if one in rest), "")
    value, _, tail = rest.partition(text or "\0")
    is_whole = found and text and KEY not in rest
    return _Single(named, value, text, tail) if is_whole else None


def _named_alone(past: Past, after: str) -> str:
    """Give what follows the name of a call without arguments."""
    alone = past.shows({}).partition(NAMES[0])[2]
    spaces = len(after) - len(after.lstrip())
    return alone[: max(alone.find(after.strip()) - spaces, 0)] if after.strip() else ""


def _numbered(shown: Shown, named: str) -> str | None:
    """Give ``named`` with ``INDEX`` for the call's number, if it holds that."""
    begins = (place + len(name) for name, place in zip(shown.names, shown.places, strict=True))
    texts = [shown.text[begin:].partition(KEY)[0] for begin in begins]
    common = with_index(texts)
    if common is None or common == texts[0]:
        return common and named
    numbered = common[: len(common) - len(texts[0]) + len(named)]
    return numbered if INDEX in numbered else None


def _cut(past: Past, single: _Single, suffix: str) -> tuple[str, str, str] | None:
    """Give the texts after the tool's name, before an argument and after its value.

    ``suffix``, what follows the last argument, begins with the last of these.
    """
    both = past.shows({KEY: PLAIN, OTHER_KEY: PLAIN})
    between = both.partition(single.text)[2].partition(OTHER_KEY)[0]
    end = between[: shared_start(between, suffix)]
    for size in (len(end), len(end.rstrip())):
        argument = between[size:]
        if _MARKUP.search(end[:size]) and argument and single.named.endswith(argument):
            return single.named.removesuffix(argument), argument, between[:size]
    return None


def _raw(past: Past, single: _Single) -> tuple[str, str] | None:
    """Give what else stands around a text that holds markup; None if that is not there."""
    text = TEXT if single.text == PLAIN else json.dumps(TEXT, ensure_ascii=False)
    rest = past.shows({KEY: TEXT}).partition(KEY)[2]
    before, found, after = rest.partition(text)
    if not found or not before.startswith(single.value) or not after.endswith(single.tail):
        return None
    return before.removeprefix(single.value), after.removesuffix(single.tail)


def _typed(past: Past, single: _Single) -> tuple[tuple[str, str], ...] | None:
    """Give what stands before each kind of value; None if one is not written as such."""
    found: list[tuple[str, str]] = []
    for kind, values in _VALUES.items():
        befores = {_before(past, single, value) for value in values}
        before = befores.pop()
        if befores or before is None:
            return None
        found.append((kind, before))
    return tuple(found)


def _before(past: Past, single: _Single, value: Any) -> str | None:
    rest = past.shows({KEY: value}).partition(KEY)[2]
    if not rest.endswith(single.tail):
        return None
    rest = rest.removesuffix(single.tail)
    for written in (json.dumps(value, ensure_ascii=False), str(value)):
        if rest.endswith(written):
            return rest.removesuffix(written)
    return None
