"""Complete ``%llama`` lines from the option table, and prompts not at all.

A prompt is prose: Python names would only be in the way there, and collecting them
takes Jedi seconds the first time. ``{{expression}}`` inside a prompt is Python.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from IPython.core.completer import SimpleCompletion, context_matcher, provisionalcompleter

from llamanb.notebook.candidates import completions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from IPython.core.completer import CompletionContext, IPCompleter, SimpleMatcherResult

__all__ = ["make_matcher", "open_expression", "place_of"]

_LINE = re.compile(r"(?:^|=)\s*%llama\s+(?P<rest>.*)$", re.DOTALL)
_CELL_LINE = re.compile(r"%%llama(?:\s+(?P<rest>.*))?$", re.DOTALL)


def make_matcher(
    completer: IPCompleter, names: Callable[[str], Iterable[str]]
) -> Callable[[CompletionContext], SimpleMatcherResult]:
    """Give the matcher for ``completer.custom_matchers``.

    Parameters
    ----------
    completer : completes the expressions inside ``{{ }}``.
    names : gives the names of ``"models"`` or ``"chats"`` that there are.
    """

    @context_matcher()
    def llama_matcher(context: CompletionContext) -> SimpleMatcherResult:
        lines = context.full_text.split("\n")[: context.cursor_line + 1]
        lines[-1] = lines[-1][: context.cursor_position]
        place = place_of(lines)
        if place is None:
            return {"completions": []}
        kind, text = place
        expression = open_expression(text)
        if expression is not None:
            return _python_completions(completer, expression)
        if kind == "prompt":
            return _only([], "")
        fragment = re.split(r"[\s=]", text)[-1]
        found = completions(text, names, is_cell=kind == "cell line")
        return _only([SimpleCompletion(text=text, type="param") for text in found], fragment)

    return llama_matcher  # type: ignore[no-any-return]  # IPython's decorator is untyped


def place_of(lines: list[str]) -> tuple[str, str] | None:
    r"""Give where the cursor, at the end of ``lines``, is: a kind and the text up to it.

    The kind is ``"line"`` (after ``%llama``), ``"cell line"`` (after ``%%llama``) or
    ``"prompt"``; None is anywhere else. Cell magics may stand above each other.

    Examples
    --------
    >>> place_of(["%%time", "%%llama --te"])
    ('cell line', '--te')
    """
    for number, line in enumerate(lines):
        if found := _CELL_LINE.match(line):
            if below := lines[number + 1 :]:
                return "prompt", "\n".join(below)
            return None if found["rest"] is None else ("cell line", found["rest"])
        if not line.startswith("%%"):
            break
    found = _LINE.search(lines[-1])
    return ("line", found["rest"]) if found else None


def open_expression(text: str) -> str | None:
    """Give what stands after the last ``{{`` that no ``}}`` closes, None without one.

    Examples
    --------
    >>> open_expression("{{a}} and {{len(b")
    'len(b'
    """
    before, opener, expression = text.rpartition("{{")
    is_open = bool(opener) and "}}" not in expression and not before.endswith("\\")
    return expression.lstrip() if is_open else None


def _python_completions(completer: IPCompleter, expression: str) -> SimpleMatcherResult:
    with provisionalcompleter(), _without_jedi(completer):
        found = list(completer.completions(expression, len(expression)))
    start = found[0].start if found else len(expression)
    kept = [c for c in found if c.start == start and not c.text.startswith("%")]
    return _only([SimpleCompletion(text=c.text, type=c.type) for c in kept], expression[start:])


@contextmanager
def _without_jedi(completer: IPCompleter) -> Iterator[None]:
    before = completer.use_jedi
    completer.use_jedi = False
    try:
        yield
    finally:
        completer.use_jedi = before


class _Nothing:
    """No completions, yet not empty: IPython lets no empty result suppress the others."""

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[SimpleCompletion]:
        return iter(())


def _only(found: list[SimpleCompletion], fragment: str) -> SimpleMatcherResult:
    """Give a result beside which no other matcher is asked."""
    shown = found or cast("list[SimpleCompletion]", _Nothing())
    return {"completions": shown, "suppress": True, "matched_fragment": fragment}
