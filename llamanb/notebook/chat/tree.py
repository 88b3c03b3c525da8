"""The turns of a talk as a tree: asking again or otherwise makes a sibling, nothing is lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from llamanb.notebook.chat.history import grouped, parts_of, question_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from llamanb.notebook.chat.live import LiveTurn

__all__ = ["TalkTree", "Turn"]

Message = dict[str, Any]


@dataclass(slots=True, kw_only=True, eq=False)
class Turn:
    """A question and what followed it.

    Attributes
    ----------
    id : its name in the page.
    parent : the turn before it; None for the first.
    content : the question as the model read it.
    messages : the question and all that came of it, OpenAI dictionaries; none if it failed.
    live : what there is to see of it.
    children : the turns that have followed it.
    next : the child that the talk goes on with, if it does.
    """

    id: str = field(default_factory=lambda: token_hex(6))
    parent: Turn | None
    content: str = ""
    messages: list[Message] = field(default_factory=list)
    live: LiveTurn
    children: list[Turn] = field(default_factory=list)
    next: Turn | None = None


class TalkTree:
    """All turns, and the path of those that are the talk now.

    Parameters
    ----------
    make_live : gives what there is to see of messages that are there already.
    """

    def __init__(self, make_live: Callable[[Sequence[Message]], LiveTurn]) -> None:
        self._make_live = make_live
        self._roots: list[Turn] = []
        self._first: Turn | None = None

    @property
    def path(self) -> list[Turn]:
        """The turns of the talk, the first one first."""
        return list(_onwards(self._first))

    @property
    def messages(self) -> list[Message]:
        """The messages of the path."""
        return _messages(self.path)

    def find(self, identity: str) -> Turn | None:
        """Give the turn with this id, on the path or not."""
        return next((turn for turn in self._all() if turn.id == identity), None)

    def siblings(self, turn: Turn) -> list[Turn]:
        """Give the turns at the place of ``turn``, itself among them, the oldest first."""
        return turn.parent.children if turn.parent else self._roots

    def messages_before(self, turn: Turn) -> list[Message]:
        """Give what was said before ``turn``."""
        return _messages(_ancestors(turn))

    def add(
        self,
        after: Turn | None,
        live: LiveTurn,
        messages: Sequence[Message] = (),
        content: str = "",
    ) -> Turn:
        """Let the talk go on with a new turn after ``after``; None is the beginning."""
        turn = Turn(parent=after, live=live, messages=list(messages))
        turn.content = content or question_of(turn.messages)
        self.siblings(turn).append(turn)
        self.show(turn)
        return turn

    def show(self, turn: Turn) -> None:
        """Make ``turn`` part of the talk, with the turns before it and those that followed it."""
        for one in [*_ancestors(turn), turn]:
            self._go_on(one.parent, one)

    def end_with(self, turn: Turn | None) -> None:
        """Let the talk end with ``turn``; None makes it empty."""
        if turn is not None:
            self.show(turn)
        self._go_on(turn, None)

    def adopt(self, messages: Sequence[Message]) -> bool:
        """Follow messages that came from elsewhere; False if the path says the same.

        Turns that agree stay; from the first one that does not, new ones are made.
        """
        if self.messages == list(messages):
            return False
        last: Turn | None = None
        for group in grouped(messages):
            last = self._followed(last, group)
        self.end_with(last)
        return True

    def _followed(self, last: Turn | None, group: list[Message]) -> Turn:
        """Give the turn after ``last`` that says ``group``: a known one, one that grew, a new one."""
        known = list(self._said_after(last))
        for turn in known:
            if turn.messages == group:
                return turn
        for turn in known:
            if _has_grown(turn, group):
                self._grow(turn, group)
                return turn
        return self.add(last, self._make_live(group), group)

    def _said_after(self, turn: Turn | None) -> Iterator[Turn]:
        """Give the turns that may follow ``turn`` in messages, that of the path first.

        One that failed has no messages: what was said after it follows in its place.
        """
        children, current = (turn.children, turn.next) if turn else (self._roots, self._first)
        for child in sorted(children, key=lambda one: one is not current):
            if child.messages:
                yield child
            else:
                yield from self._said_after(child)

    def _grow(self, turn: Turn, group: list[Message]) -> None:
        """Take in what was added to a turn; one of the widget's own keeps its question as typed."""
        turn.messages = group
        if turn.live.is_own:
            turn.live.begin_anew(parts_of(group))
        else:
            turn.live = self._make_live(group)

    def _go_on(self, after: Turn | None, turn: Turn | None) -> None:
        if after is None:
            self._first = turn
        else:
            after.next = turn

    def _all(self) -> Iterator[Turn]:
        waiting = list(self._roots)
        while waiting:
            turn = waiting.pop()
            yield turn
            waiting += turn.children


def _onwards(turn: Turn | None) -> Iterator[Turn]:
    while turn is not None:
        yield turn
        turn = turn.next


def _ancestors(turn: Turn) -> list[Turn]:
    found = []
    above = turn.parent
    while above is not None:
        found.append(above)
        above = above.parent
    return found[::-1]


def _has_grown(turn: Turn, group: list[Message]) -> bool:
    """Whether ``group`` is the turn and more; what follows allows only results of its calls."""
    known, more = turn.messages, group[len(turn.messages) :]
    if known != group[: len(known)]:
        return False
    return not turn.children or all(message["role"] == "tool" for message in more)


def _messages(turns: Sequence[Turn]) -> list[Message]:
    return [message for turn in turns for message in turn.messages]
