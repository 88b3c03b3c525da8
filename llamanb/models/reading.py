"""Models that read texts: vectors of them, and how well documents answer a query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from llamanb.errors import OptionError
from llamanb.models.embedding import embedding_tokens, input_prefix, text_list
from llamanb.models.options import checks_names
from llamanb.models.reranking import Pairing, RankedDocument, checked_documents
from llamanb.settings import plain_number

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from llamanb.engine import Vocabulary
    from llamanb.models.embedding import InputType
    from llamanb.models.preflight import GgufHeader
    from llamanb.models.residence import Residence

__all__ = ["Reading", "Readout"]

RERANK_PROMPT = "tokenizer.chat_template.rerank"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readout:
    """What reading some texts gave.

    Attributes
    ----------
    rows : float32, shape (n, n_embd) for vectors, (n,) for scores.
    n_tokens : how many tokens were read.
    """

    rows: NDArray[np.float32]
    n_tokens: int


class Reading:
    """The part of :class:`~llamanb.models.Model` that reads texts without writing."""

    _residence: Residence

    if TYPE_CHECKING:  # in Model itself

        @property
        def header(self) -> GgufHeader:
            """What the file's header says."""

        @property
        def vocab(self) -> Vocabulary:
            """Its tokens."""

    @checks_names
    def embed(
        self,
        texts: str | Iterable[str],
        *,
        input_type: InputType = "document",
        normalize: bool = True,
        truncate: bool = True,
    ) -> NDArray[np.float32]:
        """Turn texts into vectors.

        Parameters
        ----------
        texts : one text, or several.
        input_type : what the text is to a search; models that were trained with
            different prefixes for ``"document"`` and ``"query"`` get them.
        normalize : scale every vector to length 1.
        truncate : cut texts that are too long instead of raising.

        Returns
        -------
        float32 array of shape (n_embd,) for one text, (n, n_embd) for several.

        Raises
        ------
        OptionError, ContextLengthError
            Naming the text by its position.
        """
        prefix = input_prefix(self.header.name, input_type)
        vectors = self.read_vectors(
            text_list(texts), prefix=prefix, normalize=normalize, truncate=truncate
        ).rows
        return vectors[0] if isinstance(texts, str) else vectors

    def read_vectors(
        self,
        texts: Sequence[str | Sequence[int]],
        *,
        prefix: str = "",
        normalize: bool = True,
        truncate: bool = True,
        stop: threading.Event | None = None,
    ) -> Readout:
        """Turn texts, or token ids, into vectors, and count their tokens.

        ``prefix`` comes before every text; ids are taken as they are. Else as ``embed``.
        Another thread can set ``stop``, which ends it with an ``EngineError``.
        """
        with self._residence.lease():
            context = self._residence.engine("embedding")
            tokens = embedding_tokens(
                self.vocab, texts, context.n_ctx, prefix=prefix, truncate=truncate
            )
            rows = context.embed(tokens, normalize=normalize, stop=stop)
        return Readout(rows=rows, n_tokens=sum(map(len, tokens)))

    @checks_names
    def rerank(
        self,
        query: str,
        documents: Iterable[str],
        *,
        top_n: int | None = None,
        truncate: bool = True,
    ) -> list[RankedDocument]:
        """Tell how well documents answer a query, the best first.

        Parameters
        ----------
        documents : texts, in any order.
        top_n : how many to give; None for all.
        truncate : cut documents that are too long instead of raising.

        Returns
        -------
        Rows with ``index``, ``relevance_score`` and ``text``: ``pandas.DataFrame`` takes them.

        Raises
        ------
        OptionError
            If this model is no reranker, or something is no text.
        ContextLengthError
            If the query is too long, or with ``truncate=False`` a document.

        Examples
        --------
        >>> model.rerank("What do pandas eat?", ["Bamboo.", "Paris."])[0].text
        'Bamboo.'
        """
        top_n = plain_number(top_n)
        if top_n is not None and (type(top_n) is not int or top_n < 1):
            raise OptionError(f"top_n={top_n!r} is not possible: it must be at least 1, or None")
        listed = checked_documents(query, documents)
        scores = self.read_scores(query, listed, truncate=truncate).rows
        ranked = [
            RankedDocument(index=index, relevance_score=float(scores[index]), text=listed[index])
            for index in np.argsort(-scores, kind="stable").tolist()
        ]
        return ranked[:top_n]

    def read_scores(
        self,
        query: Any,
        documents: Any,
        *,
        truncate: bool = True,
        stop: threading.Event | None = None,
    ) -> Readout:
        """Score documents in the order given, and count the tokens of all pairs."""
        listed = checked_documents(query, documents)
        with self._residence.lease():
            context = self._residence.engine("rerank")
            template = self._residence.weights().metadata.get(RERANK_PROMPT)
            pairing = Pairing(self.vocab, template, context.n_ctx)
            tokens = pairing.tokens(query, listed, truncate=truncate)
            rows = context.score(tokens, stop=stop)
        return Readout(rows=rows, n_tokens=sum(map(len, tokens)))
