"""Read what an OpenAI chat request asks for: tools, format of the answer, sampling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from llamanb.errors import OptionError
from llamanb.models.constraints import json_schema_of
from llamanb.models.options import DEFAULT_SAMPLING, show_options
from llamanb.settings import SamplingSettings, refuse_unknown

__all__ = [
    "ChatOptions",
    "read_chat_options",
    "read_response_format",
    "read_tools",
    "shows_chat_options",
]

# What a reply takes as it is; the others are read here or belong to sampling.
PASSED_ON = (
    "tool_choice",
    "parallel_tool_calls",
    "enable_thinking",
    "reasoning_format",
    "chat_template",
    "chat_template_kwargs",
    "continue_final_message",
    "regex",
    "choices",
    "affinity",
)
READ_HERE = (
    "tools",
    "response_format",
    "stream_options",
    "max_completion_tokens",
    "logprobs",
    "top_logprobs",
    "n",
    "model",
)
_REASONING_FORMATS = ("auto", "none")
_MAY_BE_NONE = ("max_tokens", "seed")  # None means something there: no limit, a new seed


F = TypeVar("F", bound="Callable[..., Any]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatOptions:
    """What a chat request asks for.

    Attributes
    ----------
    reply : keyword arguments of :func:`llamanb.models.reply.reply`.
    include_usage : whether a stream ends with a chunk that has the usage.
    model : what the answer is to say who wrote it; None for the model's own name.
    """

    reply: dict[str, Any]
    include_usage: bool = False
    model: str | None = None


def shows_chat_options(function: F) -> F:
    """Let ``help()`` and completion show every option of a chat."""
    return show_options(function, DEFAULT_SAMPLING, (*READ_HERE, *PASSED_ON))


def read_chat_options(
    options: Mapping[str, Any], base: SamplingSettings = DEFAULT_SAMPLING
) -> ChatOptions:
    """Read the options of a chat request, on top of ``base``.

    Raises
    ------
    OptionError
        Naming the option that is unknown or impossible.
    """
    sampling = [field.name for field in fields(SamplingSettings)]
    refuse_unknown(options, [*sampling, *PASSED_ON, *READ_HERE])
    if options.get("n") not in {None, 1}:
        raise OptionError(
            f"n={options['n']!r} is not possible: one answer a request; ask again with another seed"
        )
    check_reasoning_format(options.get("reasoning_format") or "auto")
    passed_on = {name: options[name] for name in PASSED_ON if options.get(name) is not None}
    return ChatOptions(
        reply={
            **passed_on,
            "tools": read_tools(options.get("tools")),
            "json_schema": read_response_format(options.get("response_format")),
            "sampling": _sampling(options, sampling, base),
        },
        include_usage=_includes_usage(options.get("stream_options")),
        model=options.get("model"),
    )


def _sampling(
    options: Mapping[str, Any], names: list[str], base: SamplingSettings
) -> SamplingSettings:
    chosen = {
        name: options[name]
        for name in names
        if name in options and (options[name] is not None or name in _MAY_BE_NONE)
    }
    longest = options.get("max_completion_tokens")
    if longest is not None and chosen.setdefault("max_tokens", longest) != longest:
        raise OptionError("give only one of max_tokens and max_completion_tokens")
    chosen["logprobs"] = _logprobs(options)
    return SamplingSettings.from_options(base, **chosen)


def _logprobs(options: Mapping[str, Any]) -> Any:
    """Read OpenAI's ``logprobs=True, top_logprobs=3``, or a plain number."""
    wanted, top = options.get("logprobs"), options.get("top_logprobs")
    if top is not None and wanted in {None, False}:
        raise OptionError(f"top_logprobs={top!r} needs logprobs=True")
    if wanted is True:
        return top or 0
    return None if wanted is False else wanted


def check_reasoning_format(value: Any) -> None:
    """Refuse a ``reasoning_format`` that there is not.

    Raises
    ------
    OptionError
    """
    if value not in _REASONING_FORMATS:
        raise OptionError(
            f"reasoning_format={value!r} is not possible: it must be 'auto' or 'none'"
        )


def _includes_usage(stream_options: Any) -> bool:
    if not isinstance(stream_options, Mapping | None):
        raise OptionError(
            f"stream_options={stream_options!r} is not possible: it is {{'include_usage': True}}"
        )
    return bool((stream_options or {}).get("include_usage"))


def read_tools(tools: Any) -> list[dict[str, Any]] | None:
    """Give tool definitions: dictionaries as they are, tools by their ``schema``.

    Raises
    ------
    OptionError
        If one is neither.
    """
    if tools is None:
        return None
    if isinstance(tools, str | Mapping) or not isinstance(tools, Iterable):
        raise OptionError("tools must be a list of tool definitions, such as [get_weather]")
    return [_definition(tool) for tool in tools]


def _definition(tool: Any) -> dict[str, Any]:
    definition = tool if isinstance(tool, Mapping) else getattr(tool, "schema", None)
    if isinstance(definition, Mapping):
        return dict(definition)
    if callable(tool):
        name = getattr(tool, "__name__", "the function")
        raise OptionError(f"tools: {name} is no tool yet; make it one with @llamanb.tool")
    raise OptionError(f"tools: {tool!r} is neither a definition (a dict) nor a tool")


def read_response_format(wanted: Any) -> dict[str, Any] | None:
    """Give the JSON Schema that ``response_format`` asks for; None for plain text.

    It may be OpenAI's dictionary in its nested (``{"json_schema": {"schema": …}}``) or
    flat (``{"schema": …}``) form, or a type such as a pydantic model.

    Raises
    ------
    OptionError
        If it is none of these.
    """
    if not isinstance(wanted, Mapping):
        return None if wanted is None else _schema_of_type(wanted)
    kind = wanted.get("type")
    read = _FORMATS.get(kind) if isinstance(kind, str) else None
    if read is None:
        raise OptionError(
            f"response_format={dict(wanted)!r} is not possible: its type must be "
            + ", ".join(map(repr, _FORMATS))
        )
    return read(wanted)


def _schema_of_type(wanted: Any) -> dict[str, Any]:
    schema = None if isinstance(wanted, str) else json_schema_of(wanted)
    if not isinstance(schema, dict):
        raise OptionError(
            f"response_format={wanted!r} is not possible: give a dictionary such as "
            "{'type': 'json_schema', 'json_schema': {'schema': …}}, or a type"
        )
    return schema


def _read_json_object(wanted: Mapping[str, Any]) -> dict[str, Any]:
    return _schema_in(wanted) or {"type": "object"}


def _read_json_schema(wanted: Mapping[str, Any]) -> dict[str, Any]:
    schema = _schema_in(wanted)
    if schema is None:
        raise OptionError("response_format: 'json_schema' needs a dictionary with a 'schema'")
    return _as_strict(schema) if _format_in(wanted).get("strict") is True else schema


def _as_strict(schema: dict[str, Any]) -> dict[str, Any]:
    from llamanb.chat_layer.syntax.schemas import strict

    made: dict[str, Any] = strict(schema)
    return made


def _schema_in(wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    schema = _format_in(wanted).get("schema")
    if not isinstance(schema, Mapping | None):
        raise OptionError(f"response_format: the schema {schema!r} is not a dictionary")
    return None if schema is None else dict(schema)


def _format_in(wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    nested = wanted.get("json_schema", wanted)
    return nested if isinstance(nested, Mapping) else {}


_FORMATS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any] | None]] = {
    "text": lambda _: None,
    "json_object": _read_json_object,
    "json_schema": _read_json_schema,
}
