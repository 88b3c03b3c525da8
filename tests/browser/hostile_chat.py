"""In a kernel: a model and a talk that put every hostile text wherever a chat shows text."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from llamanb.conversation.tools import tool
from llamanb.engine.values import Piece, TokenLogprob
from tests.conversation.fakes import FakeVocabulary, Script
from tests.conversation.talks import call
from tests.corpora.hostile_markdown import HOSTILE
from tests.notebook.chat.page import PageModel

if TYPE_CHECKING:
    from llamanb import ChatWidget
    from llamanb.engine.generation import Generation

__all__ = ["HostileModel", "attach", "echo", "past", "rename", "replies"]

FIRST_TOKEN = 2_000_000  # far from the characters' numbers
ROUND = 32
ATTACHED = 20


class HostileVocabulary(FakeVocabulary):
    """Has every hostile text as a token."""

    def token_to_piece(self, token: int) -> str:
        """Give the text of a token."""
        is_text = token >= FIRST_TOKEN
        return HOSTILE[token - FIRST_TOKEN] if is_text else super().token_to_piece(token)

    def is_control(self, token: int) -> bool:
        """Say that every other one is a control token: those are shown otherwise."""
        return token % 2 == 0

    def is_eog(self, token: int) -> bool:
        """Say that none ends an answer."""
        return token < 0

    def token_bytes(self, token: int) -> bytes:
        """Give the text of a token as bytes."""
        return self.token_to_piece(token).encode()


class HostileModel(PageModel):
    """Says what is queued; one piece for a token, each with hostile alternatives."""

    vocab: FakeVocabulary

    def __init__(self) -> None:
        super().__init__(vocab=HostileVocabulary())

    def submit(self, request: Any) -> Generation:
        """Say what is queued, with the probabilities of hostile tokens."""
        script, self.scripts[0] = self.scripts[0], Script(pieces=[], reason=None)
        generation = super().submit(request)
        for number, text in enumerate(script.pieces):
            generation.deliver(_piece(number, text))
        self._end(generation, script.reason or "stop", script)
        return generation


def _piece(number: int, text: str) -> Piece:
    token, other = (FIRST_TOKEN + (number + step) % len(HOSTILE) for step in (0, 1))
    top = ((other, HOSTILE[other - FIRST_TOKEN], -0.2), (token, HOSTILE[token - FIRST_TOKEN], -1.7))
    known = TokenLogprob(token=token, text=top[1][1], logprob=-1.7, top=top, entropy=0.5)
    return Piece(text=text, tokens=(token,), logprobs=(known,))


@tool(approve=False)
def echo(text: str) -> str:
    """Give the text back, and print it."""
    sys.stdout.write(text)
    return text


def replies() -> list[list[str]]:
    """Give replies of which each thinks, says and calls with some of the texts."""
    rounds = [HOSTILE[at : at + ROUND] for at in range(0, len(HOSTILE), ROUND)]
    return [_reply(texts) for texts in rounds] + [["The end."]]


def _reply(texts: tuple[str, ...]) -> list[str]:
    pieces = [f"<think>{texts[0]}</think>"]
    for number, text in enumerate(texts):
        pieces += [text, call("echo" if number % 2 else text, {"text": text})]
    return [part for piece in pieces for part in (piece[:9], piece[9:])]


def past() -> list[dict[str, Any]]:
    """Give a talk that was: each text as question, thought, answer, call and result."""
    return [message for number, text in enumerate(HOSTILE) for message in _turn(number, text)]


def _turn(number: int, text: str) -> list[dict[str, Any]]:
    function = {"name": text, "arguments": json.dumps({text: text})}
    asked = {"id": f"call-{number}", "type": "function", "function": function}
    return [
        {"role": "user", "content": text},
        {"role": "assistant", "reasoning_content": text, "content": text, "tool_calls": [asked]},
        {"role": "tool", "tool_call_id": f"call-{number}", "name": text, "content": text},
    ]


def rename(chat: ChatWidget, model: HostileModel) -> None:
    """Give the model and its orders every text in turn, and complain with each."""
    for text in HOSTILE:
        model.name = chat.session.system_prompt = text
        chat.update()
        _say(chat, "set", settings={"temperature": text})


def attach(chat: ChatWidget, model: HostileModel) -> None:
    """Ask with files named like the texts; the answers fail with all of them."""
    for at in range(0, len(HOSTILE), ATTACHED):
        texts = HOSTILE[at : at + ATTACHED]
        model.enqueue([texts[0]], reason="error", error=" ".join(texts), error_type="server_error")
        given = [{"kind": "text", "name": text, "text": text} for text in texts]
        _say(chat, "send", text=texts[0], attachments=given)
        assert chat.wait(30)


def _say(chat: ChatWidget, kind: str, **more: Any) -> None:
    chat.hear({"v": 1, "view": "test", "k": kind, **more})
