"""What a search gives a model: passages as JSON, and which of them it was given before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llamanb.integrations.rag_door import RetrievedChunk

__all__ = ["Passage", "Passages", "is_known", "joined", "read_passages", "written_passages"]

MAX_CHARS = 7_500  # below what cuts a tool's result, which would be no JSON any more
Passage = dict[str, Any]
Passages = list[Passage]


def is_known(chunk: RetrievedChunk, passages: Iterable[Passage]) -> bool:
    """Tell whether one of the passages says what this chunk says."""
    return any(
        passage["origin"] == chunk.origin
        and (
            chunk.text in passage["text"]
            or ("cut" in passage and chunk.text.startswith(passage["text"]))
        )
        for passage in passages
    )


def joined(chunks: Iterable[RetrievedChunk]) -> Passages:
    """Make passages of chunks, one of those that overlap in their document."""
    groups: list[list[RetrievedChunk]] = []
    for chunk in chunks:
        group = next((one for one in groups if any(_overlap(chunk, other) for other in one)), None)
        if group is None:
            groups.append([chunk])
        else:
            group.append(chunk)
    return [_passage(group) for group in groups]


def written_passages(passages: Passages) -> tuple[str, Passages]:
    """Give JSON of as many passages as fit, and those; the first is cut if it must be."""
    kept: Passages = []
    for passage in passages:
        if len(_text([*kept, passage])) <= MAX_CHARS:
            kept.append(passage)
        elif not kept:
            kept.append(_cut(passage))
    return _text(kept), kept


def read_passages(text: Any) -> Passages:
    """Read what ``written_passages`` gave; nothing if it is something else."""
    try:
        rows = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return []
    rows = rows if isinstance(rows, list) else []
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("text"), str)]


def _overlap(one: RetrievedChunk, other: RetrievedChunk) -> bool:
    """Tell whether both hold the same characters of one document."""
    first, second = sorted((one, other), key=lambda chunk: chunk.start_index)
    shared = first.end_index - second.start_index
    rest = first.text[second.start_index - first.start_index :]
    return bool(one.origin == other.origin and shared > 0 and rest[:shared] == second.text[:shared])


def _passage(group: list[RetrievedChunk]) -> Passage:
    ordered = sorted(group, key=lambda chunk: chunk.start_index)
    text, end = ordered[0].text, ordered[0].end_index
    for chunk in ordered[1:]:
        text += chunk.text[max(0, end - chunk.start_index) :]
        end = max(end, chunk.end_index)
    context = {"context": ordered[0].context} if ordered[0].context else {}
    return {"origin": ordered[0].origin, **context, "text": text}


def _cut(passage: Passage) -> Passage:
    """Shorten the text until the passage fits, whatever its characters need in JSON."""
    short = {**passage, "context": (passage.get("context") or "")[:200], "cut": True}
    text = passage["text"][:MAX_CHARS]
    while text and len(_text([{**short, "text": text}])) > MAX_CHARS:
        text = text[: len(text) * 9 // 10]
    return {**short, "text": text}


def _text(passages: Passages) -> str:
    return json.dumps(passages, ensure_ascii=False)
