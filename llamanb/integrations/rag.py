"""Answers from your own documents: raghilda's stores with a local embedding model.

``llamanb.rag`` is this module. It needs ``pip install 'llamanb[rag]'``, and nothing
outside this machine.
"""

from __future__ import annotations

from llamanb.integrations.rag_embedding import EmbeddingLlama
from llamanb.integrations.rag_retrieval import Retriever
from llamanb.integrations.rag_store import connect
from llamanb.integrations.rag_tool import register_retrieve_tool

__all__ = ["EmbeddingLlama", "Retriever", "connect", "register_retrieve_tool"]
