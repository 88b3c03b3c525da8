"""Reads tool calls: JSON objects with their members in any order, and tagged arguments."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.calls import OpenCall, argument_json, json_text
from llamanb.chat_layer.syntax.elements import Element, Literal, Object, Schema
from llamanb.chat_layer.syntax.walk import tags_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.chat_layer.syntax.attempts import Attempts
    from llamanb.chat_layer.syntax.reader import Sink, Waiting

__all__ = ["CapturedCall", "ObjectReader", "ObjectShape", "TaggedArguments", "object_shape"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectShape:
    """What is known of the objects that one place may hold."""

    name_keys: frozenset[str]
    arguments_keys: frozenset[str]
    id_keys: frozenset[str]
    names: frozenset[str]
    is_bare: bool
    has_id: bool


def object_shape(objects: tuple[Object, ...]) -> ObjectShape:
    """Give what ``objects`` have in common, and the spellings that models drift to."""
    keys: dict[str, set[str]] = {"tool_name": {"name"}, "tool_id": {"id"}}
    keys["tool_arguments"] = {"arguments", "parameters"}
    names: set[str] = set()
    has_id = False
    for member in (member for one in objects for member in one.members):
        for tag in tags_in(member.value):
            keys.setdefault(tag.kind, set()).add(member.key)
            has_id = has_id or tag.kind == "tool_id"
            names.update([_constant(tag.child)] if tag.kind == "tool_name" else [])
    return ObjectShape(
        name_keys=frozenset(keys["tool_name"]),
        arguments_keys=frozenset(keys["tool_arguments"]),
        id_keys=frozenset(keys["tool_id"]),
        names=frozenset(names),
        is_bare=any(one.is_bare for one in objects),
        has_id=has_id,
    )


def _constant(element: Element) -> str:
    match element:
        case Schema(schema):
            return str(schema.get("const", ""))
        case Literal(text):
            return _decoded(text)
    return ""


def _decoded(raw: str) -> str:
    """Give the text of a JSON string; what is none stays as it is."""
    try:
        value = json.loads(raw, strict=False)
    except (ValueError, RecursionError):
        return raw.strip("\"'")
    return value if isinstance(value, str) else raw


class ObjectReader:
    """Reads one object into ``call``. Used once."""

    def __init__(
        self,
        attempts: Attempts,
        shape: ObjectShape,
        call: OpenCall,
        make_id: Callable[[], str],
    ) -> None:
        self._attempts = attempts
        self._reader = attempts.reader
        self._shape = shape
        self._call = call
        self._make_id = make_id
        self._expected = shape.name_keys | shape.id_keys | {"function", "type"}
        self._depth = 0
        self._arguments_read = False
        self._is_sure = False

    def read(self) -> Waiting[bool]:
        """Pass the object; False if it is no call, or ends before it is one."""
        yield from self._reader.spaces()
        if (yield from self._reader.peek()) != "{":
            return False
        self._reader.take()
        self._depth = 1
        while self._depth:
            if not (yield from self._step()):
                break
        if self._depth and not self._arguments_read:
            self._call.is_cut = self._reader.is_at_end
            return self._is_sure or self._call.is_started
        return self._conclude()

    def _conclude(self) -> bool:
        if not self._call.name:
            return False
        self._start()
        return True

    def _start(self) -> None:
        self._call.start(self._make_id)
        self._attempts.commit()

    def _step(self) -> Waiting[bool]:
        """Read a comma, a brace or a member; False if it is none of these."""
        yield from self._reader.spaces()
        mark = yield from self._reader.peek()
        if mark in {",", "}"}:
            self._reader.take()
            self._depth -= mark == "}"
            return True
        if mark != '"':
            return False
        with self._attempts.held() as start:
            key = _decoded((yield from self._captured()))
            yield from self._reader.spaces()
            if (yield from self._reader.peek()) != ":":
                return self._left_over(start)
            self._reader.take()
            yield from self._reader.spaces()
            if key not in self._shape.arguments_keys or self._arguments_read:
                return (yield from self._member(key, start))
        return (yield from self._arguments())

    def _captured(self) -> Waiting[str]:
        parts: list[str] = []
        yield from self._reader.json_value(parts.append)
        return "".join(parts)

    def _member(self, key: str, start: int) -> Waiting[bool]:
        shape, call = self._shape, self._call
        first = yield from self._reader.peek()
        if key == "function" and first == "{":
            self._reader.take()
            self._depth += 1
            return True
        if shape.is_bare and not call.is_started and key not in self._expected:
            return False
        raw = yield from self._captured()
        if self._reader.is_at_end or not self._note(key, raw):
            return self._left_over(start)
        return not shape.is_bare or not call.name or call.name in shape.names

    def _note(self, key: str, raw: str) -> bool:
        """Take a name, an id or a type; False if ``raw`` is none of these."""
        shape, call = self._shape, self._call
        if key in shape.name_keys | {"function"} and not call.name and raw[:1] == '"':
            call.name = _decoded(raw)
            return bool(call.name)
        if key in shape.id_keys and not call.id and raw[:1] == '"':
            call.id = _decoded(raw)
            return True
        return (key, raw) == ("type", '"function"')

    def _left_over(self, start: int) -> bool:
        """Keep a member that belongs to no call: it is content then."""
        if self._shape.is_bare and not self._call.is_started:
            return False
        self._call.leftover.append(self._reader.between(start, self._reader.place))
        return not self._reader.is_at_end

    def _arguments(self) -> Waiting[bool]:
        """Read the arguments; they are said at once if the call is known by now."""
        if self._call.name and (self._call.id or not self._shape.has_id):
            self._start()
        elif self._call.name and not self._shape.is_bare:
            self._is_sure = True  # a call, of which only the id is not known yet
            self._attempts.commit()
        if (yield from self._reader.peek()) == '"':
            text = yield from self._captured()
            self._call.write(_object_in(text))
            self._arguments_read = not self._reader.is_at_end
            return self._arguments_read
        self._arguments_read = yield from self._reader.json_value(self._call.write)
        return self._arguments_read


def _object_in(raw: str) -> str:
    """Give the object that a JSON string holds; any other string stays as it is."""
    inner = _decoded(raw)
    try:
        return inner if isinstance(json.loads(inner), dict) else raw
    except (ValueError, RecursionError):
        return raw


class TaggedArguments:
    """Makes one JSON object of arguments that a model wrote between tags."""

    def __init__(self, write: Sink) -> None:
        self._write = write
        self._n_written = 0
        self._raw: list[str] = []
        self._kind = "argument_any"
        self._types: tuple[str, ...] = ()
        self.convert: Callable[[str], str] | None = None

    def begin(self, name: str, kind: str, types: tuple[str, ...] = ()) -> None:
        """Begin the argument ``name``; text goes out as it comes, the rest at its end."""
        self._kind, self._types, self._raw, self.convert = kind, types, [], None
        opening = ", " if self._n_written else "{"
        self._n_written += 1
        quote = '"' if kind == "argument_text" else ""
        self._write(f"{opening}{json.dumps(name, ensure_ascii=False)}: {quote}")

    def add(self, text: str) -> None:
        """Append to the value."""
        if self._kind == "argument_text":
            self._write(json_text(text))
        else:
            self._raw.append(text)

    def end(self) -> None:
        """End the value."""
        if self._kind == "argument_text":
            self._write('"')
        else:
            text = "".join(self._raw)
            self._write(self.convert(text) if self.convert else self._json(text))

    def _json(self, text: str) -> str:
        may_be_text = self._kind == "argument_any"
        return argument_json(text, may_be_text=may_be_text, types=self._types)

    def give_up(self) -> None:
        """Write a value that is cut, as it is."""
        if self._kind != "argument_text":
            self._write("".join(self._raw))

    def close(self) -> None:
        """End the object."""
        self._write("}" if self._n_written else "{}")


@dataclass(slots=True)
class CapturedCall:
    """Where the texts of tags go while a call is read."""

    call: OpenCall
    arguments: TaggedArguments
    argument_name: str = ""
