"""Values whose members stand between tags of their own, each after the same marker.

``{"tags": ["a"]}`` is ``*<tags>*<item>a*</item>*</tags>`` with the marker ``*``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.syntax.arguments import (
    Kind,
    json_of,
    kinds_of,
    standalone,
    words_of,
)
from llamanb.chat_layer.syntax.calls import argument_json
from llamanb.chat_layer.syntax.elements import (
    Choice,
    Element,
    Literal,
    Repeat,
    Sequence,
    Token,
    Tree,
    Until,
    optional,
    sequence,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ANY_NAME", "closing_tag", "tree_element", "tree_json", "tree_text"]

ITEM = "item"
MAX_DEPTH = 5  # below it only members that must be there
MIN_DEPTH = -20
MAX_READ_DEPTH = 100
_EMPTY = Literal("")
ANY_NAME = Until((">", "/"))
_ANY_CLOSING = Sequence((Literal("</"), ANY_NAME, Literal(">")))


def tree_text(value: Any, marker: str) -> str:
    """Write ``value``; members that are null are left out."""
    match value:
        case dict():
            pairs = [(key, one) for key, one in value.items() if one is not None]
        case list():
            pairs = [(ITEM, one) for one in value]
        case _:
            return value if isinstance(value, str) else json.dumps(value)
    return "".join(f"{marker}<{key}>{tree_text(one, marker)}{marker}</{key}>" for key, one in pairs)


def tree_element(tree: Tree) -> Element:
    """Give the texts of the values of a tree, each with the closing tag after it."""
    return _closed(tree.name, tree.schema, tree.marker, MAX_DEPTH)


def closing_tag(tree: Tree) -> Element:
    """Give the tag that ends the value."""
    named: Element = Literal(f"</{tree.name}>")
    return sequence(Token(tree.marker), named if tree.name else _ANY_CLOSING)


def _closed(name: str, schema: dict[str, Any], marker: str, depth: int) -> Element:
    kinds = kinds_of(schema)
    names = {kind.name for kind in kinds}
    if _has_free_text(kinds) and names & {"object", "array"}:
        return _anything(name, marker, depth)
    end = closing_tag(Tree(schema, marker, name))
    ways = tuple(sequence(one, end) for one in _ways(schema, marker, depth))
    return ways[0] if len(ways) == 1 else Choice(ways)


def _has_free_text(kinds: tuple[Kind, ...]) -> bool:
    return any(kind.name == "string" and words_of(kind) is None for kind in kinds)


def _anything(name: str, marker: str, depth: int) -> Element:
    """Give text or members of any names, with the closing tag.

    Text may stand between the members, too: a reader of the grammar need not know
    at the first marker which of both comes.
    """
    text = (Until((marker,)), Token(marker))
    begin = (Literal("<"), ANY_NAME, Literal(">"))
    inner = sequence(*begin, _anything("", marker, depth - 1), *text) if depth > 0 else _EMPTY
    end: Element = Literal(f"</{name}>") if name else _ANY_CLOSING
    return sequence(*text, *((Repeat(inner),) if depth > 0 else ()), end)


def _ways(schema: dict[str, Any], marker: str, depth: int) -> Iterator[Element]:
    kinds = kinds_of(schema)
    is_free = _has_free_text(kinds)
    for kind in kinds:
        if kind.name == "string":
            yield words_of(kind) or Until((marker,))
        elif kind.name in {"object", "array"}:
            yield from (_nested(one, schema, marker, depth) for one in kind.schemas)
        elif not is_free:  # else any text is allowed, and numbers are texts
            yield json_of([kind], schema)


def _nested(one: dict[str, Any], root: dict[str, Any], marker: str, depth: int) -> Element:
    if "enum" in one:
        return Literal(tree_text(one["enum"][0], marker))
    if one["type"] == "array":
        return _items(one, root, marker, depth)
    if not one.get("properties"):
        is_open = depth > 0 and one.get("additionalProperties") is not False
        return Repeat(_member("", {}, marker, depth - 1)) if is_open else _EMPTY
    return _members(one, root, marker, depth)


def _items(one: dict[str, Any], root: dict[str, Any], marker: str, depth: int) -> Element:
    if depth <= 0:
        return _EMPTY
    member = _member(ITEM, standalone(one.get("items", {}), root), marker, depth - 1)
    return Repeat(member, int(one.get("minItems", 0)), one.get("maxItems"))


def _members(one: dict[str, Any], root: dict[str, Any], marker: str, depth: int) -> Element:
    required = one.get("required") or ()
    members = (
        (name in required, _member(name, standalone(schema, root), marker, depth - 1))
        for name, schema in one["properties"].items()
        if depth > (MIN_DEPTH if name in required else 0)
    )
    return Sequence(tuple(item if needed else optional(item) for needed, item in members))


def _member(name: str, schema: dict[str, Any], marker: str, depth: int) -> Element:
    """Give one member between its tags; "" stands for any name."""
    named: Element = Literal(name) if name else ANY_NAME
    begin = (Token(marker), Literal("<"), named, Literal(">"))
    return sequence(*begin, _closed(name, schema, marker, depth))


@dataclass(slots=True)
class _Node:
    """One value that has been read: its text, or its members."""

    name: str = ""
    texts: list[str] = field(default_factory=list)
    members: list[_Node] = field(default_factory=list)


def tree_json(raw: str, tree: Tree) -> str:
    """Give the JSON of a value; what is no tree becomes a string, as it is."""
    root = _read(raw, tree.marker)
    found = None if root is None else _json(root, tree.schema)
    return json.dumps(raw, ensure_ascii=False) if found is None else found


def _read(raw: str, marker: str) -> _Node | None:
    root = _Node()
    open_nodes = [root]
    parts = re.split(f"{re.escape(marker)}<(/?)([^>]*)>", raw)
    for text, slash, name in zip(parts[::3], [*parts[1::3], ""], [*parts[2::3], ""], strict=True):
        open_nodes[-1].texts.append(text)
        if slash:
            open_nodes.pop()
        elif name:
            node = _Node(name)
            open_nodes[-1].members.append(node)
            open_nodes.append(node)
        if not 0 < len(open_nodes) <= MAX_READ_DEPTH:
            return None
    return root


def _json(node: _Node, schema: dict[str, Any]) -> str | None:
    """Give the JSON of one value, None if text stands between its members."""
    kinds = {kind.name: kind for kind in kinds_of(schema)}
    text = "".join(node.texts)
    if not node.members:
        return _scalar(text, kinds)
    if text.strip():
        return None
    if _is_array(node, kinds):
        inner = _inner(kinds.get("array"), "items", schema)
        return _joined("[]", [_json(one, inner) for one in node.members])
    properties = _inner(kinds.get("object"), "properties", {})
    return _joined(
        "{}",
        [
            _labelled(one.name, _json(one, standalone(properties.get(one.name, {}), schema)))
            for one in node.members
        ],
    )


def _scalar(text: str, kinds: dict[str, Kind]) -> str:
    if not text.strip() and "string" not in kinds and kinds.keys() & {"object", "array"}:
        return "[]" if "array" in kinds else "{}"
    if set(kinds) == {"string"}:
        return json.dumps(text, ensure_ascii=False)
    return argument_json(text, may_be_text="string" in kinds)


def _is_array(node: _Node, kinds: dict[str, Kind]) -> bool:
    are_items = all(one.name == ITEM for one in node.members)
    return are_items and ("array" in kinds or "object" not in kinds)


def _inner(kind: Kind | None, key: str, root: dict[str, Any]) -> dict[str, Any]:
    """Give what the schemas of ``kind`` say under ``key``, with the definitions of ``root``."""
    found: dict[str, Any] = {}
    for one in kind.schemas if kind else ():
        found.update(one.get(key) or {})
    return standalone(found, root) if root else found


def _labelled(name: str, value: str | None) -> str | None:
    return None if value is None else f"{json.dumps(name, ensure_ascii=False)}: {value}"


def _joined(brackets: str, parts: list[str | None]) -> str | None:
    texts = [part for part in parts if part is not None]
    if len(texts) < len(parts):
        return None
    return f"{brackets[0]}{', '.join(texts)}{brackets[1]}"
