"""Follow a tool call back to the text that it was made of, its trigger and its grammar."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer import call_spans
from llamanb.engine import trace_grammar
from llamanb.errors import OptionError
from llamanb.notebook.call_view import fenced
from llamanb.notebook.calls import Call
from llamanb.notebook.clean_text import clean_text
from llamanb.notebook.grammar_views import GrammarCheck
from llamanb.notebook.highlight import highlight_code
from llamanb.notebook.parse_view import call_problems
from llamanb.notebook.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llamanb.chat_layer import CallSpan, ChatPrompt
    from llamanb.conversation.tools import Tool
    from llamanb.models import Model

__all__ = ["CallSpanView"]

MOST_AROUND = 600
_PRE = "white-space:pre-wrap;overflow-wrap:anywhere"
_CALL = (
    "background:rgba(33,150,243,.16);outline:1px solid var(--jp-brand-color1,#1976d2);"
    "border-radius:2px"
)
_TRIGGER = (
    "font-weight:bold;text-decoration:underline double;"
    "background:rgba(255,152,0,.3);border-radius:2px"
)
_MUTED = "color:var(--jp-ui-font-color2,#666)"
_FAILED = "color:var(--jp-error-color1,#c00)"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CallSpanView:
    """One tool call in the raw output that it stands in.

    Attributes
    ----------
    raw : the output.
    span : the call's characters, its trigger and its arguments.
    n_calls : how many calls the output has.
    format : the syntax by which it was read.
    grammar, rules : the whole grammar, and those of its lines that are about this tool.
    check : how far the output, up to the end of the call's section, goes along with the
        grammar; None if that is not known.
    arguments : a row for each argument: name, value, and what the tool's schema says of it.
    problems : what is wrong with the call, in sentences.
    """

    raw: str
    span: CallSpan
    n_calls: int
    format: str
    grammar: str
    rules: str
    check: GrammarCheck | None
    arguments: tuple[tuple[str, str, str], ...]
    problems: tuple[str, ...]

    @classmethod
    def of(
        cls,
        raw: str,
        prompt: ChatPrompt,
        call: int | str = 0,
        tools: Mapping[str, Tool[..., Any]] | None = None,
        *,
        model: Model | None = None,
    ) -> CallSpanView:
        """Find a call in ``raw``, an output of ``prompt``.

        Parameters
        ----------
        call : its number, counted from 0, or the id that it has in ``raw``.
        tools : the tools that there were, by name.
        model : whose tokens the grammar is walked by; without it, it is not walked.

        Raises
        ------
        OptionError
            If there is no such call.
        """
        spans = call_spans(prompt, raw)
        span = _found(spans, call)
        known = tools or {}
        return cls(
            raw=raw,
            span=span,
            n_calls=len(spans),
            format=prompt.format,
            grammar=prompt.grammar,
            rules=_rules(prompt.grammar, span.name),
            check=_check(raw[: span.section_end], prompt, model),
            arguments=tuple(_arguments(span, known.get(span.name))),
            problems=tuple(call_problems(_call(span), known)),
        )

    # ---- showing -------------------------------------------------------------------------

    def __repr__(self) -> str:
        span = self.span
        return "\n".join(
            [
                clean_text(self.raw[span.start : span.end]),
                *(f"{label}: {clean_text(text)}" for label, text in self._facts()),
                repr(self._table()),
                *(f"problem: {clean_text(one)}" for one in self.problems),
                f"[{self._summary()}]",
            ]
        )

    def _repr_html_(self) -> str:
        facts = "".join(
            f'<div><small style="{_MUTED}">{escape(label)}</small> '
            f"<code>{escape(clean_text(text))}</code></div>"
            for label, text in self._facts()
        )
        problems = "".join(
            f'<div style="{_FAILED}">problem: {escape(clean_text(one))}</div>'
            for one in self.problems
        )
        raw = f'<pre style="{_PRE}">{self._marked()}</pre>'
        below = f"<small>{escape(clean_text(self._summary()))}</small>"
        folds = self._check_fold() + self._grammar_fold()
        return f"<div>{raw}{facts}{self._table()._repr_html_()}{problems}{folds}{below}</div>"

    def _repr_markdown_(self) -> str:
        return fenced(repr(self))

    def _facts(self) -> Iterator[tuple[str, str]]:
        span = self.span
        yield "characters", f"{span.start} to {span.end} of {len(self.raw)}"
        if span.trigger_start is not None:
            yield "trigger", f"{span.trigger!r} at character {span.trigger_start}"
            yield "pattern", span.pattern
        elif self.grammar:
            yield "trigger", "none: the grammar holds from the first token on, or never began"
        if self.check is not None:
            yield "grammar", self._walked(self.check)
        if self.rules:
            yield "rule", self.rules

    def _walked(self, check: GrammarCheck) -> str:
        """Say how the grammar takes to the call."""
        if check.begins_at is None:
            return "never began: no trigger came before the end"
        begins = f"begins at character {check.begins_at}"
        if check.position < self.span.start:
            return f"{begins}, {check.verdict()}, before the call"
        if check.position < self.span.end:
            return (
                f"{begins}, {check.verdict()}, in the call; may come there: {check.expected.line()}"
            )
        return f"{begins}, accepts the whole call"

    def _table(self) -> Table:
        title = f"Arguments of {self.span.name}"
        note = "" if self.arguments else "none"
        return Table(title, ("argument", "value", "what the tool asks for"), self.arguments, note)

    def _summary(self) -> str:
        n_problems = len(self.problems)
        problems = f"{n_problems or 'no'} problem{'s' * (n_problems != 1)}"
        return f"call {self.span.index + 1} of {self.n_calls}, read as {self.format}, {problems}"

    def _marked(self) -> str:
        """Give the output with the call and its trigger marked, and little around them."""
        span = self.span
        trigger_end = (span.trigger_start or 0) + len(span.trigger)
        marks = {"call": (span.start, span.end)}
        if span.trigger_start is not None:
            marks["trigger"] = (span.trigger_start, trigger_end)
        first = min(start for start, _ in marks.values())
        start, end = max(0, first - MOST_AROUND), min(len(self.raw), span.end + MOST_AROUND)
        before, after = "…" * (start > 0), "…" * (end < len(self.raw))
        return before + "".join(_pieces(self.raw, start, end, marks)) + after

    def _check_fold(self) -> str:
        if self.check is None:
            return ""
        return _fold("the grammar's way through the output", self.check._repr_html_())

    def _grammar_fold(self) -> str:
        if not self.grammar:
            return ""
        inside = highlight_code(clean_text(self.grammar), "lark")
        return _fold("the whole grammar (Lark)", f'<pre style="{_PRE}">{inside}</pre>')


def _found(spans: list[CallSpan], call: int | str) -> CallSpan:
    found = next((one for one in spans if call in (one.index, one.id)), None)
    if found is None:
        n_calls = len(spans) or "no"
        raise OptionError(
            f"there is no such call: the output has {n_calls} call{'s' * (n_calls != 1)}"
        )
    return found


def _call(span: CallSpan) -> Call:
    return Call(id=span.id, name=span.name, arguments=span.arguments, is_whole=span.is_whole)


def _check(raw: str, prompt: ChatPrompt, model: Model | None) -> GrammarCheck | None:
    constraint = prompt.constraint()
    if model is None or constraint is None:
        return None
    return GrammarCheck.of(trace_grammar(model.vocab, constraint, raw), model.vocab)


def _rules(grammar: str, name: str) -> str:
    """Give the lines of a grammar that name the tool."""
    return "\n".join(line for line in grammar.splitlines() if name and name in line)


def _arguments(span: CallSpan, tool: Tool[..., Any] | None) -> Iterator[tuple[str, str, str]]:
    """Give what was written for each argument, and what the tool's schema says of it."""
    schema = tool.description.parameters if tool else {}
    properties, required = schema.get("properties") or {}, schema.get("required") or ()
    written = _call(span).args or {}
    for name in [*written, *(one for one in properties if one not in written)]:
        value = _json(written[name]) if name in written else "not given"
        yield name, value, _wanted(properties.get(name), tool, is_required=name in required)


def _wanted(schema: Any, tool: Tool[..., Any] | None, *, is_required: bool) -> str:
    if schema is None:
        return "no such argument" if tool else "the tool is not known"
    return ("required " if is_required else "optional ") + _json(schema)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _pieces(raw: str, start: int, end: int, marks: dict[str, tuple[int, int]]) -> Iterator[str]:
    """Cut ``raw`` at the edges of the marks, and give each piece with the marks it is in."""
    edges = {start, end, *(edge for mark in marks.values() for edge in mark)}
    places = sorted(edge for edge in edges if start <= edge <= end)
    for left, right in pairwise(places):
        inside = [name for name, (a, b) in marks.items() if a <= left and right <= b]
        style = ";".join({"call": _CALL, "trigger": _TRIGGER}[name] for name in inside)
        shown = escape(clean_text(raw[left:right]))
        title = " and ".join(inside)
        yield f'<span style="{style}" title="{title}">{shown}</span>' if inside else shown


def _fold(heading: str, inside: str) -> str:
    summary = f'<summary style="{_MUTED};cursor:pointer">{heading}</summary>'
    return f"<details>{summary}{inside}</details>"
