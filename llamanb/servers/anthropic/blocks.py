"""One content block of an answer, as it grows and as a whole."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Literal

from llamanb.servers.anthropic.responses import input_json

__all__ = ["AnswerBlock", "Kind"]

Kind = Literal["text", "thinking", "tool_use"]
# What a block has before anything is said, and how more of it is told.
_OPENINGS: dict[Kind, dict[str, Any]] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
}
_DELTAS: dict[Kind, tuple[str, str]] = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "tool_use": ("input_json_delta", "partial_json"),
}


@dataclass(slots=True, kw_only=True)
class AnswerBlock:
    """Text, thinking or a call.

    Attributes
    ----------
    named : id and name of a call.
    is_hidden : whether its text is not told.
    texts : what was said, piece by piece; a call's arguments as JSON.
    """

    kind: Kind
    named: dict[str, str] = field(default_factory=dict)
    is_hidden: bool = False
    texts: list[str] = field(default_factory=list)

    def opening(self) -> dict[str, Any]:
        """Give the block as it begins."""
        return {"type": self.kind, **self.named, **_OPENINGS[self.kind]}

    def add(self, text: str) -> list[dict[str, str]]:
        """Take more text; give the delta that tells it, if one does."""
        self.texts.append(text)
        delta, name = _DELTAS[self.kind]
        return [] if self.is_hidden else [{"type": delta, name: text}]

    def closing(self) -> list[dict[str, str]]:
        """Give the delta that comes last, if one does."""
        if self.kind != "thinking":
            return []
        return [{"type": "signature_delta", "signature": self._signature()}]

    def written(self) -> str:
        """Give the whole block as JSON; what the model wrote as JSON is in it as it was."""
        text = "".join(self.texts)
        head = {"type": self.kind, **self.named}
        if self.kind == "tool_use":
            return f'{_json(head)[:-1]},"input":{input_json(text)}}}'
        head[self.kind] = "" if self.is_hidden else text
        if self.kind == "thinking":
            head["signature"] = self._signature()
        return _json(head)

    def _signature(self) -> str:
        """Give what clients send back with a thought; nobody checks it here."""
        digest = hashlib.sha256("".join(self.texts).encode()).digest()
        return base64.b64encode(digest).decode()


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
