"""From OpenAI's requests to what all dialects share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamanb.errors import OptionError
from llamanb.models.chat_options import read_response_format
from llamanb.servers.asked import Asked
from llamanb.servers.openai.messages import is_prefill, read_messages
from llamanb.servers.openai.thinking import read_thinking
from llamanb.servers.openai.tool_choices import read_tools
from llamanb.servers.problems import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from llamanb.servers.openai.requests import ChatRequest, CompletionRequest, SharedRequest
    from llamanb.servers.openai.tool_choices import AskedTools
    from llamanb.settings import SamplingSettings

    SamplingOf = Callable[..., SamplingSettings]

__all__ = ["read_chat", "read_completion"]

MOST_ANSWERS = 64
MOST_NAME = 256
SEEDS = 1 << 32
WHOLE_CONTEXT = 1 << 24
# what llama-server and vLLM call "auto" is the only other way there is
REASONING_FORMATS = {
    "auto": "auto",
    "deepseek": "auto",
    "deepseek-legacy": "auto",
    "none": "none",
}
# each option, and the fields of a request that may hold it: the first one counts
SAMPLING_FIELDS: dict[str, tuple[str, ...]] = {
    "max_tokens": ("max_completion_tokens", "max_tokens", "n_predict"),
    "temperature": ("temperature",),
    "top_k": ("top_k",),
    "top_p": ("top_p",),
    "min_p": ("min_p",),
    "typical_p": ("typical_p",),
    "repeat_penalty": ("repeat_penalty", "repetition_penalty"),
    "repeat_last_n": ("repeat_last_n",),
    "presence_penalty": ("presence_penalty",),
    "frequency_penalty": ("frequency_penalty",),
    "seed": ("seed",),
    "logit_bias": ("logit_bias",),
    "ignore_eos": ("ignore_eos",),
}
# llama-server's -1, which is "all", "as many as fit" or "any"
MINUS_ONE: dict[str, int | None] = {
    "max_tokens": None,
    "top_k": 0,
    "repeat_last_n": WHOLE_CONTEXT,
    "seed": None,
}


def read_chat(body: ChatRequest, headers: Mapping[str, str], sampling_of: SamplingOf) -> Asked:
    """Read a request for chat completions.

    A last message of the assistant is the beginning of the answer, which goes on
    from there, unless ``continue_final_message`` is false, ``add_generation_prompt``
    is true, or a call is forced.

    Parameters
    ----------
    sampling_of : gives sampling settings on top of the server's own.

    Raises
    ------
    Refusal, OptionError
        Naming the field.
    """
    _refuse_of_chat(body)
    tools = read_tools(body)
    messages = read_messages(body.messages)
    options: dict[str, Any] = {
        "tools": list(tools.definitions) or None,
        "tool_choice": tools.choice,
        "parallel_tool_calls": False if tools.is_legacy else body.parallel_tool_calls,
        "reasoning_format": _reasoning_format(body.reasoning_format),
        "continue_final_message": _continues(body, messages, tools),
        "affinity": _affinity(body, headers),
        "sampling": sampling_of(**_sampling(body), logprobs=_logprobs(body)),
        **read_thinking(body, is_forced=tools.is_forced),
        **_constraint(body),
    }
    return Asked(model=body.model, messages=messages, options=options, n=body.n or 1)


def read_completion(
    body: CompletionRequest, headers: Mapping[str, str], sampling_of: SamplingOf
) -> Asked:
    """Read a request for plain completions, of one prompt or several.

    Raises
    ------
    Refusal, OptionError
        Naming the field.
    """
    _refuse_of_text(body)
    prompts, n = _prompts(body.prompt), body.n or 1
    if len(prompts) * n > MOST_ANSWERS:
        message = f"prompt: {len(prompts)} prompts, {n} answers each, are more than {MOST_ANSWERS}"
        raise Refusal(message, param="prompt")
    options: dict[str, Any] = {
        "affinity": _affinity(body, headers),
        "sampling": sampling_of(**_sampling(body), logprobs=body.logprobs),
        **_constraint(body),
    }
    return Asked(model=body.model, messages=[], prompts=prompts, options=options, n=n)


# ---- what both kinds have ----------------------------------------------------------------


def _sampling(body: SharedRequest) -> dict[str, Any]:
    chosen = {
        name: next((value for field in fields if (value := _of(body, field)) is not None), None)
        for name, fields in SAMPLING_FIELDS.items()
    }
    chosen |= {name: value for name, value in MINUS_ONE.items() if chosen[name] == -1}
    if chosen["seed"] is not None:
        chosen["seed"] %= SEEDS
    return {**chosen, "stop": _stops(body.stop)}


def _of(body: SharedRequest, field: str) -> Any:
    return getattr(body, field, None)


def _stops(stop: str | list[str] | None) -> list[str] | None:
    stops = [stop] if isinstance(stop, str) else stop or []
    return [one for one in stops if one] or None


def _constraint(body: SharedRequest) -> dict[str, Any]:
    """Give what the answer must match: at most one of the ways to say it."""
    given = {
        "response_format": _schema_of(body.response_format),
        "json_schema": body.json_schema,
        "regex": body.regex,
        "grammar": body.grammar or None,
    }
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise Refusal(f"give only one of {' and '.join(named)}", param=named[1])
    return {"json_schema" if name == "response_format" else name: given[name] for name in named}


def _schema_of(response_format: dict[str, Any] | None) -> dict[str, Any] | None:
    try:
        return read_response_format(response_format)
    except OptionError as error:
        raise Refusal(str(error), param="response_format") from None


def _affinity(body: SharedRequest, headers: Mapping[str, str]) -> str | None:
    """Give the name of the conversation, whose cached prefix is preferred."""
    names = (
        headers.get("x-session-id"),
        headers.get("session_id"),
        body.prompt_cache_key,
        body.session_id,
    )
    return next((name[:MOST_NAME] for name in names if name), None)


# ---- chats -------------------------------------------------------------------------------


def _refuse_of_chat(body: ChatRequest) -> None:
    if "audio" in (body.modalities or ()):
        raise Refusal("modalities: this server answers in text only", param="modalities")
    if body.grammar:
        message = "grammar: give a response_format, or a grammar to /v1/completions"
        raise Refusal(message, param="grammar")


def _continues(body: ChatRequest, messages: list[dict[str, Any]], tools: AskedTools) -> bool:
    if body.continue_final_message is not None:
        return body.continue_final_message
    may = not body.add_generation_prompt and not tools.is_forced
    return may and is_prefill(messages[-1])


def _reasoning_format(wanted: str | None) -> str:
    known = REASONING_FORMATS.get(wanted or "auto")
    if known is None:
        names = ", ".join(map(repr, REASONING_FORMATS))
        message = f"reasoning_format={wanted!r} is not possible; there is {names}"
        raise Refusal(message, param="reasoning_format")
    return known


def _logprobs(body: ChatRequest) -> int | None:
    if body.logprobs:
        return body.top_logprobs or 0
    if body.top_logprobs:
        raise Refusal("top_logprobs needs logprobs=true", param="top_logprobs")
    return None


# ---- plain texts -------------------------------------------------------------------------


def _refuse_of_text(body: CompletionRequest) -> None:
    if body.suffix:
        raise Refusal("suffix: text in front of a given end is not written here", param="suffix")
    if body.best_of not in {None, 1, body.n}:
        raise Refusal("best_of: ask for n answers and choose among them", param="best_of")
    if body.echo and body.logprobs is not None:
        message = "echo: the log probabilities of a prompt are not known; leave logprobs out"
        raise Refusal(message, param="echo")


def _prompts(prompt: str | Sequence[Any]) -> tuple[str | tuple[int, ...], ...]:
    """Give every prompt: a text as it is, token ids as a tuple."""
    if isinstance(prompt, str):
        return (prompt,)
    if not prompt:
        raise Refusal("prompt: there is none", param="prompt")
    if isinstance(prompt[0], int):
        return (tuple(prompt),)
    return tuple(one if isinstance(one, str) else tuple(one) for one in prompt)
