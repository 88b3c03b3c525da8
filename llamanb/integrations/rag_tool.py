"""A tool with which a model searches a store."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from llamanb.conversation import Session
from llamanb.conversation.tools import tool
from llamanb.conversation.tools.description import checked_name
from llamanb.errors import OptionError
from llamanb.integrations.rag_memory import ChatlasMemory, SessionMemory
from llamanb.integrations.rag_passages import is_known, joined, written_passages
from llamanb.integrations.rag_retrieval import Retriever, check_top_k

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.integrations.rag_door import BaseStore, RetrievedChunk
    from llamanb.integrations.rag_memory import Memory

__all__ = ["register_retrieve_tool"]

MAX_QUESTIONS = 8
MAX_NAME_LENGTH = 64
DESCRIPTION = (
    "Search {title} for passages. Every call gives passages that were not given before in this "
    "chat; an empty list means that there are no more. Name the origin of what you use."
)
Texts = Annotated[
    list[str], Field(min_length=1, description="What to look for: one or several questions.")
]


def register_retrieve_tool(
    chat: Any,
    store: BaseStore,
    top_k: int = 3,
    *,
    name: str | None = None,
    title: str | None = None,
    description: str | None = None,
) -> None:
    """Let the model of a chat search a store.

    The model gives one or several questions (``text``) and gets JSON: a list of passages
    with ``origin``, ``context`` (the headings above) and ``text``. A passage that is in
    the chat already is not given again, so that asking twice gives what is next best.
    The tool only reads, so nobody is asked before it runs. Registering
    it again replaces it.

    Parameters
    ----------
    chat : a ``chatlas.Chat`` or a :class:`~llamanb.Session`.
    store : a store of raghilda, such as :func:`connect` gives.
    top_k : how many chunks for each question.
    name : what models call the tool; by default ``search_`` and the store's name.
    title : what people call it, where chatlas shows tools.
    description : what the model is told about it.

    Raises
    ------
    OptionError
        If ``chat`` or ``store`` is something else, or an option is impossible.

    Examples
    --------
    >>> llamanb.rag.register_retrieve_tool(session, store)
    >>> session.send("How do I stop a server?").content
    """
    check_top_k(top_k)
    retriever = Retriever(store)
    store_name = _said_by(store, "name") or "store"
    shown = title or _said_by(store, "title") or store_name
    tool_name = checked_name(_tool_name(store_name) if name is None else name)
    search = _Search(retriever, top_k, _memory_of(chat, tool_name))
    function = search.as_function(tool_name, description or DESCRIPTION.format(title=shown))
    _register(chat, function, tool_name, shown)


def _said_by(store: BaseStore, field: str) -> str:
    return str(getattr(getattr(store, "metadata", None), field, None) or "")


def _tool_name(store_name: str) -> str:
    return ("search_" + re.sub(r"[^a-zA-Z0-9_-]+", "_", store_name))[:MAX_NAME_LENGTH]


def _memory_of(chat: Any, name: str) -> Memory:
    if isinstance(chat, Session):
        return SessionMemory(chat, name)
    if callable(getattr(chat, "register_tool", None)) and hasattr(chat, "get_turns"):
        return ChatlasMemory(chat, name)
    raise OptionError(f"a chatlas.Chat or a llamanb.Session is needed, not {type(chat).__name__}")


def _register(chat: Any, function: Callable[..., str], name: str, title: str) -> None:
    made = tool(function, name=name, approve=True)
    if isinstance(chat, Session):
        chat.tools = [*(one for one in chat.tools.values() if one.name != name), made]
        return
    hints = {"title": title, "readOnlyHint": True, "openWorldHint": False}
    chat.register_tool(made, force=True, name=name, annotations=hints)


class _Search:
    """One tool at work: finds, leaves out what is known, and remembers what it gave."""

    def __init__(self, retriever: Retriever, top_k: int, memory: Memory) -> None:
        self._retriever, self._top_k, self._memory = retriever, top_k, memory
        self._lock = threading.Lock()

    def as_function(self, name: str, description: str) -> Callable[..., str]:
        """Give the function that chats call."""

        def search(text: Texts) -> str:
            return self.run(text)

        # the values themselves: chatlas does not look up names of types
        search.__annotations__ = {"text": Texts, "return": str}
        search.__name__ = search.__qualname__ = name
        search.__doc__ = description
        return search

    def run(self, text: Any) -> str:
        """Give new passages for these questions as JSON."""
        questions = _questions(text)
        with self._lock:  # calls at the same time must not find the same
            known = self._memory.passages()
            found: list[RetrievedChunk] = []
            for question in questions:
                found += self._new(question, known, found)
            written, passages = written_passages(joined(found))
            self._memory.add(passages)
        return written

    def _new(
        self, question: str, known: list[dict[str, Any]], found: list[RetrievedChunk]
    ) -> list[RetrievedChunk]:
        # a passage may hold several chunks, so how many to ask for is a guess at first
        size = self._top_k + len(known) + len(found)
        while True:
            got = self._retriever.retrieve(question, size)
            new = [one for one in got if not is_known(one, known) and one not in found]
            if len(new) >= self._top_k or len(got) < size:
                return new[: self._top_k]
            size *= 2


def _questions(text: Any) -> list[str]:
    """Check what a model wrote, which chatlas passes on as it is."""
    listed = [text] if isinstance(text, str) else text
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise OptionError("text must be a list of questions")
    questions = list(dict.fromkeys(one.strip() for one in listed if one.strip()))
    if not questions or len(questions) > MAX_QUESTIONS:
        raise OptionError(f"text must hold 1 to {MAX_QUESTIONS} questions that are not empty")
    return questions
