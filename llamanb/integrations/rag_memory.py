"""Which passages a chat has been given, read from the talk itself.

So undoing a turn, clearing the chat, or opening a saved one needs nothing more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from llamanb.integrations.rag_passages import read_passages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llamanb.conversation import Session
    from llamanb.integrations.rag_passages import Passages

__all__ = ["ChatlasMemory", "Memory", "SessionMemory"]


class Memory(Protocol):
    """What a chat was given by one tool; used under the tool's lock."""

    def passages(self) -> Passages:
        """Give the passages that the chat holds or is about to hold."""

    def add(self, passages: Passages) -> None:
        """Note passages that were given just now, and are not part of the talk yet."""


class SessionMemory:
    """Reads a :class:`~llamanb.Session`, which notes a turn's results when it is over."""

    def __init__(self, session: Session, name: str) -> None:
        self._session, self._name = session, name
        self._recent: Passages = []
        session.subscribe(self._recent.clear)

    def passages(self) -> Passages:
        """Give those of the messages and of the turn that goes on."""
        messages = list(self._session.messages)
        ids = {call["id"] for one in messages for call in _calls(one, self._name)}
        found = (
            read_passages(one["content"]) for one in messages if one.get("tool_call_id") in ids
        )
        return [*self._recent, *(passage for passages in found for passage in passages)]

    def add(self, passages: Passages) -> None:
        """Note them until the messages change."""
        self._recent.extend(passages)


class ChatlasMemory:
    """Reads a ``chatlas.Chat``, which notes a round's results with the next answer."""

    def __init__(self, chat: Any, name: str) -> None:
        self._chat, self._name = chat, name
        self._recent: Passages = []
        self._round: Any = None

    def passages(self) -> Passages:
        """Give those of the turns and of the round that goes on."""
        if self._chat.get_last_turn() is not self._round:
            self._recent.clear()
        noted = [passage for text in self._results() for passage in read_passages(text)]
        return [*self._recent, *noted]

    def add(self, passages: Passages) -> None:
        """Note them until the model has answered."""
        self._round = self._chat.get_last_turn()
        self._recent.extend(passages)

    def _results(self) -> Iterator[Any]:
        for turn in self._chat.get_turns():
            for content in turn.contents:
                request = getattr(content, "request", None)
                if request is not None and request.name == self._name:
                    yield content.value


def _calls(message: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [call for call in message.get("tool_calls") or () if call["function"]["name"] == name]
