"""Turns what a tool returned into text for the model."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from llamanb.conversation.tools.outcome import PlainFailureError

__all__ = ["MAX_RESULT_CHARS", "capped", "result_text"]

MAX_RESULT_CHARS = 8_000  # some 2,500 tokens, so that a few results fit into a small context
MAX_ROWS = 50


def result_text(value: Any) -> str:
    """Give a tool's result as text: strings as they are, all else as JSON.

    Data frames become CSV with at most 50 rows; what JSON does not know is shown
    by ``repr``. At most 8,000 characters, and the text says what was cut.
    """
    if isinstance(value, str):
        return capped(value)
    if _is_server_result(value):
        return _server_text(value)
    table = _table_text(value)
    return capped(table if table is not None else _json_text(value))


def capped(text: str, limit: int = MAX_RESULT_CHARS) -> str:
    """Cut a text that is too long, with a note, and make it valid Unicode."""
    if len(text) > limit:
        text = f"{text[:limit]}\n[cut: the first {limit:,} of {len(text):,} characters]"
    return text.encode("utf-8", "replace").decode("utf-8")


def _is_server_result(value: Any) -> bool:
    """Tell whether an MCP client gave this (``CallToolResult``)."""
    has_flag = hasattr(value, "isError") or hasattr(value, "is_error")
    return has_flag and isinstance(getattr(value, "content", None), list)


def _server_text(value: Any) -> str:
    texts = [getattr(part, "text", None) or f"[{_kind(part)}]" for part in value.content]
    text = capped("\n".join(texts))
    if getattr(value, "isError", getattr(value, "is_error", False)):
        raise PlainFailureError(text)
    return text


def _kind(part: Any) -> str:
    return str(getattr(part, "type", type(part).__name__))


def _json_text(value: Any) -> str:
    try:
        return to_json(value, fallback=_plain, inf_nan_mode="strings").decode("utf-8")
    except (ValueError, TypeError, RecursionError):  # circular, or bytes that are no text
        return repr(value)


def _plain(value: Any) -> Any:
    """Give JSON for an object of a foreign library, known by its methods alone."""
    table = _table_text(value)
    if table is not None:
        return table
    for method in ("tolist", "to_dict", "model_dump"):
        if callable(convert := getattr(value, method, None)):
            return convert()
    return repr(value)


def _table_text(value: Any) -> str | None:
    """Give the first rows of a pandas or polars table as CSV; None for all else."""
    write = getattr(value, "to_csv", None) or getattr(value, "write_csv", None)
    if isinstance(value, type) or not callable(write) or not callable(getattr(value, "head", None)):
        return None
    head = value.head(MAX_ROWS)
    text = str(head.to_csv() if hasattr(head, "to_csv") else head.write_csv())
    n_rows = len(value)
    return text if n_rows <= MAX_ROWS else f"{text}[cut: the first {MAX_ROWS} of {n_rows:,} rows]"
