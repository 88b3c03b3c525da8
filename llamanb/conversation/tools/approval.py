"""Decides whether a tool that a model asks for may run."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from llamanb.conversation.tools.failures import failure_text
from llamanb.conversation.tools.threads import in_thread
from llamanb.errors import OptionError

if TYPE_CHECKING:
    from llamanb.conversation.tools.tool import Tool

__all__ = [
    "ApprovalHook",
    "Approve",
    "ToolDecision",
    "ToolRequest",
    "ask",
    "ask_async",
    "checked_approve",
    "decided",
    "is_asked_in_place",
]

_MODES = ("ask", "auto", "never")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRequest:
    """A call that waits for a decision; its arguments fit the tool.

    Attributes
    ----------
    id, name : the call's own id, and the tool's name.
    arguments : the arguments as the model wrote them, JSON text.
    args : the same, read.
    tool : the tool that would run.
    round : how many rounds of tool calls this turn has had, this one included.
    """

    id: str
    name: str
    arguments: str
    args: Mapping[str, Any]
    tool: Tool[..., Any]
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDecision:
    """Whether a call may run; made by ``allow`` and ``deny``.

    Attributes
    ----------
    is_allowed : whether it may.
    reason : why not; the model gets to read it.
    arguments : JSON text to run the tool with instead of the model's; None for those.
    """

    is_allowed: bool
    reason: str = ""
    arguments: str | None = None

    @classmethod
    def allow(cls, arguments: Mapping[str, Any] | str | None = None) -> ToolDecision:
        """Let the call run, with other arguments if some are given."""
        if isinstance(arguments, Mapping):
            arguments = json.dumps(dict(arguments), ensure_ascii=False)
        return cls(is_allowed=True, arguments=arguments)

    @classmethod
    def deny(cls, reason: str = "") -> ToolDecision:
        """Keep the call from running, and tell the model why."""
        return cls(is_allowed=False, reason=reason)


Answer = bool | ToolDecision
ApprovalHook = Callable[[ToolRequest], Answer | Awaitable[Answer]]
Approve = Literal["ask", "auto", "never"] | ApprovalHook


def checked_approve(approve: Any) -> Approve:
    """Give ``approve`` back, None as ``"ask"``; OptionError if it is impossible."""
    if approve is None:
        return "ask"
    if callable(approve) or approve in _MODES:
        known: Approve = approve
        return known
    raise OptionError(
        f"approve={approve!r} is not possible: give one of {', '.join(map(repr, _MODES))}, "
        "or a function that takes a ToolRequest and gives True or False"
    )


def decided(approve: Approve, request: ToolRequest) -> ToolDecision | None:
    """Decide without asking; None if somebody has to be asked."""
    if approve == "never":
        return ToolDecision.deny("tools are switched off")
    if approve == "auto" or request.tool.approve:
        return ToolDecision.allow()
    if approve == "ask":
        return ToolDecision.deny(
            "nobody is there to allow it; give approve= a function or 'auto', "
            "or mark the tool with @llamanb.tool(approve=True)"
        )
    return None


def is_asked_in_place(approve: Any) -> bool:
    """Tell whether this hook is to be called in the thread that reads the turn.

    A hook says so by an attribute ``asks_in_place``: one that needs that thread's
    standard input, and which ends by itself when it is interrupted.
    """
    return bool(getattr(approve, "asks_in_place", False))


def ask(approve: Any, request: ToolRequest) -> ToolDecision:
    """Ask in this thread, which may take long; a hook that raises denies."""
    try:
        answer = approve(request)
        return _read(asyncio.run(_awaited(answer)) if inspect.isawaitable(answer) else answer)
    except BaseException as error:  # noqa: BLE001  # a hook may raise anything
        return _failed(error)


async def ask_async(approve: Any, request: ToolRequest) -> ToolDecision:
    """Ask without blocking the event loop: a function in a thread, a coroutine here."""
    if is_asked_in_place(approve):
        return ask(approve, request)
    try:
        answer = await asyncio.wrap_future(in_thread(partial(approve, request)))
        return _read(await answer if inspect.isawaitable(answer) else answer)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # a hook may raise anything
        return _failed(error)


async def _awaited(answer: Awaitable[Any]) -> Any:
    return await answer


def _read(answer: Any) -> ToolDecision:
    if isinstance(answer, ToolDecision):
        return answer
    if isinstance(answer, bool):
        return ToolDecision(is_allowed=answer)
    return ToolDecision.deny(
        f"the approval hook gave {answer!r}; it must give True, False or a ToolDecision"
    )


def _failed(error: BaseException) -> ToolDecision:
    return ToolDecision.deny(f"asking for approval failed: {failure_text(error)}")
