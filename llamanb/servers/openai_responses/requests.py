"""The bodies that clients of the Responses API send, as wide as real ones are.

Every key that nobody knows is let through and ignored; one that is known must have its
type. Input items and tools have dozens of shapes and grow more with every client, so
they are dictionaries here, read by ``items`` and ``tools``. The fields are those of
https://platform.openai.com/docs/api-reference/responses.
"""

# no `from __future__ import annotations`: pydantic reads these types
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from llamanb.servers.fields import Flag, Many, Number, Text, Whole

__all__ = ["InputTokensRequest", "ReasoningOptions", "ResponsesRequest", "TextOptions"]

MOST_LOGPROBS = 20
MOST_ITEMS = 10_000


Object = dict[str, Any]


class _Body(BaseModel):
    model_config = ConfigDict(extra="allow", protected_namespaces=())


class ReasoningOptions(_Body):
    """How much to think first: ``"none"`` is not at all."""

    effort: Text | None = None
    summary: Text | None = None


class TextOptions(_Body):
    """What the answer's text must be; ``verbosity`` is echoed and has no effect."""

    format: Object | None = None
    verbosity: Text | None = None


class InputTokensRequest(_Body):
    """What ``/v1/responses/input_tokens`` counts: all that becomes the prompt.

    ``enable_thinking`` and ``chat_template_kwargs`` are llama-server's words.
    """

    model: Text | None = None
    input: Text | Annotated[Many[Object], Field(max_length=MOST_ITEMS)] | None = None
    instructions: Text | None = None
    previous_response_id: Text | None = None
    conversation: Text | Object | None = None
    prompt: Object | None = None
    tools: Many[Object] | None = None
    tool_choice: Text | Object | None = None
    parallel_tool_calls: Flag | None = None
    text: TextOptions | None = None
    reasoning: ReasoningOptions | None = None
    prompt_cache_key: Text | None = None
    truncation: Literal["auto", "disabled"] | None = None
    enable_thinking: Flag | None = None
    chat_template_kwargs: Object | None = None


class ResponsesRequest(InputTokensRequest):
    """What ``/v1/responses`` takes; ``seed``, ``top_k``, ``min_p``, ``stop`` are our own."""

    stream: Flag | None = None
    store: Flag | None = None
    background: Flag | None = None
    include: Many[Text] | None = None
    metadata: dict[str, Text] | None = None
    max_output_tokens: Annotated[Whole, Field(ge=1)] | None = None
    max_tool_calls: Annotated[Whole, Field(ge=1)] | None = None
    temperature: Annotated[Number, Field(ge=0, le=100)] | None = None
    top_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    top_logprobs: Annotated[Whole, Field(ge=0, le=MOST_LOGPROBS)] | None = None
    user: Text | None = None
    safety_identifier: Text | None = None
    seed: Whole | None = None
    top_k: Annotated[Whole, Field(ge=0)] | None = None
    min_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    stop: Text | Many[Text] | None = None
