"""Show the prompt that a question would send (``--dry-run``)."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from llamanb.chat_layer import build
from llamanb.models.tokens import prompt_tokens
from llamanb.notebook.clean_text import clean_text

if TYPE_CHECKING:
    from llamanb.notebook.asking import Question

__all__ = ["PromptView"]


@dataclass(frozen=True, slots=True)
class PromptView:
    """A prompt as the model would get it: text, and the number of its tokens."""

    text: str
    n_tokens: int
    model: str

    @classmethod
    def of(cls, question: Question) -> PromptView:
        """Give the prompt that ``question`` would send now, without sending it."""
        model, chat, text = question.model, question.chat, question.text
        if chat is None:
            return cls(text, len(model.request(text).prompt_tokens), model.name)
        messages = [*chat.messages_before(question.run), {"role": "user", "content": text}]
        prompt = build(
            model.chat_template,
            messages,
            enable_thinking=question.think,
            bos_token=model.info.bos_token,
            eos_token=model.info.eos_token,
        )
        return cls(prompt.prompt, len(prompt_tokens(prompt, model.vocab)), model.name)

    def __repr__(self) -> str:
        return f"{clean_text(self.text)}\n[{self._summary()}]"

    def _repr_html_(self) -> str:
        shown = escape(clean_text(self.text))
        return f'<pre style="white-space:pre-wrap">{shown}</pre><small>{escape(self._summary())}</small>'

    def _summary(self) -> str:
        return f"{self.n_tokens} tokens for {self.model}, not sent"
