"""The values this room gives out: a prompt ready to run, and a parsed message."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from llamanb.settings import Constraint, Trigger

if TYPE_CHECKING:
    from llamanb.chat_layer.syntax.description import Description

__all__ = ["ChatMessage", "ChatPrompt", "ReasoningFormat", "Syntax", "ToolCall"]

ReasoningFormat = Literal["auto", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Syntax:
    """How a family of models writes its output, as data.

    Attributes
    ----------
    name : the family's name; ``"text"`` when only reasoning is told from content.
    thinking_starts, thinking_ends : markers around reasoning, of which any may occur.
    content_starts : markers that may stand before the answer and are no part of it.
    """

    name: str = "text"
    thinking_starts: tuple[str, ...] = ()
    thinking_ends: tuple[str, ...] = ()
    content_starts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A tool the model wants called; ``arguments`` is the model's own JSON text."""

    id: str
    name: str
    arguments: str

    @property
    def args(self) -> Any:
        """The arguments as Python values.

        Raises
        ------
        ValueError
            If the text is no JSON, as in a call that was cut off.
        """
        return json.loads(self.arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """What an assistant said, taken apart."""

    content: str = ""
    reasoning_content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    role: str = "assistant"

    def to_openai(self) -> dict[str, Any]:
        """Give the OpenAI dictionary, as ``messages`` takes it back."""
        message: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.reasoning_content:
            message["reasoning_content"] = self.reasoning_content
        if self.tool_calls:
            message["tool_calls"] = [_call_to_openai(call) for call in self.tool_calls]
        return message


def _call_to_openai(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ChatPrompt:
    """A rendered conversation and how to read what follows it.

    Attributes
    ----------
    prompt : the whole text for the model; it ends with ``generation_prompt``.
    generation_prompt : what opens the assistant's turn.
    additional_stops : texts that end the turn, besides the model's own end tokens.
    preserved_tokens : control tokens that the parser must see as text.
    syntax, thinking_start, thinking_ends : the output syntax.
    thinking_open : whether the prompt ends inside reasoning.
    content_spans : character ranges of ``prompt`` that users, tools or the model
        wrote; control-token text in there must be read as plain text.
    repairs : what was changed so that the template takes these messages.
    grammar : Lark text for llguidance that the output must match; "" for none.
    grammar_lazy : whether it begins only at a trigger, after any other text.
    trigger_patterns, trigger_tokens : RE2 patterns of the texts that begin it, and
        those of the texts that are tokens of the vocabulary.
    begun : the beginning of the grammar's text that ``prompt`` ends with.
    description : what grammar and parser are made from.
    """

    prompt: str
    generation_prompt: str = ""
    grammar: str = ""
    grammar_lazy: bool = False
    trigger_patterns: tuple[str, ...] = ()
    trigger_tokens: tuple[str, ...] = ()
    additional_stops: tuple[str, ...] = ()
    preserved_tokens: tuple[str, ...] = ()
    syntax: Syntax = field(default_factory=Syntax)
    thinking_open: bool = False
    content_spans: tuple[tuple[int, int], ...] = ()
    repairs: tuple[str, ...] = ()
    reasoning_format: ReasoningFormat = "auto"
    begun: str = ""
    description: Description | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        rule = "no grammar"
        if self.grammar:
            rule = f"grammar from {self.trigger_patterns} on" if self.grammar_lazy else "grammar"
        stops = f", stops {self.additional_stops}" if self.additional_stops else ""
        return (
            f"<ChatPrompt: {len(self.prompt):,} characters, format {self.format!r}, {rule}{stops}>"
        )

    @property
    def format(self) -> str:
        """The name of the output syntax, such as ``"hermes"``; ``"text"`` without tool calls."""
        return self.syntax.name

    @property
    def thinking_start(self) -> str:
        """The marker that opens reasoning, "" if the template knows none."""
        return next(iter(self.syntax.thinking_starts), "")

    @property
    def thinking_ends(self) -> tuple[str, ...]:
        """The markers of which any closes reasoning."""
        return self.syntax.thinking_ends

    def constraint(self) -> Constraint | None:
        """Give the grammar in the form that the engine takes, None if there is none."""
        if not self.grammar:
            return None
        if not self.grammar_lazy:
            return Constraint(kind="lark", source=self.grammar, begun=self.begun)
        trigger = Trigger(
            patterns=self.trigger_patterns,
            thinking_start=self.thinking_start,
            thinking_ends=self.thinking_ends,
            thinking_open=self.thinking_open,
        )
        return Constraint(kind="lark", source=self.grammar, trigger=trigger)

    def sampling(self) -> dict[str, Any]:
        """Give the keyword arguments for ``Model.generate``.

        Examples
        --------
        >>> model.generate(prompt, **prompt.sampling())
        """
        constraint = self.constraint()
        return {
            **({"grammar": constraint} if constraint else {}),
            "stop": self.additional_stops,
            "preserved_tokens": self.preserved_tokens,
        }

    def to_gbnf(self) -> str:
        """Give the grammar as GBNF, for llama.cpp and other tools; "" if there is none.

        Raises
        ------
        GrammarError
            If a tool's JSON Schema says something that GBNF cannot express.
        """
        from llamanb.chat_layer.syntax.gbnf import write_gbnf  # it needs this file's values

        made = self.description
        if not self.grammar or made is None:
            return ""
        return write_gbnf(made.calls if self.grammar_lazy and made.calls else made.output)

    def parse(self, text: str, *, is_partial: bool = False) -> ChatMessage:
        """Take an output of this prompt apart (see :func:`llamanb.chat_layer.parse`)."""
        from llamanb.chat_layer.parse import parse  # the parser needs this file's values

        return parse(text, self, is_partial=is_partial)
