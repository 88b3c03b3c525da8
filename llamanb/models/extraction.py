"""Typed answers: what the model is told, and the value that its answer is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamanb.errors import OptionError
from llamanb.models.chat_options import ChatOptions, read_chat_options
from llamanb.models.typed import Target, target_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llamanb.models.reply import ReplyStream

__all__ = ["begin_extraction", "read_extraction"]

DEFAULTS: Mapping[str, Any] = {"temperature": 0.0, "enable_thinking": False}
REFUSED = ("tools", "response_format")


def begin_extraction(
    text: str, data_model: Any, instructions: str | None, options: Mapping[str, Any]
) -> tuple[Target, list[dict[str, str]], ChatOptions]:
    """Give what is wanted, what the model is told, and how it is to answer.

    Raises
    ------
    OptionError
        If there is no text or no type, or an option is unknown or impossible.
    """
    if not isinstance(text, str):
        raise OptionError(f"extract() reads a str, not {type(text).__name__}")
    for name in filter(options.__contains__, REFUSED):
        raise OptionError(f"{name}= is not an option here; data_model says what is wanted")
    target = target_of(data_model)
    told = "\n\n".join(part for part in (instructions, target.description) if part)
    messages = [{"role": "system", "content": told}, {"role": "user", "content": text}]
    wanted = {"type": "json_schema", "schema": target.schema}
    return (
        target,
        messages,
        read_chat_options({**DEFAULTS, **options, "response_format": wanted}),
    )


def read_extraction(target: Target, stream: ReplyStream) -> Any:
    """Give the value that a finished reply describes.

    Raises
    ------
    ExtractionError
        If it is cut off or no such value.
    """
    stream.generation.raise_for_error()
    reason = stream.finished.reason if stream.finished else "cancelled"
    return target.read(stream.message.content, reason)
