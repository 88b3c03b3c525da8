"""From parsed options to a ``Question``, and to the output that its reply is drawn on."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING, Any

from IPython.core.displaypub import CapturingDisplayPublisher

from llamanb.notebook.asking import Question
from llamanb.notebook.cell_output import CellOutput, FinalOutput, SilentOutput
from llamanb.notebook.chats import CellRun
from llamanb.notebook.interpolation import interpolate
from llamanb.notebook.messages import UsageError, unknown
from llamanb.notebook.names import find_tools
from llamanb.notebook.text_output import TextOutput
from llamanb.notebook.wanted import read_wanted
from llamanb.settings import SamplingSettings, read_environment

if TYPE_CHECKING:
    from llamanb.conversation.tools import Tool
    from llamanb.notebook.cell_output import Output
    from llamanb.notebook.chats import NamedChat
    from llamanb.notebook.state import NotebookState

__all__ = ["SAMPLING_KEYS", "choose_output", "make_question"]

SAMPLING_KEYS = frozenset(SamplingSettings.__slots__) - {"logit_bias"}
_TOOL_KEYS = ("tools", "tool_choice", "max_rounds", "approve")
_CHOICES = ("auto", "none", "required")


def make_question(values: dict[str, Any], text: str, state: NotebookState, shell: Any) -> Question:
    """Give the question that options and text make.

    Raises
    ------
    UsageError
        For an unknown model, tool or type, a failing ``{{expression}}`` or a bad
        variable name.
    OptionError
        For a sampling option with an impossible value.
    """
    options = {**state.defaults, **values}
    sampling = _sampling(options)
    text = interpolate(text, shell)
    system = options.get("system")
    system = interpolate(system, shell) if system is not None else None
    variable = _variable(options.get("output"))
    wanted = read_wanted(options, shell)
    tools = _tools(options, shell)
    model = state.model(options.get("model"))
    chat = None
    if not options.get("raw"):
        _check_tool_choice(options, tools, state)
        chat = _open_chat(options, system, tools, state, model)
    return Question(
        text=text,
        model=model,
        chat=chat,
        run=cell_run(shell),
        sampling=sampling,
        think=options.get("think"),
        wanted=wanted,
        tool_choice=options.get("tool_choice"),
        max_rounds=options.get("max_rounds"),
        approve=options.get("approve", "ask"),
        style=options.get("format", "md"),
        variable=variable,
        fingerprint=model.fingerprint,
    )


def _sampling(options: dict[str, Any]) -> dict[str, Any]:
    chosen = {key: value for key, value in options.items() if key in SAMPLING_KEYS}
    SamplingSettings.from_options(None, **chosen)
    return chosen


def _variable(name: str | None) -> str:
    if name and (not name.isidentifier() or keyword.iskeyword(name)):
        raise UsageError(f"--output: {name!r} cannot name a variable. Example: -o answer")
    return name or ""


def _tools(options: dict[str, Any], shell: Any) -> list[Tool[..., Any]] | None:
    given = [key for key in _TOOL_KEYS if options.get(key) is not None]
    if options.get("raw") and given:
        option = f"--{given[0].replace('_', '-')}"
        raise UsageError(f"--raw has no chat, so there are no tools: leave {option} out")
    return find_tools(options["tools"], shell) if options.get("tools") is not None else None


def _open_chat(
    options: dict[str, Any],
    system: str | None,
    tools: list[Tool[..., Any]] | None,
    state: NotebookState,
    model: Any,
) -> NamedChat:
    name, anew = state.chat_name(options.get("chat")), bool(options.get("new"))
    if options.get("dry_run"):
        return state.chats.draft(name, model, system, tools, anew=anew)
    if anew:
        state.begin_anew(name)
    return state.chats.open(name, model, system, tools)


def _check_tool_choice(
    options: dict[str, Any], given: list[Tool[..., Any]] | None, state: NotebookState
) -> None:
    """Refuse a choice that cannot be kept, before the chat is touched."""
    choice, chat = options.get("tool_choice"), state.chat_name(options.get("chat"))
    if choice is None:
        return
    tools = [tool.name for tool in given or ()]
    if given is None and not options.get("new") and chat in state.chats.names():
        tools = [*state.chats.find(chat).session.tools]
    if not tools and choice not in ("auto", "none"):
        raise UsageError(f"--tool-choice {choice} needs tools. Example: -t get_weather")
    if choice not in (*_CHOICES, *tools):
        raise unknown("tool", choice, [*tools, *_CHOICES], example="--tool-choice required")


def choose_output(values: dict[str, Any], style: str, shell: Any) -> Output:
    """Give the output that suits the format, the shell and ``LLAMANB_STREAM``."""
    if style == "silent":
        return SilentOutput()
    if style == "raw":
        return TextOutput(with_footer=False)
    # ``%%capture`` would keep every redraw as an output of its own.
    is_captured = isinstance(shell.display_pub, CapturingDisplayPublisher)
    streams = read_environment().stream and not values.get("no_stream") and not is_captured
    if not hasattr(shell, "kernel"):
        return TextOutput(with_footer=True)
    return CellOutput(style) if streams else FinalOutput(style)


def cell_run(shell: Any) -> CellRun:
    """Give the run of the notebook cell that runs now."""
    parent = (shell.get_parent() if hasattr(shell, "get_parent") else None) or {}
    cell_id = (parent.get("metadata") or {}).get("cellId")
    run_id = (parent.get("header") or {}).get("msg_id", "")
    return CellRun(str(cell_id) if cell_id else None, str(run_id))
