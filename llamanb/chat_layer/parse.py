"""Raw text in, events out: a parser that keeps state between pieces of text.

Whatever way the text is cut into pieces, the deltas join to the same message.
Each character is looked at a bounded number of times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamanb.chat_layer.syntax.compose import PLAIN, compose
from llamanb.chat_layer.syntax.description import Description, Thinking
from llamanb.chat_layer.syntax.message import join_events
from llamanb.chat_layer.syntax.parser import SyntaxParser

if TYPE_CHECKING:
    from llamanb.chat_layer.events import ChatEvent
    from llamanb.chat_layer.prompt import ChatMessage, ChatPrompt

__all__ = ["StreamParser", "description_of", "parse"]


class StreamParser:
    """Tells reasoning, content and tool calls apart in one reply.

    Stages: ``feed`` every piece as it comes → ``finish`` once at the end. Text
    that may still turn out to be a marker is held back until it is certain.
    """

    def __init__(self, prompt: ChatPrompt) -> None:
        description = description_of(prompt)
        self._parser = SyntaxParser(description)
        if description.begun:
            self._parser.feed(description.begun)

    @property
    def is_reasoning(self) -> bool:
        """Whether the text read so far ends inside reasoning."""
        return self._parser.is_reasoning

    def feed(self, text: str) -> list[ChatEvent]:
        """Take more text; give what is certain by now."""
        return self._parser.feed(text)

    def finish(self) -> list[ChatEvent]:
        """Give what was held back: nothing of the text is lost."""
        return self._parser.finish()


def description_of(prompt: ChatPrompt) -> Description:
    """Give what the output of ``prompt`` is read by; one made by hand has none of its own."""
    return prompt.description or _plain(prompt)


def _plain(prompt: ChatPrompt) -> Description:
    syntax = prompt.syntax
    thinking = Thinking(
        start=prompt.thinking_start, ends=prompt.thinking_ends, is_open=prompt.thinking_open
    )
    is_shown = prompt.reasoning_format != "none" and thinking.ends
    return compose(
        PLAIN,
        thinking=thinking if is_shown else Thinking(),
        content_starts=syntax.content_starts if is_shown else (),
    )


def parse(text: str, prompt: ChatPrompt, *, is_partial: bool = False) -> ChatMessage:
    r"""Take a whole output apart; never fails, and loses no text.

    Parameters
    ----------
    text : what the model wrote after ``prompt``.
    is_partial : whether more may come: then what may become a marker is left out.

    Examples
    --------
    >>> from llamanb.chat_layer import build
    >>> prompt = build(None, [{"role": "user", "content": "Hi"}])
    >>> parse("<think>\nHm.\n</think>\n\nHello!", prompt).content
    'Hello!'
    """
    parser = StreamParser(prompt)
    events = parser.feed(text)
    if not is_partial:
        events += parser.finish()
    return join_events(events)
