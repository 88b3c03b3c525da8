"""Try a grammar out: what it accepts, what it allows next, what a model makes of it."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

from llamanb.engine import trace_grammar
from llamanb.errors import OptionError
from llamanb.models.constraints import read_constraint
from llamanb.models.grammar_samples import draw_samples
from llamanb.notebook.call_view import fenced
from llamanb.notebook.clean_text import clean_text
from llamanb.notebook.grammar_views import AllowedTokens, GrammarCheck, GrammarSteps, Samples
from llamanb.notebook.highlight import highlight_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llamanb.chat_layer import ChatPrompt
    from llamanb.engine import GrammarTrace
    from llamanb.models import Model
    from llamanb.settings import Constraint

__all__ = ["GrammarLab"]

_PRE = "white-space:pre-wrap;overflow-wrap:anywhere"
_LEXERS = {"json_schema": "json"}


class GrammarLab:
    """A grammar on the bench, with the model whose tokens it has to let through.

    Parameters
    ----------
    model : whose tokens count, and who writes samples.
    grammar : Lark (``start: …``) or GBNF (``root ::= …``) text, or a ``Constraint``.
    json_schema : a dictionary, JSON text, or a type that pydantic can describe.
    regex, choices : a regular expression; texts of which one is to be written.
    prompt : a chat prompt; its own grammar counts if no other is given.

    Raises
    ------
    GrammarError
        If the grammar does not compile; names the place where known.
    OptionError
        If there is no grammar, or more than one.

    Examples
    --------
    >>> lab = llamanb.GrammarLab(model, regex="[0-9]{4}")
    >>> lab.check("19x4").position
    2
    """

    def __init__(
        self,
        model: Model,
        grammar: str | Constraint | None = None,
        *,
        json_schema: Any = None,
        regex: str | None = None,
        choices: Sequence[str] | None = None,
        prompt: ChatPrompt | None = None,
    ) -> None:
        self.model, self.prompt = model, prompt
        self.constraint = _chosen(
            read_constraint(grammar=grammar, json_schema=json_schema, regex=regex, choices=choices),
            prompt,
        )
        self._trace("")  # says what is wrong with it

    @property
    def language(self) -> str:
        """``"lark"``, ``"gbnf"``, ``"json_schema"`` or ``"regex"``."""
        return self.constraint.kind

    @property
    def source(self) -> str:
        """The text of the grammar, schema or pattern."""
        if self.language != "json_schema":
            return self.constraint.source
        return json.dumps(json.loads(self.constraint.source), indent=1, ensure_ascii=False)

    def check(self, text: str) -> GrammarCheck:
        """Tell whether ``text`` matches, and the first character that does not fit."""
        return GrammarCheck.of(self._trace(text), self.model.vocab)

    def allowed(self, text: str = "") -> AllowedTokens:
        """Give the tokens that may follow ``text``.

        Raises
        ------
        OptionError
            If ``text`` is refused itself.
        """
        trace = self._trace(text)
        if not trace.is_accepted:
            place = f"line {trace.line}, column {trace.column}"
            raise OptionError(f"the text itself is refused at {place}; check() shows it")
        return AllowedTokens.of(trace.next, self.model.vocab)

    def steps(self, text: str) -> GrammarSteps:
        """Walk through ``text`` and count at every token how many were allowed."""
        trace = self._trace(text)
        return GrammarSteps(trace.steps, GrammarCheck.of(trace, self.model.vocab))

    def sample(
        self, n: int = 5, *, seed: int = 0, max_tokens: int = 200, prompt: str | ChatPrompt = ""
    ) -> Samples:
        """Let the model write ``n`` texts under the grammar, at temperature 1.

        They go on from ``prompt``, by default the lab's own, or else from nothing.
        """
        start = prompt or self.prompt or ""
        options: dict[str, Any] = {"n": n, "seed": seed, "max_tokens": max_tokens}
        drawn = draw_samples(self.model, self.constraint, prompt=start, **options)
        return Samples(tuple(drawn), self.model.name)

    def _trace(self, text: str) -> GrammarTrace:
        return trace_grammar(self.model.vocab, self.constraint, text)

    def __repr__(self) -> str:
        return f"{clean_text(self.source).rstrip()}\n[{self._summary()}]"

    def _summary(self) -> str:
        begins = "from a trigger on" if self.constraint.trigger else "from the first token on"
        return f"{self.language}, {begins}, for {self.model.name}"

    def _repr_html_(self) -> str:
        language = _LEXERS.get(self.language, self.language)
        inside = highlight_code(clean_text(self.source), language)
        below = f"<small>{escape(clean_text(self._summary()))}</small>"
        return f'<div><pre style="{_PRE}">{inside}</pre>{below}</div>'

    def _repr_markdown_(self) -> str:
        return fenced(repr(self))


def _chosen(constraint: Constraint | None, prompt: ChatPrompt | None) -> Constraint:
    found = constraint or (prompt.constraint() if prompt else None)
    if found is None:
        raise OptionError(
            "there is no grammar to try: give grammar=, json_schema=, regex=, choices=, "
            "or a prompt that has one"
        )
    return found
