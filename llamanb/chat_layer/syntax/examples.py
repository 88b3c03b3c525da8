"""Writes random outputs of a description, with what they must be read as.

Made for tests: an example is in the language of the written grammars, and the
parser gives back what the example says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, assert_never

from llamanb.chat_layer.prompt import ChatMessage, ToolCall
from llamanb.chat_layer.syntax.elements import (
    Atomic,
    Choice,
    Element,
    Json,
    Literal,
    Object,
    Repeat,
    Rule,
    Schema,
    Sequence,
    Tag,
    Token,
    Until,
)
from llamanb.chat_layer.syntax.example_values import any_text, json_value

if TYPE_CHECKING:
    import random

    from llamanb.chat_layer.syntax.description import Description

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
            case Choice(items):
                return self.write(self._rng.choice(items))
            case Rule(_, child) | Atomic(child):
                return self.write(child)
            case Tag():
                return self._tagged(element)
            case Object() | Repeat() | Sequence():
                return self._compound(element)
            case Until() | Json() | Schema():
                return self._value(element)
            case _:
                assert_never(element)

    def _compound(self, element: Object | Repeat | Sequence) -> str:
        if isinstance(element, Sequence):
            return "".join([self.write(item) for item in element.items])
        if isinstance(element, Repeat):
            most = element.min + MAX_MORE if element.max is None else element.max
            return "".join(
                [self.write(element.child) for _ in range(self._rng.randint(element.min, most))]
            )
        members = [
            one for one in element.members if not one.is_optional or self._rng.random() < 0.5
        ]
        return "{" + ", ".join([f'"{one.key}": {self.write(one.value)}' for one in members]) + "}"

    def _value(self, element: Until | Json | Schema) -> str:
        match element:
            case Until(delimiters):
                return any_text(self._rng, (*delimiters, *self._forbidden))
            case Json():
                return json.dumps(json_value(self._rng, {}), ensure_ascii=False)
            case Schema(schema):
                return json.dumps(json_value(self._rng, schema), ensure_ascii=False)

    def _tagged(self, tag: Tag) -> str:
        if tag.kind == "tool_call":
            self.calls.append(_Call())
        if tag.kind in self.said:
            text = self._spoken(tag)
            self.said[tag.kind].append(text)
            return text
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
            return any_text(self._rng, (*tag.child.delimiters, *tag.ends))
        return self.write(tag.child)

    def _note(self, tag: Tag, text: str) -> None:
        call = self.calls[-1]
        is_json = isinstance(tag.child, Schema)
        match tag.kind:
            case "tool_name":
                call.name = json.loads(text) if is_json else text
            case "tool_id":
                call.id = json.loads(text) if is_json else text
            case "tool_arguments":
                is_tagged = not isinstance(tag.child, Json | Schema)
                call.arguments = "{" + ", ".join(call.members) + "}" if is_tagged else text
            case "argument_name":
                call.argument_name = text
            case "argument_text" | "argument_any" | "argument_json":
                value: Any = text if tag.kind == "argument_json" else _text_value(tag, text)
                call.members.append(
                    f"{json.dumps(call.argument_name, ensure_ascii=False)}: {value}"
                )
            case _:
                pass


def _text_value(tag: Tag, text: str) -> str:
    if tag.kind == "argument_any":
        try:
            json.loads(text.strip())
        except ValueError:
            pass
        else:
            return text.strip()
    return json.dumps(text, ensure_ascii=False)
