"""The bodies that clients send for tokens, vectors and ranks; unknown keys are ignored.

The fields are llama-server's, OpenAI's (embeddings) and those that Jina, Cohere and
text-embeddings-inference share (rerank).
"""

# no `from __future__ import annotations`: pydantic reads these types
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict

from llamanb.servers.fields import Flag, Text, Whole

__all__ = [
    "MOST_TEXTS",
    "DetokenizeRequest",
    "Document",
    "EmbeddingsRequest",
    "RerankRequest",
    "TokenizeRequest",
]

MOST_TEXTS = 2048  # as OpenAI has it
MOST_TOKENS = 1 << 17
LARGEST_TOKEN = (1 << 31) - 1


# A body of 8 MB has room for a million wrong items: the first one is enough to know.
Token = Annotated[int, Strict(), Field(ge=0, le=LARGEST_TOKEN)]
Tokens = Annotated[list[Token], Field(fail_fast=True, min_length=1, max_length=MOST_TOKENS)]
Parts = Annotated[list[Text | Token], Field(fail_fast=True, max_length=MOST_TOKENS)]
Texts = Annotated[list[Text | Tokens], Field(fail_fast=True, min_length=1, max_length=MOST_TOKENS)]
Positive = Annotated[Whole, Field(ge=1)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="allow", protected_namespaces=())

    model: Text | None = None


class TokenizeRequest(_Body):
    """``POST /tokenize``: a text, or pieces of text and ready tokens."""

    content: Text | Parts
    add_special: Flag = False
    parse_special: Flag = True
    with_pieces: Flag = False


class DetokenizeRequest(_Body):
    """``POST /detokenize``."""

    tokens: Annotated[list[Token], Field(fail_fast=True, max_length=MOST_TOKENS)]


class EmbeddingsRequest(_Body):
    """``POST /v1/embeddings``."""

    input: Text | Tokens | Texts
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Positive | None = None
    input_type: Text | None = None
    truncate: Flag | None = None


class Document(_Body):
    """A document as an object."""

    text: Text


Documents = Annotated[
    list[Text | Document], Field(fail_fast=True, min_length=1, max_length=MOST_TEXTS)
]


class RerankRequest(_Body):
    """``POST /v1/rerank``; ``texts`` instead of ``documents`` asks for the short shape."""

    query: Annotated[Text, Field(min_length=1)]
    documents: Documents | None = None
    texts: Documents | None = None
    top_n: Positive | None = None
    return_documents: Flag | None = None
    return_text: Flag | None = None
    truncate: Flag | None = None
