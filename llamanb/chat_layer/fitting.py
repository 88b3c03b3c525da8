"""Fits a conversation to its template: nothing refused, nothing left out without a word."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from llamanb.chat_layer.probe import Capabilities, probe
from llamanb.chat_layer.repairs import (
    REPAIRS,
    merge_late_system,
    merge_system,
    one_call_at_a_time,
    results_beside_calls,
    tools_as_text,
)
from llamanb.chat_layer.tool_texts import WrittenCalls, add_tools, calls_in_content
from llamanb.errors import TemplateError, TemplateLimitError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llamanb.chat_layer.messages import Messages
    from llamanb.chat_layer.repairs import Change
    from llamanb.chat_layer.syntax.families import Family

__all__ = ["Fitted", "fit"]

Tools = list[dict[str, Any]]


class Render(Protocol):
    """One template with everything but the messages and tools filled in."""

    def __call__(self, messages: Messages, tools: Any, *, generation: bool) -> str:
        """Render; may raise TemplateError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Messages that the template renders, and what had to be changed.

    Attributes
    ----------
    written : calls that became part of a content, oldest first.
    """

    messages: Messages
    tools: Tools
    repairs: tuple[str, ...] = ()
    written: tuple[WrittenCalls, ...] = ()

    def changed(self, messages: Messages, repair: str) -> Fitted:
        """Give the same with other messages; equal ones are no change."""
        if messages == self.messages:
            return self
        return replace(self, messages=messages, repairs=(*self.repairs, repair))


def fit(
    source: str, messages: Messages, tools: Tools, family: Family | None, render: Render
) -> Fitted:
    """Make the fewest changes after which the template shows all of the conversation.

    Raises
    ------
    TemplateError
        With the template's own words, if it refuses the messages after every repair.
    """
    fitted = _with_tools(Fitted(messages=messages, tools=tools), probe(source), family)
    for kept, change, name in _losses(probe(source), messages):
        fitted = fitted if kept else fitted.changed(change(fitted.messages), name)
    refusal = _refusal(render, fitted)
    return fitted if refusal is None else _repaired(render, fitted, refusal)


def _with_tools(fitted: Fitted, able: Capabilities, family: Family | None) -> Fitted:
    """Put into words what the template knows no place for."""
    if fitted.tools and not able.tools:
        described = add_tools(fitted.messages, fitted.tools, family)
        fitted = fitted.changed(described, "the tools were described in the system message")
    if able.tool_calls and not able.parallel_calls:
        single = one_call_at_a_time(fitted.messages)
        fitted = fitted.changed(single, "parallel tool calls became one call at a time")
    if not able.tool_calls:
        messages, written = calls_in_content(fitted.messages, family)
        fitted = fitted.changed(messages, "tool calls were written into the content")
        fitted = replace(fitted, written=tuple(written))
    return fitted


def _losses(able: Capabilities, messages: Messages) -> Iterator[tuple[bool, Change, str]]:
    """Give changes that keep what the template would leave out, and whether it does not."""
    is_alone = all(message["role"] == "system" for message in messages)
    has_place = able.system_role and (able.system_alone or not is_alone)
    yield able.tool_results, tools_as_text, "tool calls and results became plain text"
    yield able.late_results, results_beside_calls, "results were put right behind their calls"
    yield has_place, merge_system, "the system message was merged into the user's"
    yield able.late_system, merge_late_system, "later system messages became user messages"


def _refusal(render: Render, fitted: Fitted) -> TemplateError | None:
    try:
        render(fitted.messages, fitted.tools, generation=True)
    except TemplateLimitError:
        raise
    except TemplateError as error:
        return error
    return None


def _repaired(render: Render, fitted: Fitted, refusal: TemplateError) -> Fitted:
    """Try each repair alone, then one after the other."""
    for name, change in REPAIRS:
        alone = fitted.changed(change(fitted.messages), name)
        if alone is not fitted and _refusal(render, alone) is None:
            return alone
    for name, change in REPAIRS:
        more = fitted.changed(change(fitted.messages), name)
        if more is not fitted and _refusal(render, more) is None:
            return more
        fitted = more
    raise refusal
