"""The commands that look into a prompt: ``build``, ``grammar``, ``parse``, ``tokens``, ``tools``.

Unlike the others they need the user's variables, so they take the shell, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from llamanb.notebook.grammar_view import GrammarView
from llamanb.notebook.interpolation import interpolate
from llamanb.notebook.messages import UsageError
from llamanb.notebook.names import find_variable
from llamanb.notebook.parse_view import ParseView
from llamanb.notebook.prompt_view import PromptView, build_prompt
from llamanb.notebook.questions import make_question
from llamanb.notebook.reply import Reply
from llamanb.notebook.token_view import TokensView
from llamanb.notebook.tools_command import run_tools

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.chat_layer import ChatPrompt
    from llamanb.notebook.arguments import Arguments
    from llamanb.notebook.asking import Question
    from llamanb.notebook.state import NotebookState

__all__ = ["INSPECTORS"]

_VARIABLE = re.compile(r"\$[^\W\d]\w*(\.\w+)*")
_WHO = frozenset({"chat", "model"})  # options that do not make another prompt


def _question(arguments: Arguments, text: str, state: NotebookState, shell: Any) -> Question:
    """Give a question to look at; the chat stays as it is."""
    return make_question({**arguments.values, "dry_run": True}, text, state, shell)


def _build(arguments: Arguments, state: NotebookState, shell: Any) -> PromptView:
    return PromptView.of(_question(arguments, arguments.text, state, shell))


def _grammar(arguments: Arguments, state: NotebookState, shell: Any) -> GrammarView:
    question = _question(arguments, arguments.text, state, shell)
    return GrammarView.of(_prompt(question), as_gbnf=bool(arguments.values.get("gbnf")))


def _parse(arguments: Arguments, state: NotebookState, shell: Any) -> ParseView:
    question = _question(arguments, "", state, shell)
    chat = question.chat
    has_own_prompt = bool(arguments.values.keys() - _WHO)
    last = None if has_own_prompt or chat is None else chat.prompt
    tools = chat.session.tools if chat else {}
    return ParseView.of(_text(arguments, shell), last or _prompt(question), tools)


def _tokens(arguments: Arguments, state: NotebookState, shell: Any) -> TokensView:
    model = state.model(arguments.values.get("model"))
    is_plain = bool(arguments.values.get("plain"))
    return TokensView.of(_text(arguments, shell), model, parse_special=not is_plain)


def _prompt(question: Question) -> ChatPrompt:
    prompt = build_prompt(question)
    if prompt is None:
        raise UsageError("--raw has no chat, and so no prompt to look at")
    return prompt


def _text(arguments: Arguments, shell: Any) -> str:
    """Give the text of the line, or of the ``$variable`` that it names."""
    written = arguments.text
    if not _VARIABLE.fullmatch(written):
        return interpolate(written, shell)
    value = find_variable(written, shell)
    if isinstance(value, Reply):
        return value.raw
    if not isinstance(value, str):
        raise UsageError(f"{written} is no text but {type(value).__name__}")
    return value


INSPECTORS: dict[str, Callable[[Arguments, NotebookState, Any], object]] = {
    "build": _build,
    "grammar": _grammar,
    "parse": _parse,
    "tokens": _tokens,
    "tools": run_tools,
}
