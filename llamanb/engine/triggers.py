"""Waiting for the place where a lazy constraint starts.

llama.cpp's own lazy grammar aborts on malformed patterns and searches the whole
text for every token. Here patterns are RE2 (linear time) and only the new tail
of the text is searched.
"""

from __future__ import annotations

import codecs
from bisect import bisect_right
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from llamanb.errors import GrammarError

if TYPE_CHECKING:
    from llamanb.engine.vocabulary import Vocabulary
    from llamanb.settings import Trigger

__all__ = ["TriggerWatch"]

# A trigger may span this many characters; an anchored one must match within them.
WINDOW = 4096
_MAX_PATTERN = 8192
_MAX_MEMORY = 8 << 20


class TriggerWatch:
    """Reads a growing answer until its trigger. One owner: the compute thread.

    Stages: watching → triggered (:meth:`feed` gave tokens) → :meth:`go_on` if the
    constraint did not accept them.

    Raises
    ------
    GrammarError
        If a pattern is not a regular expression of RE2.
    """

    def __init__(self, trigger: Trigger, vocabulary: Vocabulary) -> None:
        self._trigger, self._vocabulary = trigger, vocabulary
        self._anchored = [_compiled(p) for p in trigger.patterns if p.startswith("^")]
        self._floating = [_compiled(p) for p in trigger.patterns if not p.startswith("^")]
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._tokens: list[int] = []
        self._starts: list[int] = []
        self._thinking = trigger.thinking_open
        self._may_think = bool(trigger.thinking_start) and not trigger.thinking_open
        self._answer_start = self._search_from = 0

    def feed(self, token: int, shown: bytes) -> list[int] | None:
        """Take a token and its text; give the tokens from the trigger on, once it is there."""
        self._tokens.append(token)
        self._starts.append(len(self._text))
        before = len(self._text)
        self._text += self._decoder.decode(shown)
        self._follow_thinking(before)
        if self._thinking:
            return None
        if token in self._trigger.tokens:
            return [token]
        place = self._find(before)
        return None if place is None else self._tokens_from(place)

    def go_on(self) -> None:
        """Watch for the next trigger: what followed this one was something else."""
        self._search_from = len(self._text)
        self._anchored = []

    # ---- thinking -------------------------------------------------------------------

    def _follow_thinking(self, before: int) -> None:
        if self._may_think:
            start = self._trigger.thinking_start
            said = self._text[self._answer_start : self._answer_start + WINDOW].lstrip()
            self._thinking = said.startswith(start)
            self._may_think = not self._thinking and start.startswith(said)
        if self._thinking:
            self._look_for_the_end(before)

    def _look_for_the_end(self, before: int) -> None:
        longest = max(map(len, self._trigger.thinking_ends), default=0)
        tail = max(self._answer_start, before - longest)
        hits = [(self._text.find(end, tail), end) for end in self._trigger.thinking_ends]
        hits = [hit for hit in hits if hit[0] >= 0]
        if hits:
            place, end = min(hits)
            self._thinking = False
            # The tag that ends the thinking may itself be the trigger (<tool_call>).
            self._search_from, self._answer_start = place, place + len(end)

    # ---- the patterns ------------------------------------------------------------------

    def _find(self, before: int) -> int | None:
        places = [self._search(pattern, before) for pattern in self._floating]
        places += [self._search_start(pattern) for pattern in self._anchored]
        return min((place for place in places if place is not None), default=None)

    def _search(self, pattern: Any, before: int) -> int | None:
        start = max(self._search_from, before - WINDOW)
        found = _start_of(pattern.search(self._text[start:]))
        return None if found is None else found + start

    def _search_start(self, pattern: Any) -> int | None:
        if len(self._text) - self._answer_start > WINDOW:
            return None
        found = _start_of(pattern.search(self._text[self._answer_start :]))
        return None if found is None else found + self._answer_start

    def _tokens_from(self, place: int) -> list[int]:
        """Give the tokens that write the text from ``place`` on."""
        number = bisect_right(self._starts, place) - 1
        if self._starts[number] == place:
            while number > 0 and self._starts[number - 1] == place:
                number -= 1
            return self._tokens[number:]
        after = number + 1
        end = self._starts[after] if after < len(self._starts) else len(self._text)
        head = self._vocabulary.tokenize_inside(self._text[place:end])
        return [*head, *self._tokens[after:]]


def _start_of(match: Any) -> int | None:
    if match is None:
        return None
    group = 1 if match.groups() and match.start(1) >= 0 else 0
    return int(match.start(group))


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> Any:
    import re2

    if len(pattern) > _MAX_PATTERN:
        raise GrammarError(
            f"a trigger pattern has {len(pattern)} characters; at most {_MAX_PATTERN} fit"
        )
    options = re2.Options()
    options.log_errors, options.max_mem = False, _MAX_MEMORY
    try:
        return re2.compile(pattern, options=options)
    except re2.error as error:
        raise GrammarError(
            f"the trigger pattern {pattern!r} cannot be used: {_reason(error)}"
        ) from None


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
