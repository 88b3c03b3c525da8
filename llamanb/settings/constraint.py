"""What a text must match, and from where on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from llamanb.errors import OptionError
from llamanb.settings.checks import check_choice

__all__ = ["Constraint", "Trigger"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """When a constraint starts: at a token or where a pattern matches, whichever is first.

    ``patterns`` are RE2 regular expressions (linear time, no look-around). One that
    starts with ``^`` must match where the answer starts, any other may match
    anywhere. The constraint begins at the pattern's first group, else at its match.
    Between ``thinking_start`` and one of ``thinking_ends`` nothing triggers;
    ``thinking_open`` says that the prompt has opened the thinking already.
    """

    patterns: tuple[str, ...] = ()
    tokens: frozenset[int] = frozenset()
    thinking_start: str = ""
    thinking_ends: tuple[str, ...] = ()
    thinking_open: bool = False

    def __post_init__(self) -> None:
        if not self.patterns and not self.tokens:
            raise OptionError("a trigger needs a pattern or a token to wait for")
        if self.thinking_open and not self.thinking_ends:
            raise OptionError("a trigger inside open thinking needs the tags that end it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """What the generated text must match, enforced by llguidance.

    ``kind`` says how to read ``source``: a Lark grammar (``start: …``), a JSON
    Schema as JSON text, a regular expression, or a GBNF grammar (``root ::= …``).
    With a ``trigger`` nothing is constrained before it. ``begun`` is the beginning of
    the text, which the prompt has written already.
    """

    kind: Literal["lark", "json_schema", "regex", "gbnf"]
    source: str
    trigger: Trigger | None = None
    begun: str = ""

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("lark", "json_schema", "regex", "gbnf"))
        source: Any = self.source
        if not isinstance(source, str) or not source.strip():
            raise OptionError("a constraint needs a non-empty grammar, schema or pattern")
