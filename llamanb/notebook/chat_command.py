"""``%llama chat``: the widget of a named chat, one for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamanb.notebook.interpolation import interpolate
from llamanb.notebook.names import find_tools

if TYPE_CHECKING:
    from llamanb.notebook.arguments import Arguments
    from llamanb.notebook.chat.widget import ChatWidget
    from llamanb.notebook.state import NotebookState

__all__ = ["open_chat"]


def open_chat(arguments: Arguments, state: NotebookState, shell: Any) -> ChatWidget:
    """Give the widget of a named chat; the same one when asked again.

    Raises
    ------
    UsageError
        For an unknown model or tool.
    """
    from llamanb.notebook.chat.widget import ChatWidget

    options = {**state.defaults, **arguments.values}
    name = state.chat_name(arguments.operands[0] if arguments.operands else None)
    system = options.get("system")
    system = interpolate(system, shell) if system is not None else None
    tools = find_tools(options["tools"], shell) if options.get("tools") is not None else None
    model = state.model(options.get("model"))
    if options.get("new"):
        state.chats.forget(name)
    chat = state.chats.open(name, model, system, tools)
    known = state.widgets.get(name)
    if known is not None and known.session is not chat.session:
        known.close()  # of a chat that was dropped: its saved copy stays in the notebook
    if known is None or known.is_closed:
        known = state.widgets[name] = ChatWidget(chat)
    known.update(approve=options.get("approve"))
    return known
