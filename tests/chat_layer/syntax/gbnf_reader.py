"""Says which texts a GBNF grammar accepts: a small reader of its own.

Works as llama.cpp does: a set of stacks, each of what may come next.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r'\s+|(?P<text>"(?:[^"\\]|\\.)*")|(?P<set>\[(?:[^\]\\]|\\.)*\])'
    r"|(?P<times>[*+?]|\{\d+,?\d*\})|(?P<mark>[()|])|(?P<name>[a-z0-9-]+)"
)
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_CODES = {"n": "\n", "r": "\r", "t": "\t"}


class OneOf(NamedTuple):
    """One character of a set, or one that is not in it."""

    pattern: re.Pattern[str]


Item = OneOf | str
Stack = tuple[Item, "Stack"] | None
Rules = dict[str, list[list[Item]]]


class GbnfReader:
    """Reads the grammar once; ``accepts`` as often as wanted."""

    def __init__(self, grammar: str) -> None:
        self._rules: Rules = {}
        for line in grammar.splitlines():
            name, _, body = line.partition(" ::= ")
            tokens = [one for one in _tokens(body) if one[0]]
            self._rules[name] = self._alternatives(tokens)
            assert not tokens, f"{line}: {tokens}"

    def accepts(self, text: str) -> bool:
        stacks = self._expanded({("root", None)})
        for character in text:
            after = {
                rest
                for top, rest in filter(None, stacks)
                if isinstance(top, OneOf) and top.pattern.fullmatch(character)
            }
            stacks = self._expanded(after)
        return None in stacks

    def _expanded(self, stacks: set[Stack]) -> set[Stack]:
        done: set[Stack] = set()
        seen: set[Stack] = set()
        while stacks:
            stack = stacks.pop()
            if stack in seen:
                continue
            seen.add(stack)
            if stack is None or isinstance(stack[0], OneOf):
                done.add(stack)
                continue
            for items in self._rules[stack[0]]:
                rest = stack[1]
                for item in reversed(items):
                    rest = (item, rest)
                stacks.add(rest)
        return done

    def _new(self, alternatives: list[list[Item]]) -> str:
        name = f"<{len(self._rules)}>"
        self._rules[name] = alternatives
        return name

    def _alternatives(self, tokens: list[tuple[str, str]]) -> list[list[Item]]:
        found: list[list[Item]] = [[]]
        while tokens and tokens[0] != ("mark", ")"):
            kind, text = tokens.pop(0)
            if (kind, text) == ("mark", "|"):
                found.append([])
                continue
            items = self._items(kind, text, tokens)
            if tokens and tokens[0][0] == "times":
                items = [self._repeated(items, tokens.pop(0)[1])]
            found[-1] += items
        return found

    def _items(self, kind: str, text: str, tokens: list[tuple[str, str]]) -> list[Item]:
        if kind == "mark":
            inner = self._alternatives(tokens)
            assert tokens.pop(0) == ("mark", ")")
            return [self._new(inner)]
        if kind == "text":
            return [OneOf(re.compile(re.escape(one))) for one in _unescaped(text[1:-1])]
        return [OneOf(re.compile(text, re.DOTALL))] if kind == "set" else [text]

    def _repeated(self, items: list[Item], times: str) -> Item:
        bounds = {"*": (0, ""), "+": (1, ""), "?": (0, "1")}.get(times)
        low, _, high = times.strip("{}").partition(",")
        least, most = bounds or (int(low), high if "," in times else low)
        if most == "":
            more = self._new([])
            self._rules[more] = [[*items, more], []]
            last: list[Item] = [more]
        else:
            last = []
            for _ in range(int(most) - least):
                last = [self._new([[*items, *last], []])]
        return self._new([[*(items * least), *last]])


def _tokens(body: str) -> list[tuple[str, str]]:
    found = []
    place = 0
    while place < len(body):
        match = _TOKEN.match(body, place)
        assert match, f"unreadable: {body[place : place + 40]!r}"
        found.append((match.lastgroup or "", match.group()))
        place = match.end()
    return found


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(
        lambda found: chr(int(found[1], 16)) if found[1] else _CODES.get(found[2], found[2]), text
    )
