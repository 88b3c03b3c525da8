"""Messages in, prompt out; raw text in, events out. Pure: no model, no thread."""

from llamanb.chat_layer.build import build
from llamanb.chat_layer.call_spans import CallSpan, call_spans
from llamanb.chat_layer.events import (
    ChatEvent,
    Finished,
    ReasoningDelta,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallEnd,
    ToolCallStart,
    ToolResult,
)
from llamanb.chat_layer.parse import StreamParser, parse
from llamanb.chat_layer.prompt import ChatMessage, ChatPrompt, Syntax, ToolCall
from llamanb.chat_layer.syntax.message import MessageParts
from llamanb.chat_layer.template import render_template

__all__ = [
    "CallSpan",
    "ChatEvent",
    "ChatMessage",
    "ChatPrompt",
    "Finished",
    "MessageParts",
    "ReasoningDelta",
    "StreamParser",
    "Syntax",
    "TextDelta",
    "ToolArgumentsDelta",
    "ToolCall",
    "ToolCallEnd",
    "ToolCallStart",
    "ToolResult",
    "build",
    "call_spans",
    "parse",
    "render_template",
]
