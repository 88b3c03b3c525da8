"""Read a magic's line by the option table.

Words are split at blanks; a word may be quoted, and a lone apostrophe is only an
apostrophe. Options may stand anywhere; a quoted word is never an option, and
everything after ``--`` is text.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llamanb.notebook.messages import UsageError, unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llamanb.notebook.options import Command, Option

__all__ = ["Arguments", "Word", "parse_line", "read_value", "split_words"]

_WORD = re.compile(r"""(?P<quote>["'])(?P<quoted>.*?)(?P=quote)(?=\s|$)|(?P<bare>\S+)""", re.DOTALL)
_ASSIGNED = re.compile(r"""(?P<name>[\w-]+)=(?P<quote>["'])(?P<quoted>.*?)(?P=quote)(?=\s|$)""")
_LOOKS_LIKE_OPTION = re.compile(r"--?[A-Za-z]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word of a line: its value, and where it stands in the line."""

    value: str
    start: int
    end: int
    quoted: bool = False


@dataclass(slots=True, kw_only=True)
class Arguments:
    """What a line says: operands, option values by key, and verbatim text."""

    operands: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    text: str = ""


def split_words(line: str) -> list[Word]:
    """Give the words of ``line``.

    Examples
    --------
    >>> [word.value for word in split_words("-s 'Be brief.' What's up?")]
    ['-s', 'Be brief.', "What's", 'up?']
    """
    words, position = [], 0
    while found := _next_word(line, position):
        words.append(found)
        position = found.end
    return words


def _next_word(line: str, position: int) -> Word | None:
    blanks = len(line) - position - len(line[position:].lstrip())
    position += blanks
    if assigned := _ASSIGNED.match(line, position):
        value = f"{assigned['name']}={assigned['quoted']}"
        return Word(value=value, start=position, end=assigned.end())
    found = _WORD.match(line, position)
    if found is None:
        return None
    quoted = found["quoted"] is not None
    value = found["quoted"] if quoted else found["bare"]
    return Word(value=value, start=position, end=found.end(), quoted=quoted)


def parse_line(line: str, command: Command) -> Arguments:
    """Read ``line`` (without the command's name) as ``command`` takes it.

    Raises
    ------
    UsageError
        For an unknown option, a value of the wrong kind or too few operands; one
        line with the nearest match and an example.
    """
    arguments = Arguments()
    rest: list[Word] = []
    words = iter(split_words(line))
    for word in words:
        if word.value == "--" and not word.quoted:
            rest.extend(words)
        elif word.quoted or not _LOOKS_LIKE_OPTION.match(word.value):
            rest.append(word)
        else:
            _read_option(word, words, command, arguments)
    _keep_rest(line, rest, command, arguments)
    return arguments


def _read_option(word: Word, words: Iterator[Word], command: Command, into: Arguments) -> None:
    name, assigned, text = word.value.partition("=")
    option = _find_option(name, command)
    if option.kind == "switch":
        if assigned:
            raise UsageError(f"{name} takes no value. Example: {command.example}")
        into.values[option.key] = option.constant
        return
    if not assigned:
        following = next(words, None)
        if following is None and not option.may_be_empty:
            raise UsageError(f"{name} needs a value. Example: {name} {option.example}")
        text = following.value if following else ""
    value = read_value(option, text)
    into.values[option.key] = (
        (*into.values.get(option.key, ()), *value) if option.kind == "texts" else value
    )


def _find_option(name: str, command: Command) -> Option:
    written = name if name.startswith("--") else name[:2]
    wanted = written.replace("_", "-") if written.startswith("--") else name
    for option in command.options:
        if wanted in option.spellings:
            return option
    known = [spelling for option in command.options for spelling in option.spellings]
    hint = " (put text that begins with a dash in quotes)" if command.takes_text else ""
    raise unknown("option", name, known, example=command.example + hint)


def read_value(option: Option, text: str) -> Any:
    """Give the value that ``text`` stands for.

    Raises
    ------
    UsageError
        If it is not of the option's kind.
    """
    if option.kind == "texts":
        return (text.replace("\\n", "\n").replace("\\t", "\t"),)
    if option.kind == "choice" and text not in option.choices:
        raise unknown(
            option.name, text, option.choices, example=f"--{option.name} {option.example}"
        )
    if option.kind == "number":
        return _read_number(option, text)
    if option.kind == "whole":
        return _read_whole(option, text)
    return text


def _read_number(option: Option, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _wrong_kind(option, "a number", text)
    return number


def _read_whole(option: Option, text: str) -> int:
    digits = text.replace("_", "")
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", digits):
        raise _wrong_kind(option, "a whole number", text)
    return int(digits)


def _wrong_kind(option: Option, expected: str, text: str) -> UsageError:
    name = f"--{option.name}"
    return UsageError(f"{name} needs {expected}, not {text!r}. Example: {name} {option.example}")


def _keep_rest(line: str, rest: list[Word], command: Command, into: Arguments) -> None:
    if command.takes_text:
        is_quoted = len(rest) == 1 and rest[0].quoted
        into.text = rest[0].value if is_quoted else _verbatim(line, rest)
        if command.at_least and not into.text.strip():
            raise UsageError(f"{command.name} needs a text. Example: {command.example}")
        return
    into.operands = [word.value for word in rest]
    if len(rest) < command.at_least:
        raise UsageError(f"{command.name} needs {command.operands}. Example: {command.example}")
    if len(rest) > command.at_most:
        extra = rest[command.at_most].value
        raise UsageError(f"{command.name}: {extra!r} is one too many. Example: {command.example}")


def _verbatim(line: str, words: list[Word]) -> str:
    """Join the words as written: blanks between neighbours stay what they were."""
    parts: list[str] = []
    for before, word in zip([None, *words], words, strict=False):
        between = line[before.end : word.start] if before else ""
        parts.append(between if between.isspace() else " " * bool(before))
        parts.append(line[word.start : word.end])
    return "".join(parts)
