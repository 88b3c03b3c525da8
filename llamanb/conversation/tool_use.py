"""How a talk uses tools: which there are, who allows them, how many rounds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from llamanb.conversation.tools import as_tools
from llamanb.conversation.tools.approval import Approve, checked_approve
from llamanb.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llamanb.conversation.tools import Tool

__all__ = ["MAX_ROUNDS", "ToolUse"]

MAX_ROUNDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """The tools of a talk or of one turn; checks itself when made.

    Attributes
    ----------
    tools : by name; functions, ``Tool``s and OpenAI dictionaries are taken, too.
    approve : ``"ask"``, ``"auto"``, ``"never"``, or who is asked.
    max_rounds : how often tools may run before an answer has to come; 0: never by
        themselves, all calls come back.
    tool_choice, parallel_tool_calls : as :func:`llamanb.reply` takes them.

    Raises
    ------
    OptionError
        If one of them is impossible.
    """

    tools: Mapping[str, Tool[..., Any]] = field(default_factory=dict)
    approve: Approve = "ask"
    max_rounds: int = MAX_ROUNDS
    tool_choice: Any = "auto"
    parallel_tool_calls: bool | None = None

    def __post_init__(self) -> None:
        limit: Any = self.max_rounds
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
            raise OptionError(f"max_rounds={limit!r} is not possible: it must be 0 or more")

    @classmethod
    def of(cls, *, tools: Any = (), approve: Any = None, **others: Any) -> Self:
        """Make it of what users give."""
        return cls(tools=as_tools(tools), approve=checked_approve(approve), **others)

    def changed(self, **given: Any) -> Self:
        """Give a copy with what is given for one turn; None changes nothing."""
        changes = {name: value for name, value in given.items() if value is not None}
        if "tools" in changes:
            changes["tools"] = as_tools(changes["tools"])
        if "approve" in changes:
            changes["approve"] = checked_approve(changes["approve"])
        return replace(self, **changes)

    def schemas(self) -> list[dict[str, Any]] | None:
        """Give the definitions for the model, None without tools."""
        return [tool.schema for tool in self.tools.values()] or None

    def is_described_only(self, name: str) -> bool:
        """Whether only the caller can carry this tool out."""
        return name in self.tools and not self.tools[name].can_run

    def next_choice(self, n_rounds: int) -> Any:
        """Give the tool choice after so many rounds: nothing is required twice."""
        if n_rounds >= self.max_rounds:
            return "none"
        return "none" if self.tool_choice == "none" else "auto"
