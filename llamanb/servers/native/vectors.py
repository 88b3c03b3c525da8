"""Embeddings in OpenAI's shape."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from llamanb.models.embedding import input_prefix
from llamanb.servers.native.requests import MOST_TEXTS
from llamanb.servers.problems import Refusal

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from llamanb.models import Model
    from llamanb.models.embedding import InputType
    from llamanb.models.reading import Readout
    from llamanb.servers.native.requests import EmbeddingsRequest

__all__ = ["embedded", "embeddings_json"]

# the words of Cohere, NVIDIA and Voyage for the two sides of a search
INPUT_TYPES: dict[str, InputType] = {
    "query": "query",
    "search_query": "query",
    "document": "document",
    "search_document": "document",
    "passage": "document",
}
FOREIGN_IDS = (
    "token {token} is not in this model's vocabulary (0 … {last}): the ids were made with another "
    "model's tokenizer; send text (in langchain: check_embedding_ctx_length=False)"
)


def embedded(model: Model, body: EmbeddingsRequest, stop: threading.Event) -> Readout:
    """Turn the input into vectors.

    Texts are taken as they are; only with an ``input_type`` the model's own prefix for
    queries or documents comes before them. Token ids get no special tokens.

    Raises
    ------
    Refusal
        If the length asked for is not the model's, or the ids are another model's.
    OptionError, ContextLengthError
    """
    texts = _listed(body.input)
    _check_ids(texts, model.vocab.n_tokens)
    _check_dimensions(body.dimensions, model.header.n_embd)
    return model.read_vectors(
        texts, prefix=_prefix(model, body.input_type), truncate=bool(body.truncate), stop=stop
    )


def _listed(given: Any) -> list[str | list[int]]:
    if isinstance(given, str) or isinstance(given[0], int):
        return [given]
    if len(given) > MOST_TEXTS:
        message = f"input: {len(given)} texts are more than {MOST_TEXTS}"
        raise Refusal(message, param="input")
    return list(given)


def _check_ids(texts: Sequence[str | list[int]], n_tokens: int) -> None:
    for position, text in enumerate(texts):
        wrong = [] if isinstance(text, str) else [one for one in text if one >= n_tokens]
        if wrong:
            raise Refusal(
                FOREIGN_IDS.format(token=wrong[0], last=n_tokens - 1), param=f"input[{position}]"
            )


def _check_dimensions(asked: int | None, n_embd: int) -> None:
    if asked not in {None, n_embd}:
        raise Refusal(
            f"dimensions={asked} is not possible: this model's vectors have {n_embd} numbers",
            param="dimensions",
        )


def _prefix(model: Model, input_type: str | None) -> str:
    if input_type is None:
        return ""
    known = INPUT_TYPES.get(input_type)
    if known is None:
        names = ", ".join(map(repr, INPUT_TYPES))
        raise Refusal(
            f"input_type={input_type!r} is not possible; there is {names}", param="input_type"
        )
    return input_prefix(model.header.name, known)


def embeddings_json(readout: Readout, name: str, encoding_format: str | None) -> bytes:
    """Write the list of embeddings; base64 is of little-endian 32-bit floats.

    Row by row, since ``json.dumps`` of a million numbers would let no other thread run.
    """
    write = _in_base64 if encoding_format == "base64" else _in_numbers
    rows = (
        json.dumps({"object": "embedding", "index": index, "embedding": write(row)})
        for index, row in enumerate(readout.rows)
    )
    usage = {"prompt_tokens": readout.n_tokens, "total_tokens": readout.n_tokens}
    rest = json.dumps({"object": "list", "model": name, "usage": usage})
    return f'{rest[:-1]}, "data": [{", ".join(rows)}]}}'.encode()


def _in_base64(row: NDArray[np.float32]) -> str:
    return base64.b64encode(row.astype("<f4").tobytes()).decode()


def _in_numbers(row: NDArray[np.float32]) -> list[float]:
    numbers: list[float] = row.tolist()
    return numbers
