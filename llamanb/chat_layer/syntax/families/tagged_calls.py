"""Makes the calls of a family out of the texts that stand around their parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.arguments import (
    Argument,
    Kind,
    arguments_of,
    json_of,
    kinds_of,
    words_of,
)
from llamanb.chat_layer.syntax.elements import (
    Ahead,
    AnyOrder,
    Choice,
    Drift,
    Element,
    Literal,
    Sequence,
    Tag,
    TagKind,
    Token,
    Until,
    optional,
    sequence,
)
from llamanb.chat_layer.syntax.families.family import NOTHING
from llamanb.chat_layer.syntax.schemas import lengths_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llamanb.chat_layer.syntax.description import ToolShape

__all__ = ["CallTags", "name_tag", "tagged_calls", "text_of"]

_ANY = Argument(name="", schema={}, is_required=False)
_AFTER_NAMES = tuple(" \n\t<>\"'{}()|")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTags:
    """The texts around the parts of one call.

    Attributes
    ----------
    before, named, after : before and after the tool's name, and after the last argument.
    name_ends : what may follow a name, where nothing but white space marks its end.
    argument, value, end : before an argument's name, before its value, and after that.
    typed : what replaces ``value``, for each kind of value ("": all other kinds).
    loose : what models write instead of ``value``, too.
    raw : before and after a value in which ``end`` may occur.
    """

    before: Element
    named: Element = NOTHING
    after: Element
    name_ends: tuple[str, ...] = ()
    argument: Element
    value: Element = NOTHING
    end: Element = NOTHING
    typed: tuple[tuple[str, Element], ...] = ()
    loose: tuple[Element, ...] = ()
    raw: tuple[str, str] | None = None


def tagged_calls(
    tags: CallTags, parameter: Callable[[CallTags, Argument], Element] | None = None
) -> Callable[[tuple[ToolShape, ...]], Element]:
    """Give what makes the call of any of some tools.

    ``parameter`` makes one argument, any argument if it has no name; by default
    one whose value stands as it is between two tags.
    """
    make = parameter or _parameter
    spare = make(tags, _ANY)

    def named(name: Element, arguments: tuple[Argument, ...]) -> Element:
        items = ((make(tags, one), one.is_required) for one in arguments)
        written = tuple(item if is_required else optional(item) for item, is_required in items)
        return sequence(
            Tag("tool_name", name),
            *((Ahead(tags.name_ends),) if tags.name_ends else ()),
            tags.named,
            Tag("tool_arguments", AnyOrder(written), spare=spare),
        )

    def call(tools: tuple[ToolShape, ...]) -> Element:
        known = (named(Literal(tool.name), arguments_of(tool)) for tool in tools)
        unknown = Drift(named(Until(_AFTER_NAMES), ()))
        return sequence(tags.before, Tag("tool_call", Choice((*known, unknown))), tags.after)

    return call


def _parameter(tags: CallTags, argument: Argument) -> Element:
    ways = tuple(
        sequence(
            tags.argument,
            name_tag(argument.name, before),
            before,
            _written_value(tags, kinds, argument),
        )
        for before, kinds in _openings(tags, argument)
    )
    return ways[0] if len(ways) == 1 else Choice(ways)


def name_tag(name: str, after: Element) -> Tag:
    """Give the name of an argument; "" is any name, up to what comes ``after``."""
    return Tag("argument_name", Literal(name) if name else Until((_first_mark(after),)))


def _first_mark(element: Element) -> str:
    """Give the shortest text that says that ``element`` begins."""
    first = _first(element)
    return first.text if isinstance(first, Token) else text_of(first)[:1]


def _first(element: Element) -> Element:
    return element.items[0] if isinstance(element, Sequence) else element


def text_of(element: Element, *, to_token: bool = False) -> str:
    """Give the text of literals and tokens, to the end of the first token if asked."""
    texts: list[str] = []
    for item in element.items if isinstance(element, Sequence) else (element,):
        texts += [item.text] if isinstance(item, Literal | Token) else []
        if to_token and isinstance(item, Token):
            break
    return "".join(texts)


def _openings(tags: CallTags, argument: Argument) -> Iterator[tuple[Element, tuple[Kind, ...]]]:
    """Give the texts before a value, each with the kinds of values that it stands for."""
    kinds = kinds_of(argument.schema)
    taken: set[str] = set()
    for name, before in tags.typed or (("", tags.value),):
        chosen = tuple(kind for kind in kinds if kind.name not in taken and name in {"", kind.name})
        taken |= {kind.name for kind in chosen}
        if chosen:
            yield before, chosen
    for before in () if argument.name else tags.loose:
        yield before, kinds


def _written_value(tags: CallTags, kinds: tuple[Kind, ...], argument: Argument) -> Element:
    """Give a value and what stands after it; what models need not write is drift."""
    if tags.raw is None:
        return _value(tags, kinds, argument, tags.end)
    begin, end = map(Literal, tags.raw)
    raw = sequence(begin, _value(tags, kinds, argument, sequence(end, tags.end)))
    is_free = any(kind.name == "string" and words_of(kind) is None for kind in kinds)
    plain = _value(tags, kinds, argument, tags.end, avoided=(begin.text,))
    return Choice((raw if is_free else Drift(raw), plain))


def _value(
    tags: CallTags,
    kinds: tuple[Kind, ...],
    argument: Argument,
    end: Element,
    avoided: tuple[str, ...] = (),
) -> Element:
    texts = [kind for kind in kinds if kind.name == "string"]
    limits = lengths_of(texts[0].schemas[0]) if len(kinds) == len(texts) == 1 else ()
    delimiters = (text_of(end, to_token=True), *avoided)
    kind, child = _meaning(kinds, argument, Until(delimiters, *limits))
    types = tuple(one.name for one in kinds)
    return sequence(Tag(kind, child, _value_ends(tags, end), types=types), end)


def _meaning(
    kinds: tuple[Kind, ...], argument: Argument, any_text: Element
) -> tuple[TagKind, Element]:
    """Say what the text of a value is, and which texts it may be."""
    texts = [kind for kind in kinds if kind.name == "string"]
    others = [kind for kind in kinds if kind.name != "string"]
    if not texts:
        return "argument_json", json_of(others, argument.schema)
    words = words_of(texts[0])
    if not others:
        return "argument_text", words or any_text
    json = json_of(others, argument.schema)
    return "argument_any", Choice((*words.items, json)) if words else any_text


def _value_ends(tags: CallTags, end: Element) -> tuple[str, ...]:
    """Give the exact end of a value, and what says the same where white space is missing."""
    closing = text_of(end).strip()
    following = [text_of(_first(one)).strip() for one in (tags.argument, tags.after)]
    loosely = (f"{closing}{gap}{one}" for gap in ("", "\n") for one in following if one)
    return (text_of(end, to_token=True), *loosely)
