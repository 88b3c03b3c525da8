"""``%llama tools``: list the tools of a chat, change them, show one, call one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.events import ToolResult
from llamanb.notebook.call_view import call_html, call_lines, call_markdown, fenced
from llamanb.notebook.calls import Call
from llamanb.notebook.candidates import TOOL_ACTIONS
from llamanb.notebook.clean_text import clean_text
from llamanb.notebook.highlight import highlight_code
from llamanb.notebook.messages import UsageError, unknown
from llamanb.notebook.names import find_tools
from llamanb.notebook.options import COMMANDS
from llamanb.notebook.tables import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from llamanb.conversation.tools import Tool, ToolOutcome
    from llamanb.models import Model
    from llamanb.notebook.arguments import Arguments
    from llamanb.notebook.chats import NamedChat
    from llamanb.notebook.state import NotebookState

    AnyTool = Tool[..., Any]

__all__ = ["OutcomeView", "ToolView", "run_tools", "tools_table"]

_EXAMPLE = "%llama tools add get_weather"


def run_tools(arguments: Arguments, state: NotebookState, shell: Any) -> object:
    """Carry out ``%llama tools …`` and give what the cell shows.

    Raises
    ------
    UsageError
        For an unknown action or tool, or too few words.
    """
    action, *words = arguments.operands or ["list"]
    if action not in _ACTIONS:
        raise unknown("action", action, TOOL_ACTIONS, example=_EXAMPLE)
    if action != "list" and not words:
        raise UsageError(f"tools {action} needs names. Example: %llama tools {action} get_weather")
    name = state.chat_name(arguments.values.get("chat"))
    return _ACTIONS[action](words, _Place(name, state, shell))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where tools are looked up: a chat, and the user's variables."""

    name: str
    state: NotebookState
    shell: Any

    @property
    def tools(self) -> Mapping[str, AnyTool]:
        """The chat's tools."""
        known = self.name in self.state.chats.names()
        return self.state.chats.find(self.name).session.tools if known else {}

    def named(self, words: Sequence[str]) -> list[AnyTool]:
        """Give the user's tools of these names."""
        return find_tools(",".join(words), self.shell)

    def one(self, word: str) -> AnyTool:
        """Give the chat's tool of this name, else the user's."""
        return self.tools[word] if word in self.tools else self.named([word])[0]

    def chat(self) -> NamedChat:
        """Give the chat, begun if need be."""
        if self.name in self.state.chats.names():
            return self.state.chats.find(self.name)
        return self.state.chats.open(self.name, self.state.model(None))


def _list(_: Sequence[str], place: _Place) -> Table:
    return tools_table(place.name, place.tools)


def _add(words: Sequence[str], place: _Place) -> Table:
    added = place.named(words)
    kept = {**place.tools, **{tool.name: tool for tool in added}}
    place.chat().session.tools = kept.values()
    return tools_table(place.name, place.tools)


def _remove(words: Sequence[str], place: _Place) -> Table:
    gone = [name for word in words for name in word.split(",") if name]
    for name in gone:
        if name not in place.tools:
            raise unknown("tool", name, place.tools, example="%llama tools")
    kept = [tool for name, tool in place.tools.items() if name not in gone]
    place.chat().session.tools = kept
    return tools_table(place.name, place.tools)


def _show(words: Sequence[str], place: _Place) -> ToolView:
    return ToolView.of(place.one(words[0]), place.state.model(None))


def _call(words: Sequence[str], place: _Place) -> OutcomeView:
    tool, written = place.one(words[0]), " ".join(words[1:]) or "{}"
    call = Call(id="", name=tool.name, arguments=written, is_whole=True)
    if call.args is None:
        example = COMMANDS["tools"].example.replace("add", "call") + """ '{"city": "Oslo"}'"""
        raise UsageError(f"{written!r} is no JSON object. Example: {example}")
    return OutcomeView.of(call, tool.call(written))


_ACTIONS: dict[str, Callable[[Sequence[str], _Place], object]] = {
    "list": _list,
    "add": _add,
    "rm": _remove,
    "show": _show,
    "call": _call,
}


def tools_table(chat: str, tools: Mapping[str, AnyTool]) -> Table:
    """Give the tools of a chat."""
    rows = [
        (tool.name, tool.description.summary, _parameters(tool), _permission(tool))
        for tool in tools.values()
    ]
    note = "" if rows else f"no tools. Example: {_EXAMPLE}, or %%llama -t get_weather"
    return Table(f"Tools of chat {chat}", ("name", "description", "parameters", "runs"), rows, note)


def _parameters(tool: AnyTool) -> str:
    schema = tool.description.parameters
    required = schema.get("required", ())
    return ", ".join(
        f"{name}{'' if name in required else '?'}: {_type(shape)}"
        for name, shape in schema.get("properties", {}).items()
    )


def _type(shape: Any) -> str:
    if not isinstance(shape, dict):
        return "any"
    if "enum" in shape:
        return " or ".join(map(repr, shape["enum"]))
    kind = shape.get("type") or " or ".join(_type(one) for one in shape.get("anyOf", ())) or "any"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _permission(tool: AnyTool) -> str:
    if not tool.can_run:
        return "comes back"
    return "without asking" if tool.approve else "after asking"


@dataclass(frozen=True, slots=True)
class ToolView:
    """A tool as a model is told about it: its definition, and the text the template makes of it."""

    definition: dict[str, Any]
    template_text: str
    model: str

    @classmethod
    def of(cls, tool: AnyTool, model: Model) -> ToolView:
        """Describe ``tool`` for ``model``."""
        said = [{"role": "user", "content": "?"}]
        with_tool = model.chat_build(said, tools=[tool]).prompt
        without = model.chat_build(said).prompt
        return cls(tool.schema, _added_text(with_tool, without), model.name)

    def __repr__(self) -> str:
        return f"{self._json()}\n[{self.model} reads:]\n{clean_text(self.template_text)}"

    def _repr_html_(self) -> str:
        style = "white-space:pre-wrap;overflow-wrap:anywhere"
        text = escape(clean_text(self.template_text))
        return (
            f'<div><pre style="{style}">{highlight_code(self._json(), "json")}</pre>'
            f"<small>{escape(self.model)} reads:</small>"
            f'<pre style="{style}">{text}</pre></div>'
        )

    def _repr_markdown_(self) -> str:
        return fenced(repr(self))

    def _json(self) -> str:
        return clean_text(json.dumps(self.definition, indent=2, ensure_ascii=False))


def _added_text(longer: str, shorter: str) -> str:
    """Give what ``longer`` has between the beginning and the end that both share."""
    most = min(len(longer), len(shorter))
    start = next((n for n in range(most) if longer[n] != shorter[n]), most)
    end = next((n for n in range(most - start) if longer[-1 - n] != shorter[-1 - n]), most - start)
    stop = len(longer) - end
    while start and longer[start - 1] == longer[stop - 1]:  # begin where the addition begins
        start, stop = start - 1, stop - 1
    return longer[start:stop].strip()


@dataclass(frozen=True, slots=True)
class OutcomeView:
    """A call made by hand, and what came of it."""

    call: Call
    outcome: ToolOutcome

    @classmethod
    def of(cls, call: Call, outcome: ToolOutcome) -> OutcomeView:
        """Put both together."""
        call.answered(
            ToolResult(
                id=call.id,
                name=call.name,
                content=outcome.content,
                is_error=outcome.is_error,
                stdout=outcome.stdout,
                seconds=outcome.seconds,
            )
        )
        return cls(call, outcome)

    def __repr__(self) -> str:
        return "\n".join(call_lines(self.call))

    def _repr_html_(self) -> str:
        return call_html(self.call)

    def _repr_markdown_(self) -> str:
        return call_markdown(self.call)
