"""The commands that look inside: ``build``, ``grammar``, ``parse``, ``probs``, ``tokens`` and so on.

Unlike the others they need the user's variables, so they take the shell, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from llamanb.notebook.call_span_view import CallSpanView
from llamanb.notebook.chat_command import open_chat
from llamanb.notebook.grammar_lab import GrammarLab
from llamanb.notebook.grammar_view import GrammarView
from llamanb.notebook.interpolation import interpolate
from llamanb.notebook.messages import UsageError
from llamanb.notebook.names import find_variable
from llamanb.notebook.parse_view import ParseView
from llamanb.notebook.probs_view import ProbsView
from llamanb.notebook.prompt_view import PromptView, build_prompt
from llamanb.notebook.questions import make_question
from llamanb.notebook.reply import Reply
from llamanb.notebook.scoring import score_reply, score_text
from llamanb.notebook.token_view import TokensView
from llamanb.notebook.tools_command import run_tools

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamanb.chat_layer import ChatPrompt
    from llamanb.notebook.arguments import Arguments
    from llamanb.notebook.asking import Question
    from llamanb.notebook.grammar_views import AllowedTokens, GrammarCheck, Samples
    from llamanb.notebook.state import NotebookState

__all__ = ["INSPECTORS"]

_VARIABLE = re.compile(r"\$[^\W\d]\w*(\.\w+)*")
_WHO = frozenset({"chat", "model", "call"})  # options that do not make another prompt
_TRIALS = ("check", "allowed", "sample")


def _question(arguments: Arguments, text: str, state: NotebookState, shell: Any) -> Question:
    """Give a question to look at; the chat stays as it is."""
    return make_question({**arguments.values, "dry_run": True}, text, state, shell)


def _build(arguments: Arguments, state: NotebookState, shell: Any) -> PromptView:
    return PromptView.of(_question(arguments, arguments.text, state, shell))


def _grammar(
    arguments: Arguments, state: NotebookState, shell: Any
) -> GrammarView | GrammarCheck | AllowedTokens | Samples:
    question = _question(arguments, arguments.text, state, shell)
    prompt = _prompt(question)
    asked = [key for key in _TRIALS if key in arguments.values]
    if not asked:
        return GrammarView.of(prompt, as_gbnf=bool(arguments.values.get("gbnf")))
    if len(asked) > 1 or not prompt.grammar:
        raise UsageError(_cannot_try(asked))
    value = arguments.values[asked[0]]
    lab = GrammarLab(question.model, prompt=prompt)
    if asked[0] == "sample":
        return lab.sample(value)
    written = _written(value, shell)
    return lab.check(written) if asked[0] == "check" else lab.allowed(written)


def _cannot_try(asked: list[str]) -> str:
    if len(asked) > 1:
        return f"give only one of {' and '.join(f'--{one}' for one in asked)}"
    return (
        f"--{asked[0]}: there is no grammar, any answer may come; "
        "give -t, --schema, --choices or --regex"
    )


def _parse(arguments: Arguments, state: NotebookState, shell: Any) -> ParseView | CallSpanView:
    question = _question(arguments, "", state, shell)
    chat = question.chat
    has_own_prompt = bool(arguments.values.keys() - _WHO)
    last = None if has_own_prompt or chat is None else chat.prompt
    tools = chat.session.tools if chat else {}
    prompt, text = last or _prompt(question), _text(arguments, shell)
    if "call" in arguments.values:
        number = arguments.values["call"] - 1  # people count from 1
        return CallSpanView.of(text, prompt, number, tools, model=question.model)
    return ParseView.of(text, prompt, tools)


def _tokens(arguments: Arguments, state: NotebookState, shell: Any) -> TokensView:
    model = state.model(arguments.values.get("model"))
    is_plain = bool(arguments.values.get("plain"))
    return TokensView.of(_text(arguments, shell), model, parse_special=not is_plain)


def _probs(arguments: Arguments, state: NotebookState, shell: Any) -> ProbsView:
    """Give what is known of a reply, the chat's last one by default, or score a text now."""
    written = arguments.text
    if not written:
        name = state.chat_name(arguments.values.get("chat"))
        return _probs_of(state.chats.find(name).last_reply, arguments, state)
    if _VARIABLE.fullmatch(written):
        return _probs_of(find_variable(written, shell), arguments, state)
    return score_text(state.model(arguments.values.get("model")), interpolate(written, shell))


def _probs_of(said: object, arguments: Arguments, state: NotebookState) -> ProbsView:
    if isinstance(said, ProbsView):
        return said
    if isinstance(said, Reply):
        return said.probs or score_reply(state.model(said.model), said)
    if isinstance(said, str):
        return score_text(state.model(arguments.values.get("model")), said)
    what = "a chat without a reply" if said is None else type(said).__name__
    raise UsageError(f"probs needs a reply or a text, not {what}. Example: %llama probs $reply")


def _prompt(question: Question) -> ChatPrompt:
    prompt = build_prompt(question)
    if prompt is None:
        raise UsageError("--raw has no chat, and so no prompt to look at")
    return prompt


def _text(arguments: Arguments, shell: Any) -> str:
    """Give the text of the line, or of the ``$variable`` that it names."""
    return _written(arguments.text, shell)


def _written(written: str, shell: Any) -> str:
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
    "chat": open_chat,
    "grammar": _grammar,
    "parse": _parse,
    "probs": _probs,
    "tokens": _tokens,
    "tools": run_tools,
}
