"""Show the grammar that an answer is held to."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from llamanb.notebook.call_view import fenced
from llamanb.notebook.clean_text import clean_text
from llamanb.notebook.highlight import highlight_code
from llamanb.notebook.prompt_view import constraint_line

if TYPE_CHECKING:
    from llamanb.chat_layer import ChatPrompt

__all__ = ["GrammarView"]

_PRE = "white-space:pre-wrap;overflow-wrap:anywhere"


@dataclass(frozen=True, slots=True)
class GrammarView:
    """A grammar, its language (``"lark"`` or ``"gbnf"``), and when it begins to hold.

    Attributes
    ----------
    text : the grammar; "" if any answer may come.
    """

    text: str
    language: str
    note: str

    @classmethod
    def of(cls, prompt: ChatPrompt, *, as_gbnf: bool) -> GrammarView:
        """Give the grammar of ``prompt``.

        Raises
        ------
        GrammarError
            If GBNF cannot express it.
        """
        text = prompt.to_gbnf() if as_gbnf else prompt.grammar
        note = f"{prompt.format}, {constraint_line(prompt)}"
        if prompt.trigger_patterns:
            note += ": " + "  ".join(map(repr, prompt.trigger_patterns))
        return cls(text, "gbnf" if as_gbnf else "lark", note)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return "\n".join(filter(None, (clean_text(self.text).rstrip("\n"), f"[{self._note()}]")))

    def _repr_html_(self) -> str:
        inside = highlight_code(clean_text(self.text), self.language)
        below = f"<small>{escape(clean_text(self._note()))}</small>"
        return f'<div><pre style="{_PRE}">{inside}</pre>{below}</div>'

    def _repr_markdown_(self) -> str:
        return fenced(repr(self))

    def _note(self) -> str:
        if not self.text:
            return "no grammar: any answer may come; give -t, --schema, --choices or --regex"
        return f"{self.language}, {self.note}"
