"""Rerank in the shape that Jina and Cohere share, and in the shorter one of TEI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from llamanb.servers.problems import Refusal

if TYPE_CHECKING:
    import threading

    from llamanb.models import Model
    from llamanb.models.reading import Readout
    from llamanb.servers.native.requests import RerankRequest

__all__ = ["rerank_body", "scored"]


def scored(model: Model, body: RerankRequest, stop: threading.Event) -> Readout:
    """Score the documents in the order given; long ones are cut unless ``truncate`` is false.

    Raises
    ------
    Refusal
        If there are no documents.
    OptionError
        If the model is no reranker.
    ContextLengthError
    """
    return model.read_scores(
        body.query, _texts(body), truncate=body.truncate is not False, stop=stop
    )


def _texts(body: RerankRequest) -> list[str]:
    documents = body.documents or body.texts
    if documents is None:
        raise Refusal("documents: Field required", param="documents")
    return [one if isinstance(one, str) else one.text for one in documents]


def rerank_body(readout: Readout, name: str, body: RerankRequest) -> Any:
    """Give the documents, the best first."""
    texts = _texts(body)
    order = np.argsort(-readout.rows, kind="stable").tolist()[: body.top_n]
    scores = {index: float(readout.rows[index]) for index in order}
    if body.documents is None:
        return [
            {"index": index, "score": score, **({"text": texts[index]} if body.return_text else {})}
            for index, score in scores.items()
        ]
    with_text = bool(body.return_documents)
    results = [
        {
            "index": index,
            "relevance_score": score,
            **({"document": {"text": texts[index]}} if with_text else {}),
        }
        for index, score in scores.items()
    ]
    usage = {"prompt_tokens": readout.n_tokens, "total_tokens": readout.n_tokens}
    return {"object": "list", "model": name, "results": results, "usage": usage}
