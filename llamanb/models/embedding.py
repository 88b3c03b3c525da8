"""Texts into vectors: prefixes, truncation and batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from llamanb.errors import ContextLengthError, OptionError
from llamanb.models.requests import token_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llamanb.engine import Vocabulary

__all__ = ["InputType", "embedding_tokens", "input_prefix", "text_list"]

InputType = Literal["document", "query"]
QWEN3_QUERY = (
    "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"
)
# what the authors of well-known models put before texts: (in the name, document, query)
PREFIXES = (
    ("nomic-embed", "search_document: ", "search_query: "),
    ("multilingual-e5", "passage: ", "query: "),
    ("e5-", "passage: ", "query: "),
    (
        "qwen3-embedding",
        "",
        QWEN3_QUERY,
    ),
    ("bge-", "", "Represent this sentence for searching relevant passages: "),
    ("embeddinggemma", "title: none | text: ", "task: search result | query: "),
)


def input_prefix(name: str, input_type: InputType) -> str:
    """Give what a model of that name expects before a text, often nothing.

    Raises
    ------
    OptionError
        If ``input_type`` is neither ``"document"`` nor ``"query"``.
    """
    if input_type not in ("document", "query"):
        raise OptionError(f"input_type={input_type!r} is not possible: 'document' or 'query'")
    lowered = name.lower().replace(" ", "-")
    for part, document, query in PREFIXES:
        if part in lowered and "bge-m3" not in lowered:
            return query if input_type == "query" else document
    return ""


def text_list(texts: Any) -> list[str]:
    """Give the texts of one str or of several; each is checked when it is tokenized.

    Raises
    ------
    OptionError
        If it is neither.
    """
    if isinstance(texts, str):
        return [texts]
    if isinstance(texts, bytes | Mapping) or not hasattr(texts, "__iter__"):
        raise OptionError(f"texts must be a str or several, not {_shown(texts)}")
    return list(texts)


def _shown(value: object) -> str:
    return "None" if value is None else type(value).__name__


def embedding_tokens(
    vocabulary: Vocabulary,
    texts: Sequence[str | Sequence[int]],
    n_ctx: int,
    *,
    prefix: str,
    truncate: bool,
) -> list[list[int]]:
    """Tokenize texts, cut to ``n_ctx`` tokens if ``truncate``; the last token stays.

    Token ids in the place of a text are taken as they are, without ``prefix``.

    Raises
    ------
    OptionError
        If a text is neither, or has no tokens; names its position.
    ContextLengthError
        If one is too long and ``truncate`` is False.
    """
    return [
        _cut(_tokens_of(vocabulary, text, position, prefix), position, n_ctx, truncate=truncate)
        for position, text in enumerate(texts)
    ]


def _tokens_of(vocabulary: Vocabulary, text: Any, position: int, prefix: str) -> list[int]:
    if isinstance(text, list | tuple):
        tokens = list(token_ids(text, f"texts[{position}]"))
        vocabulary.check(tokens)
    elif isinstance(text, str):
        tokens = vocabulary.tokenize(prefix + text, add_special=True)
    else:
        raise OptionError(f"texts[{position}] must be a str, not {_shown(text)}")
    if not tokens:
        raise OptionError(f"texts[{position}] is empty: there is nothing to embed")
    return tokens


def _cut(tokens: list[int], position: int, n_ctx: int, *, truncate: bool) -> list[int]:
    if len(tokens) <= n_ctx:
        return tokens
    if not truncate:
        raise ContextLengthError(
            f"texts[{position}] has {len(tokens)} tokens, but the model takes {n_ctx}; "
            "split it, or use truncate=True",
            n_prompt=len(tokens),
            n_ctx=n_ctx,
        )
    # the end token carries the pooled meaning in many models
    return [*tokens[: n_ctx - 1], tokens[-1]]
