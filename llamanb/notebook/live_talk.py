"""What every live widget and its page say to each other, whatever it shows.

A view that is drawn says ``hello`` and is answered with ``state`` (everything); one that goes
says ``bye``. What changes is told to all, in numbered messages: a view that misses one says hello
again. Messages are no part of the widget's state, which Jupyter may save in the notebook.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

from llamanb.notebook.chat.post import LONGEST_NAME, VERSION, Post

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Feed", "LiveTalk"]


class Feed(Protocol):
    """What brings changes, while somebody looks."""

    @property
    def is_open(self) -> bool:
        """Whether it still brings any."""

    def wake(self) -> None:
        """Look now."""

    def close(self) -> None:
        """Bring nothing more."""


class LiveTalk(ABC):
    """The kernel's side, usable from any thread; nothing runs while no view is open.

    Parameters
    ----------
    send : sends one message to all views.

    Attributes
    ----------
    post : numbers the messages and knows the views.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self.post = Post(send)
        self._feed: Feed | None = None

    @abstractmethod
    def everything(self) -> dict[str, Any]:
        """Give what a view must know to draw itself."""

    @abstractmethod
    def watch(self) -> Feed | None:
        """Begin to bring changes; None where nothing can change any more."""

    @abstractmethod
    def hear(self, message: dict[str, Any]) -> None:
        """Take a message of the page that is neither hello nor bye."""

    @property
    def is_watching(self) -> bool:
        """Whether changes are being sent."""
        return self._feed is not None and self._feed.is_open

    def receive(self, message: object) -> None:
        """Take a message of the page; what is none of ours is left alone."""
        if not isinstance(message, dict) or message.get("v") != VERSION:
            return
        match message:
            case {"k": "hello", "view": str(view)} if len(view) <= LONGEST_NAME:
                self._greet(view)
            case {"k": "bye", "view": str(view)}:
                self._leave(view)
            case {"k": str(kind)} if kind not in ("hello", "bye"):
                self.hear(message)

    def look(self) -> None:
        """Bring changes soon, without waiting for the next look."""
        if self._feed is not None:
            self._feed.wake()

    def close(self) -> None:
        """Forget all views and send nothing more."""
        with self.post.lock:
            self.post.clear()
            if self._feed is not None:
                self._feed.close()
            self._feed = None

    def _greet(self, view: str) -> None:
        with self.post.lock:
            self.post.enter(view)
            if not self.is_watching:
                self._feed = self.watch()
            self.post.answer(view, "state", self.everything())

    def _leave(self, view: str) -> None:
        with self.post.lock:
            self.post.leave(view)
            if not self.post.has_views:
                self.close()
