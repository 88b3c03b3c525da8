"""What clients send to the Messages API.

Only what is used here has a field. Everything else is accepted and ignored: clients
send a dozen keys of beta features, and give up when one of them is refused. The
fields are those of https://platform.claude.com/docs/en/api/messages.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    Tag,
    WithJsonSchema,
    model_validator,
)

__all__ = [
    "Block",
    "CountTokensRequest",
    "DocumentBlock",
    "MessageParam",
    "MessagesRequest",
    "OtherBlock",
    "TextBlock",
    "ThinkingBlock",
    "ToolChoice",
    "ToolParam",
    "ToolResultBlock",
    "ToolUseBlock",
]

MAX_MESSAGES = 10_000
MAX_BLOCKS = 20_000
MAX_TOOLS = 1024
Name = Annotated[StrictStr, Field(min_length=1, max_length=256)]
CallId = Annotated[StrictStr, Field(min_length=1, max_length=1024)]


class Loose(BaseModel):
    """Takes fields that nobody has told us of, too."""

    model_config = ConfigDict(extra="allow")


# ---- content ---------------------------------------------------------------------------


class TextBlock(Loose):
    """Text."""

    type: Literal["text"]
    text: StrictStr


class ToolUseBlock(Loose):
    """A call that the model has made."""

    type: Literal["tool_use"]
    id: CallId
    name: Name
    input: Any = Field(default_factory=dict)


class ThinkingBlock(Loose):
    """What the model thought; its signature is not checked."""

    type: Literal["thinking"]
    thinking: StrictStr = ""


class DocumentBlock(Loose):
    """A document; its text can be read, a PDF cannot."""

    type: Literal["document"]
    source: dict[str, Any]
    title: StrictStr | None = None
    context: StrictStr | None = None


class ToolResultBlock(Loose):
    """What a tool gave back."""

    type: Literal["tool_result"]
    tool_use_id: CallId
    content: Content | None = None
    is_error: StrictBool | None = None


class OtherBlock(Loose):
    """Any other kind of block: images, references, the results of Anthropic's own tools."""

    type: StrictStr


_KNOWN = ("text", "tool_use", "thinking", "document", "tool_result")


def _kind(block: Any) -> str:
    kind = block.get("type") if isinstance(block, dict) else getattr(block, "type", None)
    return kind if kind in _KNOWN else "other"


def _as_blocks(content: Any) -> Any:
    """Read a string as one block of text."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


Block = Annotated[
    Annotated[TextBlock, Tag("text")]
    | Annotated[ToolUseBlock, Tag("tool_use")]
    | Annotated[ThinkingBlock, Tag("thinking")]
    | Annotated[DocumentBlock, Tag("document")]
    | Annotated[ToolResultBlock, Tag("tool_result")]
    | Annotated[OtherBlock, Tag("other")],
    Discriminator(_kind),
]
_BLOCK_SCHEMA = {
    "type": "object",
    "required": ["type"],
    "properties": {"type": {"type": "string"}, "text": {"type": "string"}},
}
Content = Annotated[
    list[Block],
    Field(max_length=MAX_BLOCKS),
    BeforeValidator(_as_blocks),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": _BLOCK_SCHEMA}]}),
]
ToolResultBlock.model_rebuild()


class MessageParam(Loose):
    """One turn of the conversation."""

    role: Literal["user", "assistant", "system"]
    content: Content


# ---- tools -----------------------------------------------------------------------------


class ToolParam(Loose):
    """A tool: the client's own, or one of a kind that Anthropic defines."""

    name: Name | None = None
    type: StrictStr | None = None
    description: StrictStr | None = None
    input_schema: dict[str, Any] | None = None
    defer_loading: StrictBool | None = None

    @property
    def is_custom(self) -> bool:
        """Whether the request itself says all about it."""
        return self.input_schema is not None

    @model_validator(mode="after")
    def _custom_ones_are_complete(self) -> Self:
        if self.type in {None, "custom"} and self.input_schema is None:
            raise ValueError("a tool needs an input_schema")
        if self.is_custom and not self.name:
            raise ValueError("a tool needs a name")
        return self


class ToolChoice(Loose):
    """Whether tools may or must be called."""

    type: Literal["auto", "any", "tool", "none"]
    name: Name | None = None
    disable_parallel_tool_use: StrictBool | None = None

    @model_validator(mode="after")
    def _a_tool_has_a_name(self) -> Self:
        if self.type == "tool" and self.name is None:
            raise ValueError("a tool_choice of type 'tool' needs the tool's name")
        return self


# ---- the rest --------------------------------------------------------------------------


class ThinkingParam(Loose):
    """Whether to think: ``enabled``, ``disabled``, ``adaptive`` or ``between_tools``."""

    type: StrictStr
    display: StrictStr | None = None


class OutputFormat(Loose):
    """What the text of the answer must match."""

    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")


class OutputConfig(Loose):
    """How the answer is to be written; ``effort`` is ignored."""

    format: OutputFormat | None = None


class Metadata(Loose):
    """Who asks."""

    user_id: StrictStr | None = None


class CountTokensRequest(Loose):
    """Everything that is part of the prompt."""

    model: StrictStr | None = None
    messages: Annotated[
        list[MessageParam], Field(min_length=1, max_length=MAX_MESSAGES, fail_fast=True)
    ]
    system: Content | None = None
    tools: Annotated[list[ToolParam], Field(max_length=MAX_TOOLS)] | None = None
    tool_choice: ToolChoice | None = None
    thinking: ThinkingParam | None = None
    output_config: OutputConfig | None = None
    output_format: OutputFormat | None = None
    metadata: Metadata | None = None
    thread: Any = None


class MessagesRequest(CountTokensRequest):
    """A request for an answer."""

    max_tokens: Annotated[StrictInt, Field(ge=0)]
    stream: StrictBool | None = None
    stop_sequences: Annotated[list[StrictStr], Field(fail_fast=True)] | None = None
    temperature: StrictFloat | StrictInt | None = None
    top_p: StrictFloat | StrictInt | None = None
    top_k: StrictInt | None = None
