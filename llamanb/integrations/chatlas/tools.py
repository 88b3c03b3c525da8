"""Tools in a chat of chatlas: described and checked as ours, and asked about."""

from __future__ import annotations

import json
import threading
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

import chatlas
from chatlas import ContentToolRequest, ContentToolResult, ToolRejectError

from llamanb.conversation.tools import Tool, ToolDecision, ToolRequest, as_tool
from llamanb.conversation.tools.approval import Approve, ask, ask_async, checked_approve, decided
from llamanb.conversation.tools.arguments import parsed_object
from llamanb.conversation.tools.failures import failure_text
from llamanb.conversation.tools.functions import is_coroutine_function
from llamanb.conversation.tools.outcome import PlainFailureError
from llamanb.conversation.tools.threads import in_thread, wait_unless
from llamanb.conversation.tools.tool import make_tool
from llamanb.errors import OptionError
from llamanb.integrations.chatlas.messages import rounds_before

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatlas import Chat

__all__ = ["Gate", "ask_person", "runner_of", "schema_of"]

NOBODY = (
    "nobody can be asked here; give llamanb.chat(approve=) a function or 'auto', "
    "or mark the tool with @llamanb.tool(approve=True)"
)
_YES = frozenset({"y", "yes"})
_NOW: ContextVar[ContentToolRequest | None] = ContextVar("llamanb_chatlas_call", default=None)


def ask_person(request: ToolRequest) -> ToolDecision:
    """Ask at the keyboard, or in the notebook's input box, whether a call may run."""
    arguments = ", ".join(f"{name}={value!r}" for name, value in request.args.items())
    try:
        answer = input(f"Run {request.name}({arguments})? [y]es / [n]o ")
    except (EOFError, OSError, NotImplementedError):
        return ToolDecision.deny(NOBODY)
    if answer.strip().lower() in _YES:
        return ToolDecision.allow()
    return ToolDecision.deny("the user said no")


class Gate:
    """Decides about the calls of one chat; copies of the chat get one of their own.

    Attributes
    ----------
    approve : ``"auto"``, ``"never"``, or who is asked.
    """

    def __init__(self, chat: Chat[Any, Any], approve: Approve | None) -> None:
        checked = checked_approve(approve)
        self.approve: Approve = ask_person if checked == "ask" else checked
        self._chat = chat

    def __deepcopy__(self, memo: dict[int, Any]) -> Gate:
        return Gate(memo.get(id(self._chat), self._chat), self.approve)

    def __call__(self, call: ContentToolRequest) -> None:
        """Note which call comes next, and decide about tools that do not ask by themselves.

        Raises
        ------
        chatlas.ToolRejectError
            If it may not run.
        """
        _NOW.set(call)
        tool = next((one for one in self._chat.get_tools() if one.name == call.name), None)
        if not isinstance(tool, chatlas.Tool) or isinstance(tool.func, _Runner):
            return
        decision = self.decide(self.request(as_tool(tool), call))
        if not decision.is_allowed:
            raise ToolRejectError(decision.reason)
        if decision.arguments is not None:
            call.arguments = parsed_object(decision.arguments)

    def request(self, tool: Tool[..., Any], call: ContentToolRequest) -> ToolRequest:
        """Give what is asked, for who decides."""
        text = _text_of(call.arguments)
        return ToolRequest(
            id=call.id,
            name=call.name,
            arguments=text,
            args=parsed_object(text),
            tool=tool,
            round=rounds_before(self._chat.get_turns()),
        )

    def decide(self, request: ToolRequest) -> ToolDecision:
        """Decide in this thread, which may take long."""
        decision = decided(self.approve, request)
        if decision is not None:
            return decision
        if self.approve is ask_person:
            return ask_person(request)
        return wait_unless(threading.Event(), in_thread(partial(ask, self.approve, request)))

    async def decide_async(self, request: ToolRequest) -> ToolDecision:
        """Decide without blocking the event loop, the keyboard apart."""
        decision = decided(self.approve, request)
        if decision is not None:
            return decision
        if self.approve is ask_person:
            return ask_person(request)
        return await ask_async(self.approve, request)


class _Runner:
    """What chatlas calls for a tool: asks, checks the arguments, runs the function.

    It looks like the function, so that chatlas describes it rightly.
    """

    def __init__(self, tool: Tool[..., Any], gate: Gate) -> None:
        self.tool, self._gate = tool, gate
        self.__name__ = tool.name
        self.__qualname__ = tool.__qualname__
        self.__module__ = tool.__module__
        self.__doc__ = tool.__doc__
        self.__signature__ = _named(tool)

    def __deepcopy__(self, memo: dict[int, Any]) -> _Runner:
        """Copy the asking, not the function and what belongs to it."""
        return type(self)(self.tool, self._gate.__deepcopy__(memo))

    def __call__(self, *unread: Any, **arguments: Any) -> Any:
        """Run the tool with a model's arguments; what goes wrong is for the model to read."""
        try:
            request = self._request(*unread, **arguments)
            return self._run(self._allowed(request, self._gate.decide(request)))
        except Exception as error:  # noqa: BLE001  # the model is told
            return _failure(error)

    def _request(self, *unread: Any, **arguments: Any) -> ToolRequest:
        given = unread[0] if unread else arguments
        call = _NOW.get()
        if call is None or call.name != self.tool.name:
            call = ContentToolRequest(id="", name=self.tool.name, arguments=given)
        self.tool.description.read(_text_of(given))
        return self._gate.request(self.tool, call)

    def _allowed(self, request: ToolRequest, decision: ToolDecision) -> str:
        if decision.is_allowed:
            return request.arguments if decision.arguments is None else decision.arguments
        reason = f": {decision.reason}" if decision.reason else ""
        raise PlainFailureError(f"{request.name} was not run, it was not allowed{reason}")

    def _run(self, arguments: str) -> Any:
        if self.tool.timeout is None:
            args, kwargs = self.tool.description.read(arguments)
            return self.tool.function(*args, **kwargs)
        outcome = self.tool.call(arguments)
        if outcome.is_error:
            raise PlainFailureError(outcome.content)
        return outcome.content


class _AsyncRunner(_Runner):
    """The same for a coroutine function."""

    async def __call__(self, *unread: Any, **arguments: Any) -> Any:
        """Run the tool without blocking the event loop."""
        try:
            request = self._request(*unread, **arguments)
            allowed = self._allowed(request, await self._gate.decide_async(request))
            outcome = await self.tool.acall(allowed) if self.tool.timeout else None
            if outcome is None:
                args, kwargs = self.tool.description.read(allowed)
                return await self.tool.function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  # the model is told
            return _failure(error)
        return _failure(PlainFailureError(outcome.content)) if outcome.is_error else outcome.content


def runner_of(source: Any, gate: Gate, name: str | None) -> Callable[..., Any]:
    """Give what chatlas is to call for a function, a ``llamanb.tool`` or a ``chatlas.Tool``.

    Raises
    ------
    OptionError
        If it cannot be a tool.
    """
    if isinstance(source, chatlas.Tool):
        name, source = name or source.name, source.func
    if isinstance(source, _Runner):
        source = source.tool
    tool = source if isinstance(source, Tool) else make_tool(source, name=name)
    if not tool.can_run:
        raise OptionError(f"{tool.name} is only described: chatlas needs a function to run")
    kind = _AsyncRunner if is_coroutine_function(tool.function) else _Runner
    return kind(tool, gate)


def schema_of(tool: Any) -> dict[str, Any]:
    """Give the definition that the model reads.

    Raises
    ------
    OptionError
        For the tools that a service on the internet carries out.
    """
    if not isinstance(tool, chatlas.Tool):
        raise OptionError(f"tool {tool.name!r} is carried out by another provider, not here")
    schema = tool.func.tool.schema if isinstance(tool.func, _Runner) else tool.schema
    named = {**schema["function"], "name": tool.name}
    return {"type": "function", "function": named}


def _named(tool: Tool[..., Any]) -> Any:
    tool.description  # noqa: B018  # types that were not known early are looked up now
    return tool.__signature__


def _text_of(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def _failure(error: Exception) -> ContentToolResult:
    return ContentToolResult(value=None, error=RuntimeError(failure_text(error)))
