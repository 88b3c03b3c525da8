"""The combinators in which a model family's output syntax is described, as values.

A description is a small parsing-expression grammar. Three readers take it: the
grammar writers (``lark``, ``gbnf``), the parser, and the example generator.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from typing import Literal as OneOf

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.notation import Notation

__all__ = [
    "Ahead",
    "AnyOrder",
    "Choice",
    "Drift",
    "Element",
    "Json",
    "Layout",
    "Literal",
    "Matching",
    "Member",
    "Object",
    "Repeat",
    "Rule",
    "Schema",
    "Sequence",
    "Tag",
    "TagKind",
    "Token",
    "Tree",
    "Until",
    "Value",
    "optional",
    "sequence",
]

TagKind = OneOf[
    "reasoning",
    "content",
    "tool_call",
    "tool_name",
    "tool_arguments",
    "tool_id",
    "argument_name",
    "argument_text",
    "argument_json",
    "argument_any",
]


@dataclass(frozen=True, slots=True)
class Literal:
    """Just this text. The parser lets the white space at its edges vary."""

    text: str


@dataclass(frozen=True, slots=True)
class Token:
    """A marker that is one special token where the vocabulary has it, else plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other."""

    items: tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The first that matches."""

    items: tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class AnyOrder:
    """Each of ``items`` once, in any order; a ``Repeat`` among them need not be there.

    Examples keep the order, and so does GBNF; Lark leaves some out where they are many.
    """

    items: tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """``child`` from ``min`` to ``max`` times; ``max`` None is without limit."""

    child: Element
    min: int = 0
    max: int | None = None


@dataclass(frozen=True, slots=True)
class Until:
    """Any text that contains none of the delimiters, of ``least`` to ``most`` characters.

    Only Lark grammars and the examples keep to the length.
    """

    delimiters: tuple[str, ...]
    least: int = 0
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Matching:
    """Text that a regular expression matches as a whole."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Json:
    """Any JSON value."""


@dataclass(frozen=True, slots=True)
class Schema:
    """A JSON value that this JSON Schema allows."""

    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Value:
    """A value that this JSON Schema allows, written in another notation than JSON's."""

    schema: dict[str, Any]
    notation: Notation


@dataclass(frozen=True, slots=True)
class Tree:
    """A value whose members stand between tags, with the closing tag of ``name`` after it.

    ``marker`` stands before each tag; the name "" is any name.
    """

    schema: dict[str, Any]
    marker: str
    name: str


@dataclass(frozen=True, slots=True)
class Ahead:
    """Nothing; but the parser goes on only if one of ``texts`` follows, after white space."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """An item of a ``Choice`` that models write at times and should not.

    The parser takes it, the written grammars and the examples leave it out.
    """

    child: Element


@dataclass(frozen=True, slots=True)
class Rule:
    """A name for ``child``, which the written grammars show."""

    name: str
    child: Element


@dataclass(frozen=True, slots=True)
class Tag:
    """What the text of ``child`` means.

    ``tool_call`` surrounds one call. ``argument_text`` is raw text that becomes a
    JSON string, ``argument_json`` is JSON, ``argument_any`` JSON if it reads as a
    value of one of the ``types`` (JSON Schema's names; none given: of any), else a
    string.

    A name or an id may be made of several elements, of which one may be a tag, too.

    ``word`` is a name that the text does not say: the tool's, or that of the only
    argument, which then is the child of ``tool_arguments``.

    ``ends`` and ``spare`` are for the parser, which is more lenient than the grammar: an
    argument's text goes to the first of ``ends``, and ``tool_arguments`` may hold
    any number of ``spare``, too.
    """

    kind: TagKind
    child: Element
    ends: tuple[str, ...] = ()
    spare: Element | None = None
    types: tuple[str, ...] = ()
    word: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an ``Object``."""

    key: str
    value: Element
    is_optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The texts of an object before, between and after its members, and after keys."""

    opening: str = "{"
    comma: str = ", "
    colon: str = ": "
    closing: str = "}"


@dataclass(frozen=True, slots=True)
class Object:
    """A JSON object of these members in this order, which describes one tool call.

    The parser takes the members in any order, and knows the usual wrappers
    (``"type": "function"``, ``"function": {…}``). ``is_bare`` says that nothing
    around it marks it as a call: only the name of a known tool does.
    """

    members: tuple[Member, ...]
    is_bare: bool = False
    layout: Layout = field(default_factory=Layout)


Element = (
    Literal
    | Token
    | Sequence
    | Choice
    | AnyOrder
    | Repeat
    | Until
    | Matching
    | Json
    | Schema
    | Value
    | Tree
    | Ahead
    | Drift
    | Rule
    | Tag
    | Object
)


def sequence(*items: Element) -> Element:
    """Give the items one after the other, without needless nesting."""
    flat: list[Element] = []
    for item in items:
        flat.extend(item.items if isinstance(item, Sequence) else (item,))
    return flat[0] if len(flat) == 1 else Sequence(tuple(flat))


def optional(child: Element) -> Repeat:
    """Give ``child``, or nothing."""
    return Repeat(child, 0, 1)
