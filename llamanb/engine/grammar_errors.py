"""Say in one line what is wrong with a grammar, and where in the user's own text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from llamanb.errors import GrammarError

if TYPE_CHECKING:
    from llamanb.settings import Constraint

__all__ = ["grammar_error"]

Place = tuple[int, int]
NOWHERE: Place = (0, 0)
# llguidance: "at 3(8): unknown name", then the lines around it
_LARK_PLACE = re.compile(r"\s*(?:at )?(\d+)\((\d+)\): ")
_REGEX_ERROR = re.compile(r"regex parse error:\n    .*\n    ( *)\^+\nerror: (.*)")
# its GBNF converter: "Expected ')' at line 2, '…' ^ '…'", or the name of a rule
_GBNF_PLACE = re.compile(r" at line \d+, .*", re.DOTALL)
_GBNF_MISSING = re.compile(r"Rule '(.+)' not found")
_LARK_RULE = re.compile(r"(?m)^(\w+):")
_GBNF_RULE = re.compile(r"(?m)^[ \t]*([\w-]+)\s*::=")


def grammar_error(constraint: Constraint, error: Exception | str, lark: str = "") -> GrammarError:
    """Make the error for a constraint that llguidance refused.

    Parameters
    ----------
    error : what the converter raised, or the text that llguidance reports.
    lark : what a GBNF grammar was converted to, if it got that far.
    """
    report = str(error).strip() or "unknown reason"
    match constraint.kind:
        case "gbnf" if lark:
            place = _place_of_rule(constraint.source, lark, report)
        case "gbnf":
            place = _place_in_gbnf(constraint.source, error, report)
        case "regex":
            place = _place_in_regex(report)
        case "lark":
            place = _place_in_lark(report)
        case _:
            place = NOWHERE
    line, column = place
    where = f"line {line}, column {column}: " if line else ""
    message = f"the grammar does not compile: {where}{_reason(report)}"
    return GrammarError(message, line=line, column=column)


def _reason(report: str) -> str:
    """Give the report without its places and pictures."""
    bare = _LARK_PLACE.sub("", report, count=1)
    inner = _REGEX_ERROR.search(bare)
    if inner is None:
        return _GBNF_PLACE.sub("", bare).splitlines()[0]
    outer = bare[: inner.start()].removesuffix("(in regex): ").strip()
    return f"{outer}: {inner[2]}" if outer else inner[2]


def _place_in_lark(report: str) -> Place:
    found = _LARK_PLACE.match(report)
    return (int(found[1]), int(found[2])) if found else NOWHERE


def _place_in_regex(report: str) -> Place:
    found = _REGEX_ERROR.search(report)
    return (1, len(found[1]) + 1) if found else NOWHERE


def _place_in_gbnf(source: str, error: Any, report: str) -> Place:
    position = getattr(error, "pos", None)
    if position is not None:
        return _place(source, position.pos)
    missing = _GBNF_MISSING.search(report)
    return _place_of(rf"(?<![\w-]){re.escape(missing[1])}(?![\w-])", source) if missing else NOWHERE


def _place_of_rule(source: str, lark: str, report: str) -> Place:
    """Find the GBNF rule that became the Lark rule which is wrong."""
    line, _ = _place_in_lark(report)
    names = _LARK_RULE.findall("\n".join(lark.splitlines()[:line]))
    if not names:
        return NOWHERE
    wanted = "root" if names[-1] == "start" else _plain(names[-1])
    rules = (rule for rule in _GBNF_RULE.finditer(source) if _plain(rule[1]) == wanted)
    return next((_place(source, rule.start(1)) for rule in rules), NOWHERE)


def _plain(name: str) -> str:
    """Give a rule's name as it is in both languages: the converter spells it anew."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _place_of(pattern: str, source: str) -> Place:
    found = re.search(pattern, source)
    return _place(source, found.start()) if found else NOWHERE


def _place(source: str, position: int) -> Place:
    before = source[:position].rstrip("\n") if position >= len(source) else source[:position]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
