"""Answers the calls of a model: find the tool, check the arguments, ask, run.

Whatever goes wrong becomes an outcome that the model can act on.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from llamanb.conversation.tools.approval import (
    Approve,
    ToolDecision,
    ToolRequest,
    ask,
    ask_async,
    decided,
    is_asked_in_place,
)
from llamanb.conversation.tools.arguments import parsed_object
from llamanb.conversation.tools.failures import failure_text
from llamanb.conversation.tools.outcome import PlainFailureError, ToolOutcome
from llamanb.conversation.tools.threads import STOPPED, await_unless, in_thread, wait_unless

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from llamanb.chat_layer import ToolCall
    from llamanb.conversation.tools.tool import Tool

__all__ = ["ToolAnswers"]


class ToolAnswers:
    """Answers the calls of one turn, one at a time.

    Parameters
    ----------
    tools : by name.
    approve : who decides whether a call may run.
    stop : once it is set nothing runs any more, and nobody waits for what runs.
    """

    def __init__(
        self, tools: Mapping[str, Tool[..., Any]], approve: Approve, stop: threading.Event
    ) -> None:
        self._tools = tools
        self._approve = approve
        self._stop = stop

    def answer(self, call: ToolCall, number: int) -> ToolOutcome:
        """Give what came of ``call``, which belongs to round ``number``."""
        try:
            request = self._request(call, number)
            decision = decided(self._approve, request)
            if decision is None:
                decision = self._asked(request)
            arguments = self._allowed(request, decision)
            outcome = request.tool.call(arguments, stop=self._stop)
        except Exception as error:  # noqa: BLE001  # the user's types check themselves
            return _failed(error)
        return _told(outcome, decision)

    async def answer_async(self, call: ToolCall, number: int) -> ToolOutcome:
        """Do the same without blocking the event loop."""
        try:
            request = self._request(call, number)
            decision = decided(self._approve, request)
            if decision is None:
                decision = await await_unless(self._stop, ask_async(self._approve, request))
            arguments = self._allowed(request, decision)
            outcome = await await_unless(self._stop, request.tool.acall(arguments))
        except Exception as error:  # noqa: BLE001  # the user's types check themselves
            return _failed(error)
        return _told(outcome, decision)

    def _asked(self, request: ToolRequest) -> ToolDecision:
        if is_asked_in_place(self._approve):
            return ask(self._approve, request)
        return wait_unless(self._stop, in_thread(partial(ask, self._approve, request)))

    def _request(self, call: ToolCall, number: int) -> ToolRequest:
        """Check the call before anybody is asked about it."""
        self._check_stop()
        tool = self._tools.get(call.name)
        if tool is None:
            raise PlainFailureError(_unknown(call.name, self._tools))
        tool.description.read(call.arguments)
        return ToolRequest(
            id=call.id,
            name=call.name,
            arguments=call.arguments,
            args=parsed_object(call.arguments),
            tool=tool,
            round=number,
        )

    def _allowed(self, request: ToolRequest, decision: ToolDecision) -> str:
        """Give the arguments to run the tool with, if it may run."""
        self._check_stop()
        if not decision.is_allowed:
            reason = f": {decision.reason}" if decision.reason else ""
            raise PlainFailureError(f"{request.name} was not run, it was not allowed{reason}")
        return request.arguments if decision.arguments is None else decision.arguments

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise PlainFailureError(STOPPED)


def _unknown(name: str, tools: Mapping[str, Tool[..., Any]]) -> str:
    names = ", ".join(map(repr, tools))
    there_are = f"the tools are {names}" if names else "there are no tools"
    return f"there is no tool called {name!r}: {there_are}"


def _failed(error: Exception) -> ToolOutcome:
    return ToolOutcome(content=failure_text(error), is_error=True)


def _told(outcome: ToolOutcome, decision: ToolDecision) -> ToolOutcome:
    """Tell the model if the tool ran with other arguments than it wrote."""
    if decision.arguments is None:
        return outcome
    return ToolOutcome(
        content=f"(run with other arguments: {decision.arguments})\n{outcome.content}",
        is_error=outcome.is_error,
        stdout=outcome.stdout,
        seconds=outcome.seconds,
    )
