"""Writes random outputs of a description, with what they must be read as.

Made for tests: an example is in the language of the written grammars, and the
parser gives back what the example says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, assert_never

from llamanb.chat_layer.prompt import ChatMessage, ToolCall
from llamanb.chat_layer.syntax.calls import argument_json
from llamanb.chat_layer.syntax.elements import (
    Ahead,
    AnyOrder,
    Choice,
    Drift,
    Element,
    Json,
    Literal,
    Matching,
    Object,
    Repeat,
    Rule,
    Schema,
    Sequence,
    Tag,
    Token,
    Tree,
    Until,
    Value,
)
from llamanb.chat_layer.syntax.example_values import any_text, json_value
from llamanb.chat_layer.syntax.trees import closing_tag, tree_json, tree_text
from llamanb.chat_layer.syntax.value_grammar import value_text

if TYPE_CHECKING:
    import random

    from llamanb.chat_layer.syntax.description import Description
    from llamanb.chat_layer.syntax.notation import Notation

__all__ = ["Example", "write_example"]

MAX_MORE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An output, and the message that it is. A call without an id has ``""``."""

    text: str
    message: ChatMessage


@dataclass(slots=True)
class _Call:
    name: str = ""
    id: str = ""
    arguments: str = ""
    argument_name: str = ""
    members: list[str] = field(default_factory=list)


def write_example(description: Description, rng: random.Random) -> Example:
    """Write one output of ``description``, chosen by ``rng``."""
    writer = _Writer(rng, description)
    text = writer.write(description.output)
    calls = tuple(
        ToolCall(id=call.id, name=call.name, arguments=call.arguments or "{}")
        for call in writer.calls
    )
    message = ChatMessage(
        content="".join(writer.said["content"]),
        reasoning_content="".join(writer.said["reasoning"]),
        tool_calls=calls,
    )
    return Example(text=text, message=message)


class _Writer:
    """Walks through a description and notes what each part means. Used once."""

    def __init__(self, rng: random.Random, description: Description) -> None:
        self._rng = rng
        self._forbidden = description.forbidden
        self.calls: list[_Call] = []
        self.said: dict[str, list[str]] = {"content": [], "reasoning": []}

    def write(self, element: Element) -> str:
        match element:
            case Literal(text) | Token(text):
                return text
            case Rule(_, child):
                return self.write(child)
            case Tag():
                return self._tagged(element)
            case Object() | Repeat() | Sequence() | Choice() | AnyOrder():
                return self._compound(element)
            case Until() | Json() | Schema() | Value():
                return self._value(element)
            case Ahead() | Drift() | Tree() | Matching():
                return ""  # texts of a pattern are not made
            case _:
                assert_never(element)

    def _compound(self, element: Object | Repeat | Sequence | Choice | AnyOrder) -> str:
        if isinstance(element, Choice):
            written = [item for item in element.items if not isinstance(item, Drift)]
            return self.write(self._rng.choice(written))
        if isinstance(element, Sequence | AnyOrder):
            return "".join([self.write(item) for item in element.items])
        if isinstance(element, Repeat):
            most = element.min + MAX_MORE if element.max is None else element.max
            return "".join(
                [self.write(element.child) for _ in range(self._rng.randint(element.min, most))]
            )
        members = [
            one for one in element.members if not one.is_optional or self._rng.random() < 0.5
        ]
        layout = element.layout
        texts = [f'"{one.key}"{layout.colon}{self.write(one.value)}' for one in members]
        return layout.opening + layout.comma.join(texts) + layout.closing

    def _value(self, element: Until | Json | Schema | Value) -> str:
        match element:
            case Until(delimiters, least, most):
                forbidden = (*delimiters, *self._forbidden)
                return any_text(self._rng, forbidden, least=least, most=most)
            case Json():
                return json.dumps(json_value(self._rng, {}), ensure_ascii=False)
            case Schema(schema):
                return json.dumps(json_value(self._rng, schema), ensure_ascii=False)
            case Value(schema, notation):
                return self._noted_value(json_value(self._rng, schema), notation)

    def _noted_value(self, value: Any, notation: Notation) -> str:
        """Write ``value`` in ``notation``; its JSON is a call's arguments."""
        value = _sorted(value) if notation.sorts_keys else value
        self.calls[-1].arguments = json.dumps(value, ensure_ascii=False)
        return value_text(value, notation, self._rng.choice(notation.quotes))

    def _tagged(self, tag: Tag) -> str:
        if tag.kind == "tool_call":
            self.calls.append(_Call())
        if tag.kind in self.said:
            text = self._spoken(tag)
            self.said[tag.kind].append(text)
            return text
        if isinstance(tag.child, Tree):
            return self._tree(tag.child)
        text = (
            self._argument_value(tag) if tag.kind.startswith("argument_") else self.write(tag.child)
        )
        self._note(tag, text)
        return text

    def _spoken(self, tag: Tag) -> str:
        if isinstance(tag.child, Json | Schema):
            return self._value(tag.child)
        delimiters = tag.child.delimiters if isinstance(tag.child, Until) else ()
        forbidden = (*delimiters, *tag.ends, *self._forbidden)
        return any_text(self._rng, forbidden, is_spoken=True)

    def _argument_value(self, tag: Tag) -> str:
        if isinstance(tag.child, Until) and tag.kind != "argument_name":
            forbidden = (*tag.child.delimiters, *tag.ends)
            return any_text(self._rng, forbidden, least=tag.child.least, most=tag.child.most)
        return self.write(tag.child)

    def _tree(self, tree: Tree) -> str:
        text = tree_text(json_value(self._rng, tree.schema), tree.marker)
        call = self.calls[-1]
        call.members.append(
            f"{json.dumps(call.argument_name, ensure_ascii=False)}: {tree_json(text, tree)}"
        )
        return text + self.write(closing_tag(tree))

    def _note(self, tag: Tag, text: str) -> None:
        call = self.calls[-1]
        is_json = isinstance(tag.child, Schema)
        match tag.kind:
            case "tool_name":
                call.name = json.loads(text) if is_json else text
            case "tool_id":
                call.id = json.loads(text) if is_json else text
            case "tool_arguments":
                if isinstance(tag.child, Json | Schema):
                    call.arguments = text
                elif not isinstance(tag.child, Value):
                    call.arguments = "{" + ", ".join(call.members) + "}"
            case "argument_name":
                call.argument_name = text
            case "argument_text" | "argument_any" | "argument_json":
                value: Any = text if tag.kind == "argument_json" else _text_value(tag, text)
                call.members.append(
                    f"{json.dumps(call.argument_name, ensure_ascii=False)}: {value}"
                )
            case _:
                pass


def _sorted(value: Any) -> Any:
    """Give ``value`` with the keys of all objects in alphabetical order."""
    match value:
        case dict():
            items = sorted(value.items(), key=lambda item: str(item[0]).lower())
            return {key: _sorted(one) for key, one in items}
        case list():
            return [_sorted(one) for one in value]
    return value


def _text_value(tag: Tag, text: str) -> str:
    if tag.kind == "argument_any":
        return argument_json(text, may_be_text=True, types=tag.types)
    return json.dumps(text, ensure_ascii=False)
