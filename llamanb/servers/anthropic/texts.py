"""Content blocks as text: what a model that reads text alone can see of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamanb.servers.anthropic.requests import (
    Block,
    DocumentBlock,
    OtherBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from llamanb.servers.problems import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["block_text", "joined", "refuse_unreadable", "result_text"]

MAX_NESTED = 8
_UNREADABLE = {
    "image": "[There was an image here; this model reads text alone.]",
    "document": "[There was a document here that is not text; this model reads text alone.]",
}
_FAILED = "Error"
# Where the text is in kinds of blocks that say it elsewhere, too.
_FIELDS = {
    "search_result": ("title", "source", "content"),
    "web_search_result": ("title", "url"),
    "tool_reference": ("tool_name",),
}
_USUAL_FIELDS = ("text", "content")


def joined(blocks: Iterable[Block]) -> str:
    """Give the texts of blocks, each on a line of its own."""
    texts = (block_text(block) for block in blocks)
    return "\n".join(text for text in texts if text is not None)


def block_text(block: Block) -> str | None:
    """Give the text of one block; None if it has nothing to read."""
    match block:
        case TextBlock():
            return block.text
        case DocumentBlock():
            return _document_text(block)
        case ToolResultBlock():
            return result_text(block)
        case ToolUseBlock() | ThinkingBlock():
            return None
        case OtherBlock():
            return _other_text(block)


def result_text(result: ToolResultBlock) -> str:
    """Give what a tool said; where it failed, the word ``Error`` comes first."""
    text = joined(result.content or ())
    if not result.is_error:
        return text
    return f"{_FAILED}: {text}" if text else _FAILED


def refuse_unreadable(blocks: Sequence[Block], place: str) -> None:
    """Refuse a turn that shows the model what it cannot see.

    Raises
    ------
    Refusal
        Naming the block.
    """
    for number, block in enumerate(blocks):
        if not _is_readable(block):
            raise Refusal(
                f"{place}.content[{number}]: this model reads text alone; leave out "
                f"the {block.type}, or say in words what it shows",
                param=f"{place}.content[{number}]",
            )


def _is_readable(block: Block) -> bool:
    if isinstance(block, DocumentBlock):
        return _document_content(block) is not None
    return block.type not in _UNREADABLE


def _document_text(block: DocumentBlock) -> str:
    content = _document_content(block)
    heads = (one for one in (block.title, block.context) if one)
    return "\n".join([*heads, _UNREADABLE["document"] if content is None else content])


def _document_content(block: DocumentBlock) -> str | None:
    """Give what a document says: plain text, or blocks; None for a PDF, a file or an address."""
    source = block.source
    if source.get("type") == "text":
        return str(source.get("data") or "")
    return _plain(source.get("content")) if source.get("type") == "content" else None


def _other_text(block: OtherBlock) -> str | None:
    if block.type in _UNREADABLE:
        return _UNREADABLE[block.type]
    return _plain(block.model_dump())


def _plain(value: Any, depth: int = 0) -> str | None:
    """Give the text inside a block of any kind, from the fields that usually hold it."""
    if isinstance(value, str):
        return value
    if depth > MAX_NESTED:
        return None
    if isinstance(value, list):
        return _lines(_plain(one, depth + 1) for one in value)
    if not isinstance(value, dict):
        return None
    if value.get("type") in _UNREADABLE:
        return _UNREADABLE[str(value["type"])]
    fields = _FIELDS.get(str(value.get("type")), _USUAL_FIELDS)
    return _lines(_plain(value.get(name), depth + 1) for name in fields)


def _lines(texts: Iterable[str | None]) -> str | None:
    found = [text for text in texts if text]
    return "\n".join(found) if found else None
