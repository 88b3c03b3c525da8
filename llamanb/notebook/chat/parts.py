"""What a talk in the widget consists of: plain values that the page, the copy and exports share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from llamanb.notebook.calls import Call

__all__ = ["Attachment", "Part", "TalkView", "Thought", "TurnView"]


@dataclass(slots=True, kw_only=True)
class Thought:
    """What a model thought before it went on; ``seconds`` and ``tokens`` are what it took."""

    text: str = ""
    seconds: float = 0.0
    tokens: int = 0
    is_open: bool = True

    @property
    def heading(self) -> str:
        """What stands on the fold."""
        if self.is_open:
            return f"Thinking… {self.tokens:,} tokens"
        if not (self.seconds or self.tokens):  # read from messages, which do not say
            return "Thought"
        return f"Thought for {self.seconds:.1f} s · {self.tokens:,} tokens"


Part = str | Thought | Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """Something given along with a question.

    Attributes
    ----------
    name : of the file or variable.
    kind : where it comes from.
    text : what the model reads.
    url : an image as a ``data:`` address, for the page.
    """

    name: str
    kind: Literal["text", "image", "variable"]
    text: str
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnView:
    """A question and all that followed it; ``when_s`` is seconds since 1970."""

    question: str
    attachments: tuple[Attachment, ...] = ()
    parts: tuple[Part, ...] = ()
    footer: str = ""
    error: str = ""
    when_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkView:
    """A whole talk as it is shown; ``messages`` are OpenAI dictionaries, the system prompt first."""

    model: str
    is_toy: bool = False
    system_prompt: str = ""
    sampling: dict[str, Any] = field(default_factory=dict)
    turns: tuple[TurnView, ...] = ()
    messages: list[dict[str, Any]] = field(default_factory=list)
