"""The bodies that OpenAI's clients send, as wide as real ones are.

Every key that nobody knows is let through and ignored; one that is known must have
its type. The fields are those of https://platform.openai.com/docs/api-reference,
with the names of llama-server and vLLM where they mean the same.
"""

# no `from __future__ import annotations`: pydantic reads these types
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from llamanb.servers.fields import Flag, Many, Number, Text, Whole

__all__ = [
    "CalledFunction",
    "ChatRequest",
    "CompletionRequest",
    "ContentPart",
    "Function",
    "Message",
    "SharedRequest",
    "StreamOptions",
    "Tool",
    "ToolCall",
]

MOST_CHOICES = 64
MOST_LOGPROBS = 64
MOST_PARTS = 10_000


Name = Annotated[Text, Field(min_length=1)]
TokenText = Annotated[str, Field(pattern=r"^[0-9]{1,9}$")]
Token = Annotated[Whole, Field(ge=0)]
Share = Annotated[Number, Field(ge=0, le=1)]
Penalty = Annotated[Number, Field(ge=-100, le=100)]
Limit = Annotated[Whole, Field(ge=-1)]
Object = dict[str, Any]


class _Body(BaseModel):
    model_config = ConfigDict(extra="allow", protected_namespaces=())


# ---- messages and tools ------------------------------------------------------------------


class ContentPart(_Body):
    """One part of a message."""

    type: Text = "text"
    text: Text | None = None


class CalledFunction(_Body):
    """The function of a call: arguments are JSON text, or an object."""

    name: Name
    arguments: Text | Object | None = None


class ToolCall(_Body):
    """A call that the model made earlier."""

    id: Text | None = None
    function: CalledFunction


class Message(_Body):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | Annotated[Many[Text | ContentPart], Field(max_length=MOST_PARTS)] | None = None
    name: Text | None = None
    tool_calls: Many[ToolCall] | None = None
    tool_call_id: Text | None = None
    reasoning_content: Text | None = None
    function_call: CalledFunction | None = None


class Function(_Body):
    """What a tool is called and takes."""

    name: Name
    description: Text | None = None
    parameters: Object | None = None


class Tool(_Body):
    """A tool; only functions are shown to the model."""

    type: Text = "function"
    function: Function | None = None


# ---- requests ----------------------------------------------------------------------------


class StreamOptions(_Body):
    """How to stream."""

    include_usage: Flag | None = None


class SharedRequest(_Body):
    """What both kinds of completions take."""

    model: Text | None = None
    stream: Flag | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[Whole, Field(ge=1, le=MOST_CHOICES)] | None = None
    max_tokens: Limit | None = None
    n_predict: Limit | None = None
    temperature: Annotated[Number, Field(ge=0, le=100)] | None = None
    top_p: Share | None = None
    min_p: Share | None = None
    typical_p: Share | None = None
    top_k: Annotated[Whole, Field(ge=-1, le=1 << 20)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    repeat_penalty: Annotated[Number, Field(ge=0.01, le=100)] | None = None
    repetition_penalty: Annotated[Number, Field(ge=0.01, le=100)] | None = None
    repeat_last_n: Annotated[Whole, Field(ge=-1, le=1 << 24)] | None = None
    seed: Whole | None = None
    stop: Text | Many[Text] | None = None
    logit_bias: dict[TokenText, Number] | None = None
    ignore_eos: Flag | None = None
    response_format: Object | None = None
    json_schema: Object | None = None
    regex: Name | None = None
    grammar: Text | None = None
    prompt_cache_key: Text | None = None
    session_id: Text | None = None


class ChatRequest(SharedRequest):
    """``POST /v1/chat/completions``."""

    messages: Annotated[Many[Message], Field(min_length=1)]
    max_completion_tokens: Limit | None = None
    logprobs: Flag | None = None
    top_logprobs: Annotated[Whole, Field(ge=0, le=MOST_LOGPROBS)] | None = None
    tools: Many[Tool] | None = None
    tool_choice: Text | Object | None = None
    parallel_tool_calls: Flag | None = None
    functions: Many[Function] | None = None
    function_call: Text | Object | None = None
    modalities: Many[Text] | None = None
    enable_thinking: Flag | None = None
    thinking: Flag | Object | None = None
    reasoning_effort: Text | None = None
    reasoning_format: Text | None = None
    include_reasoning: Flag | None = None
    chat_template_kwargs: Object | None = None
    continue_final_message: Flag | None = None
    add_generation_prompt: Flag | None = None


class CompletionRequest(SharedRequest):
    """``POST /v1/completions``."""

    prompt: Text | Many[Text] | Many[Token] | Many[Many[Token]]
    suffix: Text | None = None
    echo: Flag | None = None
    best_of: Whole | None = None
    logprobs: Annotated[Whole, Field(ge=0, le=MOST_LOGPROBS)] | None = None
