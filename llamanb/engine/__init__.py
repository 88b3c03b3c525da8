"""Tokens in, text pieces out: weights, contexts and the one compute thread.

The only room that imports ``llama_cpp``, and only when a model is first loaded.
"""

from __future__ import annotations

from llamanb.engine.embedding import EmbeddingEngine, open_embedding_engine
from llamanb.engine.engine import Engine, TextEngine, open_engine
from llamanb.engine.generation import Generation
from llamanb.engine.grammar_steps import GrammarStep, GrammarTrace, NextTokens
from llamanb.engine.grammar_trace import trace_grammar
from llamanb.engine.native import check_process
from llamanb.engine.reranking import RerankEngine, open_rerank_engine
from llamanb.engine.system import system_info
from llamanb.engine.threads import usable_cores
from llamanb.engine.values import (
    EngineRequest,
    EngineStatus,
    FinalRecord,
    FinishReason,
    ModelInfo,
    Piece,
    Timings,
    TokenLogprob,
    Usage,
)
from llamanb.engine.vocabulary import Vocabulary
from llamanb.engine.weights import LoadedModel, load_weights

__all__ = [
    "EmbeddingEngine",
    "Engine",
    "EngineRequest",
    "EngineStatus",
    "FinalRecord",
    "FinishReason",
    "Generation",
    "GrammarStep",
    "GrammarTrace",
    "LoadedModel",
    "ModelInfo",
    "NextTokens",
    "Piece",
    "RerankEngine",
    "TextEngine",
    "Timings",
    "TokenLogprob",
    "Usage",
    "Vocabulary",
    "check_process",
    "load_weights",
    "open_embedding_engine",
    "open_engine",
    "open_rerank_engine",
    "system_info",
    "trace_grammar",
    "usable_cores",
]
