"""Show a prompt before it is sent: its text, and what may follow it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from llamanb.models.tokens import prompt_tokens, special_tokens
from llamanb.notebook.call_view import fenced
from llamanb.notebook.clean_text import clean_text
from llamanb.notebook.highlight import highlight_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from llamanb.chat_layer import ChatPrompt
    from llamanb.notebook.asking import Question

__all__ = ["PromptView", "build_prompt"]

_MUTED = "color:var(--jp-ui-font-color2,#666)"
_SPECIAL = "color:#fff;background:var(--jp-brand-color1,#1976d2);border-radius:3px;padding:0 2px"
_PLAIN = "border-bottom:2px dotted var(--jp-error-color1,#c00)"
_STYLES = {"special": _SPECIAL, "plain": _PLAIN}
_PRE = "white-space:pre-wrap;overflow-wrap:anywhere"


def build_prompt(question: Question) -> ChatPrompt | None:
    """Give the prompt that ``question`` would send now, None with ``--raw``."""
    if question.chat is None:
        return None
    session = question.chat.session
    said = {"role": "user", "content": question.text}
    return question.model.chat_build(
        [*question.chat.messages_before(question.run), said],
        tools=list(session.tools.values()) or None,
        tool_choice=question.tool_choice or "auto",
        enable_thinking=question.think,
        **question.wanted.options,
    )


@dataclass(frozen=True, slots=True)
class PromptView:
    """A prompt as the model would get it.

    Attributes
    ----------
    text : the whole prompt.
    n_tokens, model : how many tokens it has for which model.
    built : the prompt with its grammar, triggers and stops; None with ``--raw``.
    special : the texts of the model's control tokens.
    """

    text: str
    n_tokens: int
    model: str
    built: ChatPrompt | None = None
    special: frozenset[str] = frozenset()

    @classmethod
    def of(cls, question: Question) -> PromptView:
        """Give the prompt that ``question`` would send now, without sending it."""
        model = question.model
        prompt = build_prompt(question)
        if prompt is None:
            request = model.request(question.text, **question.wanted.options)
            return cls(question.text, len(request.prompt_tokens), model.name)
        n_tokens = len(prompt_tokens(prompt, model.vocab))
        special = frozenset(filter(str.strip, special_tokens(model.vocab)))
        return cls(prompt.prompt, n_tokens, model.name, prompt, special)

    def __repr__(self) -> str:
        facts = [f"{label}: {value}" for label, value in self._facts()]
        return "\n".join([clean_text(self.text), *facts, f"[{clean_text(self._summary())}]"])

    def _repr_html_(self) -> str:
        shown = "".join(_marked(kind, text) for kind, text in self._pieces())
        rows = "".join(
            f'<div><small style="{_MUTED}">{escape(label)}</small> '
            f"<code>{escape(clean_text(value))}</code></div>"
            for label, value in self._facts()
        )
        below = f"<small>{escape(clean_text(self._summary()))}</small>"
        return f'<div><pre style="{_PRE}">{shown}</pre>{rows}{self._fold()}{below}</div>'

    def _repr_markdown_(self) -> str:
        return fenced(repr(self))

    def _summary(self) -> str:
        return f"{self.n_tokens} tokens for {self.model}, not sent"

    def _fold(self) -> str:
        if self.built is None or not self.built.grammar:
            return ""
        inside = highlight_code(clean_text(self.built.grammar), "lark")
        heading = f'<summary style="{_MUTED};cursor:pointer">grammar (Lark)</summary>'
        return f'<details>{heading}<pre style="{_PRE}">{inside}</pre></details>'

    def _facts(self) -> Iterator[tuple[str, str]]:
        """Give what is known of the answer; nothing is said of what is not there."""
        if self.built is None:
            return
        prompt = self.built
        yield "format", prompt.format
        yield "constraint", constraint_line(prompt)
        for label, texts in (
            ("trigger patterns", prompt.trigger_patterns),
            ("trigger tokens", prompt.trigger_tokens),
            ("stops", prompt.additional_stops),
            ("preserved tokens", prompt.preserved_tokens),
            ("thinking", (prompt.thinking_start, *prompt.thinking_ends)),
        ):
            if any(texts):
                yield label, "  ".join(map(repr, texts))
        yield from (("repair", repair) for repair in prompt.repairs)

    def _pieces(self) -> Iterator[tuple[str, str]]:
        """Cut the prompt at control tokens: those that count, and those that are only text."""
        pattern = _pattern(self.special)
        spans = self.built.content_spans if self.built else ((0, len(self.text)),)
        position = 0
        for found in pattern.finditer(self.text):
            yield "", self.text[position : found.start()]
            is_written = any(start <= found.start() < end for start, end in spans)
            yield "plain" if is_written else "special", found[0]
            position = found.end()
        yield "", self.text[position:]


def constraint_line(prompt: ChatPrompt) -> str:
    """Say in a few words whether and when the answer is held to a grammar."""
    if not prompt.grammar:
        return "none"
    return "from a trigger on" if prompt.grammar_lazy else "from the first token on"


def _pattern(texts: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(texts, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def _marked(kind: str, text: str) -> str:
    shown = escape(clean_text(text))
    return f'<span style="{_STYLES[kind]}">{shown}</span>' if kind else shown
