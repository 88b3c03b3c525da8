"""Query and document as one prompt, the way a reranker was trained to read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llamanb.errors import ContextLengthError, OptionError
from llamanb.models.tokens import marked_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llamanb.engine import Vocabulary

__all__ = ["Pairing", "RankedDocument", "checked_documents"]

_FIELD = re.compile(r"\{(query|document)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedDocument:
    """One document and how well it answers the query.

    Attributes
    ----------
    index : its place in what was given.
    relevance_score : the higher, the better; only scores of one query compare.
    """

    index: int
    relevance_score: float
    text: str


def checked_documents(query: Any, documents: Any) -> list[str]:
    """Give the documents as a list.

    Raises
    ------
    OptionError
        If the query or a document is no text; names its position.
    """
    if not isinstance(query, str) or not query.strip():
        raise OptionError("query must be a text that is not empty")
    if isinstance(documents, str | bytes | dict) or not hasattr(documents, "__iter__"):
        raise OptionError("documents must be a list of texts")
    listed = list(documents)
    for position, document in enumerate(listed):
        if not isinstance(document, str):
            raise OptionError(f"documents[{position}] must be a str, not {type(document).__name__}")
    return listed


class Pairing:
    """How one model reads a query together with a document.

    A prompt named ``rerank`` in the file decides (Qwen3-Reranker has one). Else the two
    texts stand between the special tokens that the vocabulary wants:
    ``[bos] query [eos] [sep] document [eos]``.
    """

    def __init__(self, vocabulary: Vocabulary, template: str | None, n_ctx: int) -> None:
        self._vocabulary, self._template, self._n_ctx = vocabulary, template, n_ctx

    def tokens(self, query: str, documents: Sequence[str], *, truncate: bool) -> list[list[int]]:
        """Give the ids of every pair; ``truncate`` cuts documents, never the query.

        Raises
        ------
        ContextLengthError
            If a pair is too long, or the query alone is.
        OptionError
            If the vocabulary has nothing to put between two texts.
        """
        pair = self._special_pair if self._template is None else self._prompted_pair
        return [
            pair(query, document, position, truncate=truncate)
            for position, document in enumerate(documents)
        ]

    # ---- between special tokens --------------------------------------------------------

    def _special_pair(
        self, query: str, document: str, position: int, *, truncate: bool
    ) -> list[int]:
        known = self._vocabulary
        ends = [known.eos if known.eos is not None else known.sep] if known.add_eos else []
        middle = [*ends, *([known.sep] if known.add_sep else [])]
        if not middle:
            raise OptionError("this model's vocabulary has nothing to put between two texts")
        first = [known.bos] if known.add_bos and known.bos is not None else []
        # a vocabulary with separators only ends its texts with one as well
        last = ends or middle
        head = [*first, *self._plain(query), *middle]
        return self._joined(head, self._plain(document), last, position, truncate=truncate)

    def _plain(self, text: str) -> list[int]:
        return self._vocabulary.tokenize(text, add_special=False)

    # ---- in the model's own prompt -----------------------------------------------------

    def _prompted_pair(
        self, query: str, document: str, position: int, *, truncate: bool
    ) -> list[int]:
        pieces = list(self._filled(query, document))
        whole = self._marked(pieces)
        if len(whole) <= self._n_ctx:
            return whole
        place = next((i for i, (name, _) in enumerate(pieces) if name == "document"), len(pieces))
        head, tail = self._marked(pieces[:place]), self._marked(pieces[place + 1 :])
        text = self._vocabulary.tokenize_inside(document)
        return self._joined(head, text, tail, position, truncate=truncate)

    def _filled(self, query: str, document: str) -> Iterator[tuple[str, str]]:
        """Give the prompt in pieces, each with what it is."""
        texts = {"query": query, "document": document}
        for number, part in enumerate(_FIELD.split(self._template or "")):
            yield (part, texts[part]) if number % 2 else ("", part)

    def _marked(self, pieces: Sequence[tuple[str, str]]) -> list[int]:
        text, spans = "", []
        for name, part in pieces:
            if name:
                spans.append((len(text), len(text) + len(part)))
            text += part
        return marked_tokens(text, spans, self._vocabulary)

    # ---- the length --------------------------------------------------------------------

    def _joined(
        self,
        head: Sequence[int | None],
        document: list[int],
        tail: Sequence[int | None],
        position: int,
        *,
        truncate: bool,
    ) -> list[int]:
        fixed = len(head) + len(tail)
        room, needed = self._n_ctx - fixed, fixed + len(document)
        if needed > self._n_ctx and (not truncate or room < 1):
            what = "the query alone" if room < 1 else f"the query with documents[{position}]"
            raise ContextLengthError(
                f"{what} has {needed} tokens, but the model takes {self._n_ctx}",
                n_prompt=needed,
                n_ctx=self._n_ctx,
            )
        return [token for token in (*head, *document[:room], *tail) if token is not None]
