"""Reads a model's output by its description, as it comes, and loses none of it.

The grammar is strict, this reader lenient: what it can still understand is a
call, and what it cannot is content, word for word.
"""

from __future__ import annotations

import secrets
import string
from functools import partial
from typing import TYPE_CHECKING, assert_never

from llamanb.chat_layer.events import ChatEvent, ReasoningDelta, TextDelta
from llamanb.chat_layer.syntax.attempts import Attempts
from llamanb.chat_layer.syntax.call_reader import (
    CapturedCall,
    ObjectReader,
    TaggedArguments,
    object_shape,
)
from llamanb.chat_layer.syntax.calls import OpenCall
from llamanb.chat_layer.syntax.deltas import joined
from llamanb.chat_layer.syntax.description import openers
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
from llamanb.chat_layer.syntax.musings import Musing, read_musing
from llamanb.chat_layer.syntax.reader import Marks, marks_of
from llamanb.chat_layer.syntax.spoken import Spoken
from llamanb.chat_layer.syntax.trees import closing_tag, tree_json
from llamanb.chat_layer.syntax.value_reader import ValueReader
from llamanb.chat_layer.syntax.walk import delimiters_of, parameters_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.chat_layer.syntax.description import Description
    from llamanb.chat_layer.syntax.reader import Sink, Waiting

__all__ = ["SyntaxParser"]

MAX_LEADING_SPACES = 1024
ID_CHARS = 9  # what Mistral's templates ask for; every other template takes any


def _new_id() -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(ID_CHARS))


class SyntaxParser:
    """Gives the events of one output.

    Stages: ``feed`` every piece as it comes → ``finish`` once at the end. Whatever
    way the text is cut, the deltas join to the same message, and each character
    costs a bounded number of steps. A call that the end of the text cuts off has
    no ``ToolCallEnd``.
    """

    def __init__(
        self, description: Description, *, make_id: Callable[[], str] | None = None
    ) -> None:
        self._make_id = make_id or _new_id
        self._opened = description.opened
        self._blocks = [(block, openers(block.element)) for block in description.blocks]
        self._marks: dict[tuple[str, ...], Marks] = {}
        self._attempts = Attempts()
        self._reader = self._attempts.reader
        self._content = Spoken(self._say_text)
        self._reasoning = Spoken(self._say_reasoning)
        self._captured: CapturedCall | None = None
        self._n_calls = 0
        self._may_muse = description.thinks_of_calls
        self._is_reasoning = description.opened is not None
        self._output = self._whole()

    @property
    def is_reasoning(self) -> bool:
        """Whether the text read so far ends inside reasoning."""
        return self._is_reasoning

    def feed(self, text: str) -> list[ChatEvent]:
        """Take more text; give what is certain by now."""
        self._attempts.feed(text)
        return self._go_on()

    def finish(self) -> list[ChatEvent]:
        """Say that no more text comes; give what was held back."""
        self._reader.is_closed = True
        return self._go_on()

    def _go_on(self) -> list[ChatEvent]:
        next(self._output, None)
        events, self._attempts.events = self._attempts.events, []
        return joined(events) if len(events) > 1 else events

    def _say_text(self, text: str) -> None:
        self._attempts.say(TextDelta(text=text))

    def _say_reasoning(self, text: str) -> None:
        self._attempts.say(ReasoningDelta(text=text))

    def _whole(self) -> Waiting[None]:
        """Read everything: blocks, and content between them."""
        if self._opened is not None and (yield from self._attempt(self._opened)):
            self._content.at_marker()
        yield from self._leading_blocks()
        while (yield from self._passage(self._content, (), also_leading=True)):
            pass
        self._content.finish()

    def _leading_blocks(self) -> Waiting[None]:
        """Read the blocks that stand here, with nothing but white space before them."""
        is_one = True
        while is_one:
            with self._attempts.held() as start:
                is_one = yield from self._reader.spaces(MAX_LEADING_SPACES)
                is_one = is_one and (yield from self._block("", only_anywhere=False))
                if not is_one:
                    self._reader.go_to(start)

    def _passage(
        self, spoken: Spoken, ends: tuple[str, ...], *, also_leading: bool = False
    ) -> Waiting[str]:
        """Pass text, and the blocks in it, to the first of ``ends``; give that."""
        marks = self._marks_for(ends)
        while (mark := (yield from self._reader.until(marks, spoken.say))) not in {"", *ends}:
            musing = yield from self._musing(spoken, mark, ends)
            if musing is Musing.THOUGHT:
                continue
            if musing is Musing.NOTHING or not (yield from self._block(mark)):
                spoken.say(self._attempts.take_failed())
                continue
            spoken.at_marker()
            if musing is Musing.LAST_CALL:
                return ""
            if also_leading:
                yield from self._leading_blocks()
        return mark

    def _musing(self, spoken: Spoken, mark: str, ends: tuple[str, ...]) -> Waiting[Musing]:
        """Say what a block in reasoning is; a thought is passed and said."""
        if spoken is not self._reasoning or not self._may_muse:
            return Musing.CALL
        n_calls = self._n_calls
        musing, text = yield from read_musing(self._attempts, self._block(mark), ends)
        self._n_calls = n_calls
        if text:
            spoken.say(text)
        return musing

    def _marks_for(self, ends: tuple[str, ...]) -> Marks:
        if ends not in self._marks:
            starts = [texts for block, texts in self._blocks if block.anywhere]
            self._marks[ends] = marks_of(tuple(sorted(frozenset(ends).union(*starts))))
        return self._marks[ends]

    def _block(self, mark: str, *, only_anywhere: bool = True) -> Waiting[bool]:
        """Try the blocks that begin with ``mark`` ("": all of them)."""
        for block, starts in self._blocks:
            if (mark in starts or not mark) and (block.anywhere or not only_anywhere):
                if (yield from self._attempt(block.element)):
                    self._content.at_marker()
                    return True
                if self._attempts.is_hopeless:
                    return False
        return False

    def _attempt(self, element: Element) -> Waiting[bool]:
        begun = self._attempts.begin()
        success = yield from self._match(element)
        return self._attempts.end(begun, success=success)

    def _match(self, element: Element) -> Waiting[bool]:
        """Read one element; False if it is not there. What is certain never fails."""
        reading: Waiting[bool]
        match element:
            case Literal(text) | Token(text):
                reading = self._attempts.marker(text)
            case Sequence(items) | AnyOrder(items):
                reading = self._sequence(items)
            case Choice(items):
                reading = self._choice(items)
            case Repeat():
                reading = self._repeat(element)
            case Rule(_, child) | Drift(child):
                reading = self._match(child)
            case Ahead(texts):
                reading = self._attempts.ahead(texts)
            case Tag():
                reading = self._tag(element)
            case Object():
                reading = self._objects((element,))
            case Until() | Matching() | Json() | Schema() | Value() | Tree():
                reading = self._untagged(element)
            case _:
                assert_never(element)
        return (yield from reading)

    def _sequence(self, items: tuple[Element, ...]) -> Waiting[bool]:
        for item in items:
            if not (yield from self._match(item)):
                if not self._attempts.is_certain:
                    return False
                if not isinstance(item, Literal | Token):
                    return True
        return True

    def _choice(self, items: tuple[Element, ...]) -> Waiting[bool]:
        objects = tuple(item for item in items if isinstance(item, Object))
        if len(objects) == len(items):
            return (yield from self._objects(objects))
        for item in items:
            if (yield from self._attempt(item)):
                return True
            if self._attempts.is_hopeless:
                return False
        return False

    def _repeat(self, element: Repeat) -> Waiting[bool]:
        count = 0
        while element.max is None or count < element.max or self._attempts.is_certain:
            start = self._reader.place
            if not (yield from self._attempt(element.child)) or self._reader.place == start:
                break
            count += 1
        return count >= element.min

    def _tag(self, tag: Tag) -> Waiting[bool]:
        match tag.kind:
            case "reasoning":
                return (yield from self._spoken_block(tag, self._reasoning))
            case "content":
                return (yield from self._spoken_block(tag, self._content))
            case "tool_call":
                return (yield from self._call(tag.child))
            case "tool_arguments":
                return (yield from self._arguments(tag))
            case "tool_name" | "tool_id" | "argument_name":
                return (yield from self._word(tag))
            case _:
                return (yield from self._argument(tag))

    def _spoken_block(self, tag: Tag, spoken: Spoken) -> Waiting[bool]:
        self._attempts.commit()
        spoken.at_marker()
        self._is_reasoning = spoken is self._reasoning
        yield from self._passage(spoken, delimiters_of(tag))
        self._is_reasoning = False
        spoken.at_marker()
        return True

    def _objects(self, objects: tuple[Object, ...]) -> Waiting[bool]:
        if self._captured is None:
            return (yield from self._call(Choice(objects)))
        shape = object_shape(objects)
        reader = ObjectReader(self._attempts, shape, self._captured.call, self._make_id)
        return (yield from reader.read())

    def _call(self, child: Element) -> Waiting[bool]:
        call = OpenCall(self._n_calls, self._attempts.say)
        self._captured = CapturedCall(call, TaggedArguments(call.write))
        success = yield from self._match(child)
        self._captured = None
        if not success and not call.is_started:
            return False
        self._start(call)
        self._n_calls += 1
        if not call.is_cut:
            call.end()
        for text in call.leftover:
            self._content.say(text)
        return True

    def _start(self, call: OpenCall) -> None:
        call.start(self._make_id)
        self._attempts.commit()

    def _arguments(self, tag: Tag) -> Waiting[bool]:
        if self._captured is None:
            return False
        call = self._captured.call
        self._start(call)
        if isinstance(tag.child, Json | Schema | Value):
            is_whole = yield from self._written_arguments(tag.child, call.write)
            call.is_cut = not is_whole and self._reader.is_at_end
            return True
        if isinstance(tag.child, Tag):
            self._captured.argument_name = tag.word
            yield from self._argument(tag.child)
            self._captured.arguments.close()
            return True
        choice = Choice((*parameters_in(tag.child), *((tag.spare,) if tag.spare else ())))
        while not call.is_cut and (yield from self._attempt(choice)):
            pass
        call.is_cut = call.is_cut or self._reader.is_at_end
        if not call.is_cut:
            self._captured.arguments.close()
        return True

    def _written_arguments(self, element: Json | Schema | Value, write: Sink) -> Waiting[bool]:
        """Read arguments that are written as one value; say whether it is complete."""
        if isinstance(element, Value):
            keys = tuple(element.schema.get("properties") or ())
            return (yield from ValueReader(self._attempts, element.notation, write, keys).read())
        yield from self._reader.spaces()
        return (yield from self._reader.json_value(write))

    def _argument(self, tag: Tag) -> Waiting[bool]:
        captured = self._captured
        if captured is None:
            return False
        arguments = captured.arguments
        arguments.begin(captured.argument_name, tag.kind, tag.types)
        self._attempts.commit()
        if isinstance(tag.child, Tree):
            is_whole = yield from self._tree(tag.child, arguments)
        else:
            mark = yield from self._reader.until(marks_of(delimiters_of(tag)), arguments.add)
            is_whole = bool(mark) or not delimiters_of(tag)
        if is_whole:
            arguments.end()
        else:
            arguments.give_up()
            captured.call.is_cut = True
        return True

    def _tree(self, tree: Tree, arguments: TaggedArguments) -> Waiting[bool]:
        """Read members to the closing tag that belongs to none of them; say if it is there."""
        arguments.convert = partial(tree_json, tree=tree)
        opening, closing = f"{tree.marker}<", f"{tree.marker}</"
        depth = 0
        while mark := (yield from self._reader.until(marks_of((opening, closing)), arguments.add)):
            depth += 1 if mark == opening else -1
            if depth < 0:
                yield from self._match(closing_tag(tree))
                return True
            arguments.add(self._reader.take(len(mark)))
        return False

    def _word(self, tag: Tag) -> Waiting[bool]:
        """Read a name or an id: a fixed text, text to a delimiter, or several elements."""
        parts: list[str] = [tag.word]
        if isinstance(tag.child, Literal):
            shared = yield from self._reader.exact(tag.child.text)
            if shared < len(tag.child.text):
                return False
            parts.append(self._reader.take(shared))
        elif isinstance(tag.child, Until):
            marks = marks_of(delimiters_of(tag))
            if not (yield from self._reader.until(marks, parts.append)):
                return False
        else:
            with self._attempts.held() as start:
                if not (yield from self._match(tag.child)):
                    return False
                parts.append(self._reader.between(start, self._reader.place).strip())
        return self._note(tag, "".join(parts))

    def _note(self, tag: Tag, word: str) -> bool:
        captured = self._captured
        if captured is None or (tag.kind == "tool_name" and not word):
            return False
        match tag.kind:
            case "tool_name":
                captured.call.name = word
            case "tool_id":
                captured.call.id = word
            case _:
                captured.argument_name = word
        return True

    def _untagged(self, element: Until | Matching | Json | Schema | Value | Tree) -> Waiting[bool]:
        """Read text of which the description says nothing: it is content."""
        self._attempts.commit()
        if isinstance(element, Until | Matching):
            ends = element.delimiters if isinstance(element, Until) else ()
            yield from self._reader.until(marks_of(ends), self._content.say)
            return True
        return (yield from self._reader.json_value(self._content.say))
