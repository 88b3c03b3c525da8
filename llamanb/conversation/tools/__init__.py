"""Tools: Python functions a model may ask for, described, checked, allowed and run."""

from llamanb.conversation.tools.approval import ToolDecision, ToolRequest
from llamanb.conversation.tools.outcome import ToolOutcome
from llamanb.conversation.tools.sources import as_tool, as_tools
from llamanb.conversation.tools.tool import Tool, tool

__all__ = ["Tool", "ToolDecision", "ToolOutcome", "ToolRequest", "as_tool", "as_tools", "tool"]
