"""Reads values that are written in Python's way, or nearly so, and gives them as JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.calls import argument_json, json_text
from llamanb.chat_layer.syntax.reader import marks_of

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.attempts import Attempts
    from llamanb.chat_layer.syntax.notation import Notation
    from llamanb.chat_layer.syntax.reader import Sink, Waiting

__all__ = ["ValueReader"]

_OPENING = {"{": "}", "[": "]", "(": ")"}
_CLOSING = frozenset("}])")
# A quote is the end of a string only before one of these: models forget to escape.
_AFTER_STRING = frozenset(",)]}:=")
_ESCAPED_QUOTES = ('"""', "'''", '"', "'")
_KEY = re.compile(r"[^\s:=,{}\[\]()\"'<]*")
_WORD = re.compile(r"[^,{}\[\]()<\"]*")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0", "\n": ""}
_CODED = {"x": 2, "u": 4, "U": 8}
_SAME = frozenset("\\'\"/")


@dataclass(slots=True)
class _Open:
    """A bracket that is open: where it ends, and how many members it has."""

    end: str
    is_object: bool
    n_members: int = 0


class ValueReader:
    """Reads one object and writes it as JSON while it comes. Used once.

    Takes any mixture of Python's and JSON's signs. ``keys`` are the names of
    members that a model wrote without one, as they come.
    """

    def __init__(
        self, attempts: Attempts, notation: Notation, write: Sink, keys: tuple[str, ...] = ()
    ) -> None:
        self._attempts = attempts
        self._reader = attempts.reader
        self._raw_quotes = notation.quotes if notation.is_raw else ()
        self._write = write
        self._keys = keys
        self._open: list[_Open] = []
        self._has_key = False

    def read(self) -> Waiting[bool]:
        """Pass the object; False if the end of all text cuts it off.

        What is wrong in it ends it: then the brackets are closed.
        """
        yield from self._reader.spaces()
        first = yield from self._reader.peek()
        if first in {"{", "("}:
            self._push(self._reader.take(), is_object=True)
        while self._open and (yield from self._step()):
            pass
        if self._reader.is_at_end and self._open:
            return False
        for one in reversed(self._open):
            self._write("}" if one.is_object else "]")
        return True

    def _push(self, bracket: str, *, is_object: bool) -> None:
        self._open.append(_Open(_OPENING[bracket], is_object))
        self._write("{" if is_object else "[")

    def _step(self) -> Waiting[bool]:
        """Read a sign, a key or a value; False if it is none of these."""
        yield from self._reader.spaces()
        mark = yield from self._reader.peek()
        if mark == ",":
            self._fill()
            self._reader.take()
            return True
        if mark in _CLOSING:
            return self._close(mark)
        if not mark or (mark == "<" and not (yield from self._is_raw_quote())):
            self._fill()
            return False
        if self._open[-1].is_object and not self._has_key:
            return (yield from self._key())
        if not self._has_key:
            self._separate()
        return (yield from self._value())

    def _fill(self) -> None:
        """Give a key without a value the value null, if it will get none."""
        if self._has_key and not self._reader.is_at_end:
            self._write("null")
            self._has_key = False

    def _is_raw_quote(self) -> Waiting[bool]:
        for quote in self._raw_quotes:
            if (yield from self._reader.exact(quote)) == len(quote):
                return True
        return False

    def _close(self, mark: str) -> bool:
        self._fill()
        if mark != self._open[-1].end:
            return False
        self._reader.take()
        self._write("}" if self._open.pop().is_object else "]")
        return True

    def _separate(self) -> None:
        self._write(", " if self._open[-1].n_members else "")
        self._open[-1].n_members += 1

    def _label(self, key: str) -> None:
        self._separate()
        self._write(f"{json.dumps(key, ensure_ascii=False)}: ")
        self._has_key = True

    def _key(self) -> Waiting[bool]:
        """Read a key and its colon; without a colon it is a value whose key is known."""
        parts: list[str] = []
        quote = yield from self._quote()
        if quote:
            is_whole = yield from self._string(quote, parts.append)
        else:
            yield from self._reader.run(_KEY, parts.append)
            is_whole = not self._reader.is_at_end
        text = "".join(parts)
        if not is_whole:
            self._separate()
            self._write(f'"{text if quote else json_text(text)}')
            return False
        yield from self._reader.spaces()
        mark = yield from self._reader.peek()
        if (mark in {":", "="} and mark) and (text or quote):
            self._reader.take()
            self._label(json.loads(f'"{text}"') if quote else text)
            return True
        return (yield from self._value_without_key(text, quote))

    def _value_without_key(self, text: str, quote: str) -> Waiting[bool]:
        number = self._open[-1].n_members
        is_outer = len(self._open) == 1
        self._label(self._keys[number] if is_outer and number < len(self._keys) else f"{number}")
        if quote:
            self._write(f'"{text}"')
            self._has_key = False
            return True
        return (yield from self._value(text))

    def _value(self, begun: str = "") -> Waiting[bool]:
        """Read one value, of which ``begun`` is read already."""
        if not begun:
            quote = yield from self._quote()
            if quote:
                self._write('"')
                if not (yield from self._string(quote, self._write)):
                    return False
                self._write('"')
                self._has_key = False
                return True
            mark = yield from self._reader.peek()
            if mark in _OPENING:
                self._has_key = False
                self._push(self._reader.take(), is_object=mark == "{")
                return True
        return (yield from self._word(begun))

    def _word(self, begun: str) -> Waiting[bool]:
        parts = [begun]
        yield from self._reader.run(_WORD, parts.append)
        text = "".join(parts).strip()
        if self._reader.is_at_end:
            self._write(text)
            return False
        self._write(argument_json(text, may_be_text=False) if text else "null")
        self._has_key = False
        return bool(text)

    def _quote(self) -> Waiting[str]:
        """Pass and give the quote that begins a string here, "" if there is none."""
        first = yield from self._reader.peek()
        for quote in (*self._raw_quotes, *_ESCAPED_QUOTES):
            if first == quote[0] and (yield from self._reader.exact(quote)) == len(quote):
                return self._reader.take(len(quote))
        return ""

    def _string(self, quote: str, write: Sink) -> Waiting[bool]:
        """Pass the rest of a string, written as JSON without its quotes; say if it ended."""
        if quote in self._raw_quotes:
            mark = yield from self._reader.until(
                marks_of((quote,)), lambda text: write(json_text(text))
            )
            self._reader.take(len(mark))
            return bool(mark)
        while True:
            yield from self._reader.run(_plain(quote), lambda text: write(json_text(text)))
            mark = yield from self._reader.peek()
            if not mark:
                return False
            if mark == "\\":
                write((yield from self._escape()))
            elif (yield from self._ends(quote)):
                self._reader.take(len(quote))
                return True
            else:
                write(json_text(self._reader.take()))

    def _ends(self, quote: str) -> Waiting[bool]:
        """Say whether the quote here is the end of the string."""
        if (yield from self._reader.exact(quote)) < len(quote):
            return False
        with self._attempts.held() as start:
            self._reader.take(len(quote))
            yield from self._reader.spaces()
            after = yield from self._reader.peek()
            self._reader.go_to(start)
        return not after or after in _AFTER_STRING or len(quote) > 1

    def _escape(self) -> Waiting[str]:
        r"""Pass an escape; give its character as JSON. An unknown one stays as it is."""
        self._reader.take()
        sign = yield from self._reader.peek()
        self._reader.take(len(sign))
        if sign in _CODED:
            digits = yield from self._digits(_CODED[sign])
            return _coded(sign, digits)
        if sign in _ESCAPES:
            return json_text(_ESCAPES[sign])
        return json_text(sign if sign in _SAME else f"\\{sign}")

    def _digits(self, count: int) -> Waiting[str]:
        digits = ""
        while len(digits) < count:
            one = yield from self._reader.peek()
            if not one or one not in "0123456789abcdefABCDEF":
                break
            digits += self._reader.take()
        return digits


@lru_cache(maxsize=16)
def _plain(quote: str) -> re.Pattern[str]:
    return re.compile(rf"[^\\{quote[0]}]*")


def _coded(sign: str, digits: str) -> str:
    """Give the character of a code; halves of a pair stay codes, as JSON has them."""
    if len(digits) < _CODED[sign] or int(digits, 16) > 0x10FFFF:
        return json_text(f"\\{sign}{digits}")
    code = int(digits, 16)
    return f"\\u{code:04x}" if 0xD800 <= code < 0xE000 else json_text(chr(code))
