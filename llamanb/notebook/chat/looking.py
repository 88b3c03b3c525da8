"""Look behind an answer: its prompt, its grammar, its raw text, its tokens, one of its calls."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from llamanb.errors import OptionError
from llamanb.models.tokens import special_tokens
from llamanb.notebook.call_span_view import CallSpanView
from llamanb.notebook.clean_text import clean_text
from llamanb.notebook.grammar_view import GrammarView
from llamanb.notebook.parse_view import ParseView
from llamanb.notebook.probs_view import ProbsView
from llamanb.notebook.prompt_view import PromptView

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llamanb.conversation import TalkStream
    from llamanb.conversation.tools import Tool
    from llamanb.models import Model

    Tools = Mapping[str, Tool[..., Any]]

__all__ = ["look"]

_PRE = "white-space:pre-wrap;overflow-wrap:anywhere"


def look(
    what: str, stream: TalkStream, model: Model, tools: Tools, call: str = ""
) -> dict[str, Any]:
    """Give ``title`` and ``html`` of one look at a turn.

    Parameters
    ----------
    what : ``"prompt"``, ``"grammar"``, ``"raw"``, ``"tokens"`` or ``"call"``.
    model, tools : who answered, and what it could call.
    call : the id of the call.

    Raises
    ------
    OptionError
        If there is nothing of that kind to look at.
    """
    if what == "call":
        return {"title": "Tool call", "html": _call(stream, model, tools, call)}
    if what not in _LOOKS:
        raise OptionError(f"there is no look called {what[:40]!r}")
    title, draw = _LOOKS[what]
    return {"title": title, "html": draw(stream, model, tools)}


def _prompt(stream: TalkStream, model: Model, _: Tools) -> str:
    generation = stream.generation
    special = frozenset(filter(str.strip, special_tokens(model.vocab)))
    n_tokens = len(generation.request.prompt_tokens)
    view = PromptView(stream.prompt.prompt, n_tokens, model.name, stream.prompt, special)
    return view._repr_html_()


def _grammar(stream: TalkStream, _: Model, __: Tools) -> str:
    return GrammarView.of(stream.prompt, as_gbnf=False)._repr_html_()


def _raw(stream: TalkStream, _: Model, tools: Tools) -> str:
    texts = [generation.text for generation in stream.generations]
    shown = "".join(f'<pre style="{_PRE}">{escape(clean_text(text))}</pre>' for text in texts)
    read = ParseView.of(texts[-1], stream.prompt, tools)
    return f"{shown}<div>{read._repr_html_()}</div>"


def _tokens(stream: TalkStream, model: Model, _: Tools) -> str:
    return ProbsView.of(stream.generations, model)._repr_html_()


def _call(stream: TalkStream, model: Model, tools: Tools, call: str) -> str:
    for generation, prompt, index in _rounds_with(stream, call):
        view = CallSpanView.of(generation.text, prompt, index, tools, model=model)
        return view._repr_html_()
    raise OptionError("this call was not written by the model")


def _rounds_with(stream: TalkStream, call: str) -> Any:
    for generation, prompt, ids in stream.rounds:
        if call in ids:
            yield generation, prompt, ids.index(call)


_LOOKS: dict[str, tuple[str, Callable[[TalkStream, Model, Tools], str]]] = {
    "prompt": ("What the model was given", _prompt),
    "grammar": ("What the answer was held to", _grammar),
    "raw": ("What the model wrote", _raw),
    "tokens": ("Token by token", _tokens),
}
